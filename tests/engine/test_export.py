"""An engine's state as data, and another engine that goes on with it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_helpers import (
    BLOCKED,
    INLINE,
    SECOND,
    SETTLED,
    UUID_A,
    UUID_B,
    VMS,
    Live,
    Tcp,
    ends,
    one_policy,
    udp,
)
from scapy.layers.inet import TCP
from scapy.packet import Raw

from appliance.config.settings import EveOutput
from appliance.engine.restore import Restorer
from appliance.handoff.codec import merge
from appliance.model.flow import F_ADOPTED
from appliance.model.verdict import Reason, Verdict

INSPECTED = one_policy("stateful: {strict: true}", inspection="{mode: prevent}")
EVIL = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'
BAD = 'drop tcp any any -> any any (content:"bad"; sid:2;)'
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def moved(live, policy=INSPECTED, rules=EVIL, settings=INLINE, interface=None, zone=None):
    """Another engine with what this one has exported, by way of JSON."""
    slices = json.loads(json.dumps(list(live.engine.export(interface))))
    other = Live(policy, rules, settings)
    other.now, other.number = live.now, live.number
    other.counts = other.engine.restore(slices, live.now, zone)
    assert other.counts["refused"] == 0
    return other


def opened(policy=INSPECTED, rules=EVIL, settings=INLINE, port=80):
    live, tcp = Live(policy, rules, settings), Tcp(port=port)
    for packet in tcp.open():
        live.send(packet)
    return live, tcp


def test_a_signature_that_spans_the_move_is_found():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"x" * 5000))
    live.send(tcp.say(b"yyb"))
    other = moved(live, rules="alert udp any any -> any any (sid:9;)\n" + BAD)
    assert other.send(tcp.say(b"ad"), known=True).decision.verdict is Verdict.DROP


def test_a_match_is_not_found_again():
    live, tcp = opened(rules=BAD.replace("drop", "alert"))
    live.send(tcp.say(b"bad"))
    other = moved(live, rules=BAD.replace("drop", "alert"))
    other.send(tcp.say(b"x"), known=True)
    assert (live.alerts(), other.alerts()) == ([2], [])


def test_a_request_that_spans_the_move_is_seen_whole():
    live, tcp = opened()
    live.send(tcp.say(b"GET /ev"))
    other = moved(live)
    result = other.send(tcp.say(b"il HTTP/1.1\r\nHost: x\r\n\r\n"), known=True)
    assert (result.decision.verdict, result.flow.app_proto) == (Verdict.DROP, "http")


def test_the_second_request_of_a_short_conversation_may_span_the_move():
    eve = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("http",))),))
    live, tcp = opened(settings=eve)
    for packet in (tcp.say(GET % b"/a"), tcp.say(OK, back=True), tcp.say(b"GET /ev")):
        live.send(packet)
    other = moved(live, settings=eve)
    assert other.send(tcp.say(b"il HTTP/1.1\r\nHost: x\r\n\r\n"), known=True).decision.verdict is Verdict.DROP
    records = [one.tx.id for one in [*live.events, *other.events] if type(one).__name__ == "AppEvent"]
    assert sorted(records) == [0, 1][: len(records)]


def test_a_long_conversation_is_parsed_from_its_next_request_on():
    live, tcp = opened()
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + b"z" * 30000
    for packet in (tcp.say(GET % b"/a"), tcp.say(big, back=True), tcp.say(GET % b"/b")):
        live.send(packet)
    other = moved(live)
    assert other.send(tcp.say(OK, back=True)).decision.verdict is Verdict.ACCEPT
    assert other.send(tcp.say(GET % b"/c"), known=True).decision.verdict is Verdict.ACCEPT
    assert other.send(tcp.say(GET % b"/evil"), known=True).decision.verdict is Verdict.DROP


def test_recognition_goes_on_with_the_bytes_that_were_held():
    live, tcp = opened()
    live.send(tcp.say(b"GE"))
    other = moved(live)
    result = other.send(tcp.say(b"T /evil HTTP/1.1\r\nHost: x\r\n\r\n"), known=True)
    assert (result.decision.verdict, result.flow.app_proto) == (Verdict.DROP, "http")


def test_tcp_goes_on_where_it_was():
    live, tcp = opened(rules=BAD)
    hole = tcp.say(b"ad")
    live.send(tcp.say(b"!" * 10))  # ahead of what is missing
    other = moved(live, rules=BAD)
    flow = other.table.flows()[0]
    assert (other.engine.pipeline.tracker.sessions, flow.tcp.client.held) == (1, 10)
    wrong = ends() / TCP(sport=40000, dport=80, flags="PA", seq=99, ack=5001) / Raw(b"never sent")
    assert other.send(hole, known=True).decision.verdict is Verdict.ACCEPT
    assert other.send(wrong, known=True).flow is flow


def test_what_was_denied_stays_denied_by_whoever_denied_it():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"bad"))
    live.send(udp())
    other = moved(live, rules=BAD)
    result = other.send(tcp.say(b"x"), known=True)
    assert (result.decision.reason, result.mark) == (Reason.FLOW_DENIED, BLOCKED)
    denying = one_policy(action="deny")
    live = Live(denying)
    live.send(udp())
    assert moved(live, denying).send(udp()).decision.verdict is Verdict.DROP
    assert moved(live, one_policy()).send(udp()).decision.verdict is Verdict.ACCEPT  # policy has changed


def test_counts_are_made_anew_and_given_back():
    text = one_policy("stateful: {connections: 1}")
    live = Live(text)
    live.send(Tcp().packet("S"))
    other = moved(live, text)
    assert other.send(Tcp(client=41000).packet("S")).decision.reason is Reason.LIMIT_CONNECTIONS
    other.engine.finish(other.now)
    assert other.send(Tcp(client=42000).packet("S")).decision.verdict is Verdict.ACCEPT


def test_settled_flows_wait_for_the_kernel_and_are_judged_when_they_come():
    live, tcp = opened(one_policy(), "")
    assert live.send(tcp.say(b"x")).mark == SETTLED
    other = moved(live, one_policy(), "")
    other.engine.tick(other.now + 4000 * SECOND)
    assert len(other.table) == 1
    for _ in range(3):
        tcp.say(b"unseen" * 1000)
    assert other.send(tcp.say(b"x"), known=True).mark == SETTLED
    inspecting = moved(live, INSPECTED, BAD)
    assert inspecting.send(tcp.say(b"bad"), known=True).decision.verdict is Verdict.DROP


def test_bits_thresholds_and_blocks_come_along():
    rules = """
    alert udp any any -> any any (content:"set"; flowbits:set,f; xbits:set,x,track ip_src,expire 60; sid:1;)
    alert udp any any -> any any (content:"ask"; flowbits:isset,f; xbits:isset,x,track ip_src; sid:2;)
    alert udp any any -> any any (content:"many"; threshold:type both,track by_src,count 3,seconds 60; sid:3;)
    alert udp any any -> any any (content:"flow"; threshold:type both,track by_flow,count 2,seconds 9; sid:4;)
    """
    scan = "scan_detection: {port_sweep: {threshold: 3, window: 60s, action: block, block: 60s}}"
    policy = one_policy(scan, "{mode: detect}")
    for interface, zone in ((None, None), ((UUID_A, "eth0"), 5)):
        live = Live(policy, rules)
        for data in (b"set", b"many", b"many", b"flow"):
            live.send(udp(data), zone=2)
        other = moved(live, policy, rules, interface=interface, zone=zone)
        for data in (b"ask", b"many", b"flow"):
            other.send(udp(data), zone=2 if zone is None else zone)
        assert other.alerts() == [2, 3, 4]
    for port in range(1, 4):
        live.send(Tcp(port=port).packet("S"))
    assert moved(live, policy, rules).send(udp(port=7)).decision.reason is Reason.SCAN_BLOCK
    assert moved(live, policy, rules, interface=(UUID_B, "eth0")).counts["blocks"] == 1
    assert "blocks" not in moved(live, policy, rules, interface=("none", "eth0")).counts


FTP = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("flow", "ftp"))),))
ONLY_FTP = one_policy(
    "firewall: {application: [{name: ftp, action: allow, protocol: tcp, destination_port: 21}]}",
    "{mode: prevent}",
    "deny",
)


def test_announced_connections_are_let_in_after_the_move():
    live, tcp = opened(ONLY_FTP, "", FTP, port=21)
    live.send(tcp.say(b"220 hello\r\n", back=True))
    live.send(tcp.say(b"USER x\r\n"))
    live.send(tcp.say(b"331 password\r\n", back=True))
    live.send(tcp.say(b"PASV\r\n"))
    live.send(tcp.say(b"227 Entering Passive Mode (10,0,0,2,100,0)\r\n", back=True))
    other = moved(live, ONLY_FTP, "", FTP)
    opening = Tcp(port=25600, client=41000)
    data = other.send(opening.packet("S"))
    assert (data.decision.verdict, data.flow.app_proto) == (Verdict.ACCEPT, "ftp-data")
    third = moved(other, ONLY_FTP, "", FTP)
    assert third.send(opening.packet("SA", back=True)).decision.verdict is Verdict.ACCEPT
    assert third.send(opening.packet("A"), known=True).flow.parent is not None


def test_slices_can_be_taken_while_packets_pass():
    live = Live(one_policy())
    for port in range(200):
        live.send(udp(port=1000 + port))
    slices = live.engine.export()
    first = next(slices)
    live.engine.finish(live.now)
    live.send(udp(port=9))
    rest = list(slices)
    assert len(first["entries"]) == 64
    assert sum(len(one["entries"]) for one in rest) == 0


def test_only_what_belongs_to_an_interface_goes():
    live = Live(one_policy())
    live.send(udp(port=1))
    live.send(udp(port=2), target=None)
    assert moved(live, one_policy(), interface=(UUID_B, "eth0")).counts == {"refused": 0, "flows": 1}


def state():
    live, tcp = opened(rules=EVIL + "\n" + BAD)
    live.send(tcp.say(GET % b"/x"))
    live.send(udp(b"x"))
    return list(live.engine.export())


SLICES = state()


@given(st.data())
def test_damaged_data_is_refused_and_never_raises(data):
    slices = json.loads(json.dumps(SLICES))
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.sampled_from(slices))
        while isinstance(node, dict | list) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
                node[key] = data.draw(
                    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5)
                    | st.just([]) | st.just({}) | st.just([1, "a", None]) | st.floats(allow_nan=True)
                )  # fmt: skip
                break
            node = node[key]
    other = Live(INSPECTED, EVIL + "\n" + BAD)
    other.engine.restore(slices, other.now)
    tcp = Tcp()
    for packet in (*tcp.open(), tcp.say(GET % b"/evil"), udp(b"y"), tcp.packet("FA", back=True)):
        other.send(packet, known=True)
    other.engine.finish(other.now)


@pytest.mark.parametrize(
    "junk", [None, [], {}, {"v": 1}, {"v": 1, "kind": []}, {"v": 9, "kind": "flows", "entries": []}]
)
def test_junk_is_counted(junk):
    taking = Restorer(Live().engine.pipeline)
    taking.take(junk, 0)
    assert taking.counts == {"refused": 1}
    taking.take({"v": 1, "kind": "flows", "entries": [{}] * 65}, 0)
    taking.take({"v": 1, "kind": "flows", "entries": [{}] * 2}, 0)
    assert taking.counts == {"refused": 4}


HERE = frozenset(((UUID_A, "eth0"),))


def arrived(live, here=HERE, policy=INSPECTED, rules=EVIL, into=None):
    """An engine of another host, where a's interface has moved to."""
    slices = json.loads(json.dumps(list(live.engine.export((UUID_A, "eth0")))))
    other = into or Live(policy, rules, INLINE)
    other.now, other.number = live.now, live.number
    other.counts = other.engine.restore(slices, live.now, 7, here)
    assert other.counts["refused"] == 0
    return other


