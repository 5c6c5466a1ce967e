"""How often each kind of rule fires, and on what."""

import pytest
from detect_world import (
    CLIENT,
    NOW,
    SERVER,
    ToyTx,
    detector,
    feed,
    flow,
    packet,
    sids,
    tcp,
)

from appliance.config.settings import DetectSettings
from appliance.model.app import COMPLETE, FileObject
from appliance.model.chunk import Chunk
from appliance.model.tcp import TcpState


def test_ip_only_fires_once_for_each_direction():
    engine, stream = detector('alert tcp any any -> any any (msg:"x";)'), flow()
    found = [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (0, 0, 1, 1, 0)]
    assert found == [[1], [], [1], [], []]


def test_ip_only_by_address():
    engine = detector(
        'alert ip 10.0.0.1 any -> any any (msg:"x";)', 'alert ip 10.9.0.0/16 any -> any any (msg:"y";)'
    )
    assert sids(engine.inspect(packet(), None, NOW)) == [1]
    assert sids(engine.inspect(packet(src=b"\x0a\x09\x01\x01"), None, NOW)) == [2]


def test_packet_rule_fires_on_every_packet():
    engine, stream = detector("alert tcp any any -> any 80 (flags:A;)"), flow()
    assert [sids(engine.inspect(tcp(tcp_flags=16), stream, NOW)) for _ in range(3)] == [[1]] * 3


def test_protocol_rule_fires_once_when_recognised():
    engine, stream = detector("alert tcp any any -> any any (app-layer-protocol:http;)"), flow()
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    stream.app = flow(6, "http").app
    assert [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (0, 0, 1)] == [[1], [], [1]]


def test_prefilter_on_the_protocol_asks_once_however_established():
    engine, stream = (
        detector("alert tcp any any -> any any (flow:established; app-layer-protocol:!tls; prefilter;)"),
        flow(6, "http", established=False),
    )
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    stream.tcp.state = TcpState.ESTABLISHED
    assert sids(engine.inspect(tcp(b"x"), stream, NOW)) == []
    stream.app.settled = [True, True]  # of another protocol, on the same connection
    assert [sids(engine.inspect(tcp(b"x"), stream, NOW)) for _ in range(2)] == [[1], []]


def test_protocol_rule_waits_for_a_packet_of_the_direction_that_was_recognised():
    engine, stream = detector("alert tcp any any -> any any (app-layer-protocol:http;)"), flow(6, "http")
    stream.app.done, stream.app.settled = [True, False], [True, False]
    assert [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (1, 0, 0)] == [[], [1], []]
    stream.app.done, stream.app.settled = [True, True], [False, True]
    assert [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (0, 1, 1)] == [[], [1], []]


@pytest.mark.parametrize(
    ("mode", "server", "client"),
    [("", [1], []), (",either", [1], [1]), (",to_server", [1], [1]), (",to_client", [], [])],
)
def test_not_an_application_needs_one_that_is_known(mode, server, client):
    engine = detector(f"alert tcp any any -> any any (flow:established; app-layer-protocol:!tls{mode};)")
    stream = flow(6, "http")
    stream.app.done = [True, False]
    assert sids(engine.inspect(tcp(b"x", 0), stream, NOW)) == server
    assert sids(engine.inspect(tcp(b"x", 1), stream, NOW)) == client


def test_protocol_of_the_header_counts_for_each_packet():
    engine, stream = detector("alert http any any -> any any (flow:established;)"), flow()
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    stream.app = flow(6, "http").app
    assert [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (0, 0, 1)] == [[1], [1], [1]]


def test_negated_addresses_count_for_each_packet():
    engine, stream = detector('alert tcp any any -> !9.9.9.9 any (msg:"x";)'), flow()
    assert [sids(engine.inspect(tcp(b"", d), stream, NOW)) for d in (0, 0, 1)] == [[1], [1], [1]]


def test_the_ack_that_ends_a_handshake_is_not_established():
    engine = detector("alert tcp any any -> any any (flow:not_established;)")
    stream = flow(established=False)
    stream.pkts_ts = 1
    first = engine.inspect(tcp(), stream, NOW)
    stream.pkts_ts, stream.tcp.state = 2, TcpState.ESTABLISHED
    assert [sids(first), sids(engine.inspect(tcp(), stream, NOW))] == [[1], [1]]
    assert sids(engine.inspect(tcp(), stream, NOW)) == []


