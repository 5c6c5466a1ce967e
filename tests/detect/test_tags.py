"""``tag``: which packets after an alert are recorded."""

import pytest
from detect_world import NOW, SECOND, ToyTx, detector, flow, packet, sids, tcp

from appliance.detect.tags import Tags


def follow(option, packets, step=0):
    """Set the tag with a first packet, then count which of the others are recorded."""
    engine, stream = detector(f'alert udp any any -> any any (content:"go"; {option})'), flow(17)
    assert not engine.tagged(packet(b"go"), stream, NOW)
    assert sids(engine.inspect(packet(b"go", wirelen=60), stream, NOW)) == [1]
    now, found = NOW, []
    for one in packets:
        now += step
        found.append(engine.tagged(one, stream if one.dport == 53 else None, now))
    return found


def pkt(direction=0, dport=53, **fields):
    return packet(b"", direction, 17, 1234, dport, wirelen=60, **fields)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("tag:session;", 255),
        ("tag:session,9,packets;", 8),
        ("tag:session,2,seconds;", 1),
        ("tag:session,200,bytes;", 3),
        ("tag:host,9,packets,src;", 8),
    ],
)
def test_measures(option, expected):
    assert sum(follow(option, [pkt() for _ in range(300)], SECOND)) == expected


def test_a_host_is_followed_in_other_connections_and_both_ways():
    other = packet(b"", 0, 17, 9, 99)
    other.dst = b"\x09\x09\x09\x09"
    assert follow("tag:host,9,packets,src;", [other, pkt(dport=99)]) == [True, True]
    assert follow("tag:host,9,packets,dst;", [other, pkt(dport=99)]) == [False, True]
    assert follow("tag:session,9,packets;", [other, pkt(dport=99)]) == [False, False]


def test_the_table_of_tags_is_bounded():
    engine = detector('alert udp any any -> any any (msg:"x"; tag:host,9,packets,src;)')
    tags = engine._finisher.tags = Tags(limit=4)
    for number in range(10):
        one = packet()
        one.src = bytes((10, 0, 0, number))
        engine.inspect(one, None, NOW)
    assert (len(tags), tags.evicted) == (4, 6)


def test_a_flow_that_ended_is_forgotten():
    engine, stream = detector("alert tcp any any -> any any (flags:A; tag:session;)"), flow()
    engine.inspect(tcp(tcp_flags=16), stream, NOW)
    engine.flow_ended(stream)
    assert not engine.tagged(tcp(), stream, NOW)


def test_config_keeps_a_transaction_out_of_the_log():
    engine = detector(
        'config http any any -> any any (http.host; content:"quiet"; '
        "config: logging disable, type tx, scope tx;)"
    )
    found = []
    for host in (b"quiet", b"loud"):
        tx = ToyTx(http__host=host)
        assert sids(engine.inspect(tcp(), flow(6, "http", [tx]), NOW)) == []
        found.append(tx.logged)
    assert found == [1, 0]