def elsewhere(other, packet, **fields):
    """Send a packet on the host that a has moved to; b is behind an uplink there."""
    found = other.origin(packet)
    found.source = found.source if found.source is other.a else None
    found.target = found.target if found.target is other.a else None
    return _sent(other, packet, found, fields)


def _sent(other, packet, origin, fields):
    origin.zone = 7
    for name, value in fields.items():
        setattr(origin, name, value)
    return other.send(packet, origin)


def test_a_moved_machine_keeps_its_own_end_only_and_the_rest_is_judged_here():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"yyb"))
    other = arrived(live, rules=BAD)
    (flow,) = other.table.flows()
    assert (flow.client_if, flow.server_if) == (other.a, None)
    assert elsewhere(other, tcp.say(b"ad"), known=True).decision.verdict is Verdict.DROP
    assert not flow.flags & F_ADOPTED


def test_a_flow_whose_packets_another_worker_sees_ends_without_a_trace():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"x"))
    other = arrived(live, rules=BAD)
    events = other.engine.finish(other.now)
    assert [type(one).__name__ for one in events] == ["StatsEvent"]
    assert other.engine.pipeline.tracker.sessions == 0


def test_taking_the_same_state_twice_changes_nothing():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"yyb"))
    other = arrived(live, rules=BAD)
    arrived(live, into=other)
    assert len(other.table) == 1
    assert elsewhere(other, tcp.say(b"ad"), known=True).decision.verdict is Verdict.DROP
    arrived(live, into=other)  # late, and the connection has gone on here
    assert elsewhere(other, tcp.say(b"more"), known=True).decision.verdict is Verdict.DROP