def test_payload_outside_of_the_stream_is_looked_at_in_the_packet():
    engine, stream = detector('alert tcp any any -> any 80 (content:"abc";)'), flow()
    assert sids(engine.inspect(tcp(b"abc"), stream, NOW)) == []
    assert sids(engine.inspect(tcp(b"abc"), stream, NOW, False, ["pkt_invalid_ack"])) == [1]
    assert sids(engine.inspect(tcp(b"abc", tcp_flags=2), stream, NOW)) == [1]


def test_stream_rule_spans_pieces_and_fires_once():
    engine, stream = detector('alert tcp any any -> any 80 (content:"attack";)'), flow()
    assert feed(engine, stream, b"..att") == []
    assert feed(engine, stream, b"ack..") == [1]
    assert feed(engine, stream, b"") == []
    assert feed(engine, stream, b"more") == []
    assert feed(engine, stream, b"attack") == [1]


@pytest.mark.parametrize("cut", range(1, 12))
def test_any_cut_finds_the_same(cut):
    engine, stream = (
        detector('alert tcp any any -> any 80 (content:"abc"; content:"def"; distance:2;)'),
        flow(),
    )
    data = b"..abc--def.."
    found = feed(engine, stream, data[:cut]) + feed(engine, stream, data[cut:])
    assert found == [1]


def test_window_bounds_what_is_kept():
    settings = DetectSettings(window=8)
    engine, stream = detector('alert tcp any any -> any 80 (content:"attack";)', settings=settings), flow()
    feed(engine, stream, b"x" * 1000)
    assert len(stream.detect.tails[0].data) == 8


def test_gap_breaks_a_match():
    engine, stream = detector('alert tcp any any -> any 80 (content:"attack";)'), flow()
    feed(engine, stream, b"att")
    engine.stream_data(stream, Chunk(0, 3, b"", 5))
    assert feed(engine, stream, b"ack", offset=8) == []


def test_depth_counts_from_the_start_of_the_stream():
    engine, stream = detector('alert tcp-stream any any -> any 80 (content:"abc"; depth:6;)'), flow()
    assert feed(engine, stream, b"xxx") == []
    assert feed(engine, stream, b"abc") == [1]
    assert feed(engine, stream, b"abc") == []


def test_payload_of_packets_outside_of_streams():
    engine = detector('alert tcp any any -> any 80 (content:"abc";)')
    stream = flow()
    stream.tcp.state = 0
    assert sids(engine.inspect(tcp(b"abc"), stream, NOW)) == [1]
    assert sids(engine.inspect(tcp(b"abc"), None, NOW)) == [1]
    assert sids(engine.inspect(tcp(b"abc"), flow(), NOW)) == []


@pytest.mark.parametrize(
    "body",
    [
        'alert tcp-pkt any any -> any 80 (content:"abc";)',
        'alert tcp any any -> any 80 (content:"abc"; dsize:3;)',
        'alert tcp any any -> any 80 (content:"abc"; flow:no_stream;)',
    ],
)
def test_per_packet_payload(body):
    engine, stream = detector(body), flow()
    assert sids(engine.inspect(tcp(b"abc"), stream, NOW)) == [1]
    assert feed(engine, stream, b"abc") == []


def test_finish_inspects_what_is_left():
    engine, stream = detector('alert tcp any any -> any 80 (content:"abc"; flow:to_server;)'), flow()
    engine.stream_data(stream, Chunk(0, 0, b"abc"))
    pseudo, found = engine.finish(stream, 0, NOW)
    assert sids(found) == [1]
    assert (pseudo.src, pseudo.dst, pseudo.dport, pseudo.pseudo) == (CLIENT, SERVER, 80, True)


def test_transaction_rule_fires_once_and_combines_buffers():
    engine = detector(
        'alert http any any -> any any (http.method; content:"POST"; http.request_body; content:"bad";)'
    )
    tx = ToyTx(0, (10, 0), http__method=b"POST")
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    tx.buffers["http.request_body"] = b"..ba"
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    tx.buffers["http.request_body"] = b"..bad"
    found = engine.inspect(tcp(), stream, NOW)
    assert [(m.source, m.tx, m.direction) for m in found.matches] == [("tx", tx, 0)]
    assert sids(engine.inspect(tcp(), stream, NOW)) == []


def test_direction_of_buffers():
    engine = detector('alert http any any -> any any (http.stat_code; content:"404";)')
    tx = ToyTx(0, http__stat_code=b"404")
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(b"", 0), stream, NOW)) == []
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [1]