def test_a_flow_that_is_known_here_gets_its_missing_end_and_stays_dropped():
    """Both hosts see the packets between a machine here and one there."""
    live, tcp = opened(rules=BAD)
    portless = VMS.replace(", port: tap0", "").replace(", port: tap1", "")
    there = Live(INSPECTED, "alert udp any any -> any any (sid:9;)\n", INLINE, portless)
    for packet in Tcp().open():
        found = there.origin(packet)
        found.source, found.target = (None, there.b) if found.source is there.a else (there.b, None)
        assert _sent(there, packet, found, {}).decision.verdict is Verdict.ACCEPT
    (flow,) = there.table.flows()
    assert (flow.client_if, flow.server_if) == (None, there.b)
    live.send(tcp.say(b"bad"))
    both = frozenset(((UUID_A, "eth0"), (UUID_B, "eth0")))
    arrived(live, here=both, into=there)
    assert (flow.client_if, flow.server_if) == (there.a, there.b)
    assert (
        _sent(there, tcp.say(b"x"), there.origin(tcp.say(b"x")), {"known": True}).decision.verdict
        is Verdict.DROP
    )


def test_the_source_lets_go_of_what_has_moved_and_says_nothing():
    live, _ = opened()
    live.send(udp())
    tallies = live.engine.pipeline.firewall.tallies.of(0)
    assert tallies.connections == 2
    assert live.engine.forget((UUID_A, "eth0"), frozenset(((UUID_B, "eth0"),))) == 0
    assert live.engine.forget((UUID_A, "eth0"), frozenset()) == 2
    assert (len(live.table), tallies.connections, live.engine.pipeline.tracker.sessions) == (0, 0, 0)
    assert live.engine.counters()["flow.moved_away"] == 2
    assert [type(one).__name__ for one in live.engine.finish(live.now)] == ["StatsEvent"]