def test_mixed_directions_need_the_transactional_arrow():
    options = '(http.uri; content:"/a"; http.stat_code; content:"404";)'
    engine = detector(f"alert http any any => any any {options}")
    tx = ToyTx(0, (COMPLETE, 0), http__uri=b"/a")
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(b"", 0), stream, NOW)) == []
    tx.buffers["http.stat_code"], tx.progress[1] = b"404", COMPLETE
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [1]


def test_payload_content_in_application_rule():
    engine, tx = (
        detector('alert http any any -> any any (content:"raw"; http.uri; content:"/x";)'),
        ToyTx(http__uri=b"/x"),
    )
    stream = flow(6, "http", [tx])
    assert feed(engine, stream, b"..raw..") == [1]


def test_multiple_instances_each_stand_alone():
    engine = detector('alert dns any any -> any any (dns.query; content:"a"; content:"b"; distance:0;)')
    for names, expected in (([b"xa", b"b"], []), ([b"q", b"a-b"], [1])):
        tx = ToyTx(dns__query=names)
        assert sids(engine.inspect(packet(), flow(17, "dns", [tx]), NOW)) == expected


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("http.host; absent;", None, [1]),
        ("http.host; absent;", b"x", []),
        ('http.host; absent:or_else; content:"x";', b"x", [1]),
        ('http.host; absent:or_else; content:"x";', b"y", []),
        ('http.host; content:!"x";', b"y", [1]),
        ("http.host; bsize:3;", b"abc", [1]),
        ("http.host; bsize:<3;", b"abc", []),
        ('http.host; to_md5; content:"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|";', b"abc", [1]),
        ('http.host; dotprefix; content:".evil.com"; endswith;', b"evil.com", [1]),
        ('http.host; dotprefix; content:".evil.com"; endswith;', b"notevil.com", []),
        ('http.host; to_lowercase; content:"abc";', b"ABC", [1]),
        ('http.host; xor:"20"; content:"ABC";', b"abc", [1]),
        ('http.host; content:"A"; http.host; to_lowercase; content:"a";', b"A", [1]),
        ("urilen:4;", b"", [1]),
        ("urilen:>4;", b"", []),
    ],
)
def test_buffer_conditions(options, value, expected):
    engine = detector(f"alert http any any -> any any (flow:to_server; {options})")
    tx = ToyTx(http__host=value, http__uri=b"/abc")
    assert sids(engine.inspect(tcp(), flow(6, "http", [tx]), NOW)) == expected


def test_application_events():
    engine = detector(
        "alert http any any -> any any (app-layer-event:http.missing_host_header; flow:to_server;)",
        "alert http any any -> any any (app-layer-event:http.too_many_warnings; flow:to_server;)",
    )
    tx = ToyTx(0, (0, 0))
    stream = flow(6, "http", [tx])
    tx.events.append("missing_host_header")
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1]
    stream.app.parser.events.append("too_many_warnings")
    assert sids(engine.inspect(tcp(), stream, NOW)) == [2]
    assert sids(engine.inspect(tcp(), stream, NOW)) == []


def test_files():
    engine = detector(
        'alert http any any -> any any (fileext:"exe"; filesize:>3;)',
        "alert http any any -> any any (filestore;)",
    )
    tx, file = ToyTx(0, (0, 0)), FileObject(0, b"a.EXE", 1, 0)
    tx.files.append(file)
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [2]
    assert file.store
    file.size = 10
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [1]


def test_value_keyword():
    engine = detector("alert dns any any -> any any (dns.opcode:4;)")
    for number, expected in ((4, [1]), (0, [])):
        tx = ToyTx()
        tx.numbers["dns.opcode"] = number
        assert sids(engine.inspect(packet(), flow(17, "dns", [tx]), NOW)) == expected


def test_rule_over_both_directions_finds_the_request_by_the_response():
    engine = detector(
        "alert http any any => any any "
        '(http.uri; content:"down"; http.stat_code; content:"200"; fast_pattern;)'
    )
    tx = ToyTx(0, (COMPLETE, 0), http__uri=b"/download")
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    tx.progress[1], tx.buffers["http.stat_code"] = COMPLETE, b"200"
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [1]


def test_file_of_one_direction_in_a_rule_over_both():
    engine = detector(
        'alert http any any => any any (http.uri; content:"down"; filesize:to_client,>3;)',
        'alert http any any => any any (http.uri; content:"down"; filesize:to_server,>3;)',
    )
    tx, file = ToyTx(0, (COMPLETE, 0), http__uri=b"/download"), FileObject(0, b"a", 1, 0)
    file.size = 10
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    tx.files.append(file)
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == [1]