def closed(tcp):
    return [
        tcp.packet("FA"),
        tcp.packet("A", back=True),
        tcp.packet("FA", back=True),
        tcp.packet("A"),
    ]


def exported(live, interface):
    found = {}
    for part in live.engine.export(interface):
        found.setdefault(part["kind"], []).extend(part["entries"])
    return found


def test_what_both_ends_have_closed_stays_and_is_told_of_where_it_ended():
    live, tcp = opened()
    for packet in closed(tcp):
        live.send(packet)
    (flow,) = live.table.flows()
    assert exported(live, (UUID_A, "eth0")) == {"over": [flow.id]}
    assert [entry["flow"]["id"] for entry in exported(live, None)["flows"]] == [
        flow.id
    ]  # to go on after a restart
    assert live.engine.forget((UUID_A, "eth0"), frozenset()) == 0
    assert "FlowEvent" in [type(one).__name__ for one in live.engine.finish(live.now)]


def test_what_was_reset_moves_since_the_rst_may_be_forged():
    live, tcp = opened()
    live.send(tcp.packet("RA"))
    assert [len(found) for found in exported(live, (UUID_A, "eth0")).values()] == [1]
    assert "flows" in exported(live, (UUID_A, "eth0"))


def test_what_was_dropped_moves_though_it_was_closed():
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"bad"))
    for packet in closed(tcp):
        live.send(packet)
    assert "flows" in exported(live, (UUID_A, "eth0"))


def test_a_worker_that_only_knows_of_a_flow_hears_that_it_is_over():
    live, _ = opened()
    other = arrived(live)
    (known,) = exported(other, (UUID_A, "eth0"))["flows"]
    parts = [
        {"v": 1, "kind": "flows", "entries": [known]},
        {"v": 1, "kind": "over", "entries": [known["flow"]["id"]]},
    ]
    assert merge(parts, F_ADOPTED) == merge(parts[::-1], F_ADOPTED) == []
    assert len(merge(parts[:1], F_ADOPTED)) == 1
