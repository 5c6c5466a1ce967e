"""What the kernel is told to remember, and that it is no more than what the engine would say itself."""

from __future__ import annotations

import dataclasses

import pytest
from live_helpers import (
    BLOCKED,
    INLINE,
    SECOND,
    SETTLED,
    SETTLED_ORIGINAL,
    SETTLED_REPLY,
    A,
    B,
    Live,
    Tcp,
    ends,
    inspecting,
    one_policy,
    ping,
    udp,
)
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from appliance.config.settings import AppSettings, DecodeSettings, EveOutput
from appliance.engine.ended import KernelEntry
from appliance.model.event import FlowEvent
from appliance.model.flow import F_BYPASS
from appliance.model.origin import UNKNOWN
from appliance.model.verdict import Reason, Verdict
from appliance.protocols.tls import parser as tls

PLAIN = one_policy()
INSPECTED = one_policy(inspection="{mode: prevent}")
ON_X = 'drop tcp any any -> any any (content:"attack"; sid:1;)'


def ip(text):
    return bytes(int(part) for part in text.split("."))


def test_a_firewall_only_policy_costs_one_packet_of_a_connection():
    live = Live(PLAIN)
    assert live.marks(Tcp().packet("S"), udp(), ping()) == [SETTLED] * 3


def test_without_a_policy_and_rules_nothing_is_waited_for():
    assert Live().marks(Tcp().packet("S"), udp(), ping()) == [SETTLED] * 3


def test_without_an_origin_there_is_nothing_to_remember():
    live = Live(PLAIN)
    result = live.send(udp(), origin=None)
    assert (result.mark, result.flow.kernel) == (0, 0)


def test_what_is_denied_is_blocked():
    live = Live(one_policy(action="deny"))
    first, second = live.send(udp()), live.send(udp())
    assert (first.mark, first.decision.reason) == (BLOCKED, Reason.FIREWALL)
    assert (second.mark, second.decision.reason) == (BLOCKED, Reason.FLOW_DENIED)
    assert live.marks(Tcp().packet("S")) == [BLOCKED]


def test_rejected_connections_are_blocked():
    rule = "firewall: {application: [{name: no, action: reject}]}"
    assert Live(one_policy(rule)).marks(Tcp().packet("S")) == [BLOCKED]


def test_a_rule_that_drops_a_flow_blocks_it():
    live, tcp = Live(INSPECTED, ON_X), Tcp()
    assert live.marks(*tcp.open()) == [0, 0, 0]
    assert live.marks(tcp.say(b"an attack")) == [BLOCKED]


def test_inspected_flows_come_until_the_depth_is_reached():
    live, tcp = Live(INSPECTED, ON_X, inspecting(INLINE, depth=2000)), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"q" * 1000), tcp.say(b"a" * 1400, back=True)) == [0, 0]
    assert live.marks(tcp.say(b"a" * 1400, back=True)) == [SETTLED_REPLY]
    assert live.marks(tcp.say(b"q" * 900)) == [SETTLED_REPLY]
    assert live.marks(tcp.say(b"q" * 900)) == [SETTLED]


def test_a_direction_that_passes_unseen_does_not_spoil_the_other():
    live, tcp = Live(INSPECTED, ON_X, inspecting(INLINE, depth=2000)), Tcp()
    live.marks(*tcp.open(), tcp.say(b"a" * 1400, back=True), tcp.say(b"a" * 1400, back=True))
    for _ in range(200):
        tcp.say(b"a" * 60000, back=True)  # the kernel lets it pass
    result = live.send(tcp.say(b"more"))
    assert (result.decision.verdict, result.mark) == (Verdict.ACCEPT, SETTLED_REPLY)
    assert live.send(tcp.packet("R", back=True)).decision.verdict is Verdict.ACCEPT
    result = live.send(tcp.say(b"attack"))
    assert result.decision.verdict is Verdict.DROP


def test_beside_the_traffic_acknowledgements_are_needed():
    settings = dataclasses.replace(inspecting(INLINE, depth=100, inline=False), mode="detect")
    live, tcp = Live(INSPECTED, ON_X, settings), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"q" * 200), tcp.say(b"a", back=True)) == [0, 0]
    assert live.marks(tcp.say(b"a" * 200, back=True), tcp.say(b"q")) == [0, SETTLED]


def test_data_ahead_of_a_hole_does_not_settle_its_direction():
    live, tcp = Live(INSPECTED, ON_X, inspecting(INLINE, depth=1000)), Tcp()
    live.marks(*tcp.open())
    first = tcp.say(b"x" * 900)
    assert live.marks(tcp.say(b"y" * 500)) == [0]
    assert live.marks(first) == [SETTLED_ORIGINAL]


def test_directions_are_those_of_the_kernel():
    live, tcp = Live(INSPECTED, ON_X, inspecting(INLINE, depth=100)), Tcp()
    live.marks(*tcp.open())
    back = tcp.say(b"x" * 200, back=True)
    assert live.send(back, reply=0).mark == SETTLED_ORIGINAL  # conntrack saw the server first
    assert live.send(tcp.say(b"x"), reply=1).mark == SETTLED_ORIGINAL
    assert live.send(tcp.say(b"x"), reply=UNKNOWN).mark == SETTLED_REPLY


def test_a_pass_rule_ends_inspection():
    live, tcp = Live(INSPECTED, 'pass tcp any any -> any any (content:"fine"; sid:1;)'), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"fine")) == [SETTLED]


def test_the_keyword_bypass_and_the_action_settle():
    live, tcp = Live(INSPECTED, 'alert tcp any any -> any any (content:"big"; bypass; sid:1;)'), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"big")) == [SETTLED]
    rule = "firewall: {application: [{name: fast, action: bypass}]}"
    live = Live(one_policy(rule, "{mode: prevent}"), ON_X)
    assert live.marks(Tcp().packet("S")) == [SETTLED]


EVE = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("http", "dns"))),))
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_records_keep_a_parser_fed_and_only_as_long_as_there_is_one():
    live, tcp = Live(INSPECTED, "", EVE), Tcp()
    assert live.marks(*tcp.open(), tcp.say(GET)) == [0, 0, 0, 0]
    other = Tcp(port=9, client=41000)
    assert live.marks(*other.open(), other.say(b"\0\1\2\3" * 2000)) == [0, 0, 0, 0]
    assert live.marks(other.say(b"\0\1\2\3" * 2000, back=True)) == [SETTLED]
    flows_only = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("flow", "alert"))),))
    assert Live(INSPECTED, "", flows_only).marks(Tcp().packet("S")) == [SETTLED]


def test_application_control_waits_until_the_application_is_known():
    text = one_policy(inspection="{enabled: false, applications: {deny: [ssh]}}")
    live, tcp = Live(text), Tcp()
    assert live.marks(*tcp.open(), tcp.say(GET)) == [0, 0, 0, SETTLED]
    live, tcp = Live(text), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"SSH-2.0-OpenSSH_9\r\n")) in ([BLOCKED], [0])
    assert live.marks(tcp.say(b"SSH-2.0-OpenSSH_9\r\n", back=True)) == [BLOCKED]


def test_a_limit_of_half_open_connections_wants_to_see_them_established():
    live, tcp = Live(one_policy("stateful: {half_open: 1}")), Tcp()
    assert live.marks(*tcp.open()[:2]) == [0, 0]
    assert live.marks(tcp.say(b"x")) == [SETTLED]
    assert live.marks(Tcp(client=41000).packet("S")) == [0]
    assert live.send(Tcp(client=42000).packet("S")).decision.reason is Reason.LIMIT_HALF_OPEN


def test_a_schedule_and_untracked_protocols_want_every_packet():
    timed = "firewall: {application: [{name: t, action: allow, schedule: office}]}"
    office = "schedules: {office: {days: mon}}\n"
    assert Live(office + one_policy(timed)).marks(udp()) == [0]
    assert Live(office + one_policy(timed, action="deny")).marks(udp()) == [0]
    assert Live(one_policy("stateful: {tracked: [tcp]}")).marks(udp(), Tcp().packet("S")) == [0, SETTLED]


def test_what_a_limit_refuses_is_not_remembered():
    live = Live(one_policy("stateful: {connections: 1}"))
    assert live.marks(Tcp().packet("S"), Tcp(client=41000).packet("S")) == [SETTLED, 0]


def test_a_flow_that_carries_others_is_never_settled():
    inner = Ether(src="02:00:00:00:00:08", dst="02:00:00:00:00:09") / IP(src="1.1.1.1", dst="2.2.2.2") / UDP()
    vxlan = ends() / UDP(sport=4789, dport=4789) / Raw(b"\x08\0\0\0\0\0\1\0" + bytes(inner))
    broken = ends() / UDP(sport=4789, dport=4789) / Raw(b"\0")
    live = Live(PLAIN)
    assert live.marks(vxlan, broken, ends() / GRE() / IP(src="1.1.1.1", dst="2.2.2.2") / UDP()) == [0, 0, 0]
    anywhere = dataclasses.replace(INLINE, decode=DecodeSettings(teredo_ports=()))
    assert Live(PLAIN, settings=anywhere).marks(udp()) == [0]


def test_arp_and_errors_about_nothing_leave_no_mark():
    error = ends(back=True) / ICMP(type=3, code=3) / IP(src=A, dst=B) / UDP(sport=1, dport=2)
    assert Live(PLAIN).marks(Ether(src="52:54:00:00:00:01") / ARP(psrc=A, pdst=B), error) == [0, 0]


def test_an_error_says_what_holds_for_the_flow_it_is_about():
    live = Live(INSPECTED, ON_X, inspecting(INLINE, depth=100))
    tcp = Tcp()
    live.marks(*tcp.open(), tcp.say(b"x" * 200))
    about = IP(src=A, dst=B) / TCP(sport=40000, dport=80)
    assert live.marks(ends(back=True) / ICMP(type=3, code=4) / about) == [SETTLED_ORIGINAL]
    assert live.marks(ends(back=True) / ICMP(type=11, code=0) / about) == [SETTLED_ORIGINAL]


def test_a_tagged_connection_is_seen_on():
    rule = 'alert tcp any any -> any any (content:"t"; bypass; tag:session,5,packets; sid:1;)'
    live, tcp = Live(INSPECTED, rule), Tcp()
    live.marks(*tcp.open())
    assert live.marks(tcp.say(b"t")) == [0]


def test_ftp_is_followed_where_a_firewall_lets_its_data_in():
    settings = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("flow", "ftp"))),))
    live = Live(PLAIN, settings=settings)
    assert live.marks(Tcp(port=21).packet("S"), Tcp(port=22).packet("S")) == [0, SETTLED]


@pytest.mark.parametrize(("options", "bits"), [({"encryption-handling": "bypass"}, SETTLED), ({}, 0)])
def test_encrypted_connections_pass_where_the_settings_say_so(options, bits, monkeypatch):
    def done(self, direction, chunk):
        self.bypass = True

    monkeypatch.setattr(tls.TlsParser, "data", done)
    settings = dataclasses.replace(EVE, app=AppSettings(protocols={"tls": options}))
    live, tcp = Live(INSPECTED, ON_X, settings), Tcp(port=443)
    live.marks(*tcp.open())
    hello = b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + bytes(42)
    result = live.send(tcp.say(hello))
    assert result.flow.app_proto == "tls"
    assert (result.mark, bool(result.flow.flags & F_BYPASS)) == (bits, bits == SETTLED)


def entry(tcp=None, packets=(10, 20), octets=(1000, 20000), **fields):
    ports = (40000, 80)
    return KernelEntry(6, (ip(A), ip(B)), ports, packets, octets, **fields)


def test_the_end_comes_from_the_kernel_with_its_totals():
    live = Live(one_policy("stateful: {connections: 1}"))
    live.send(Tcp().packet("S"))
    assert live.engine.tick(live.now + 3600 * SECOND) == []
    assert live.send(Tcp(client=41000).packet("S")).decision.reason is Reason.LIMIT_CONNECTIONS
    (event,) = [e for e in live.engine.kernel_ended(entry(), live.now) if isinstance(e, FlowEvent)]
    flow = event.flow
    assert (flow.pkts_ts, flow.pkts_tc) == (10, 20)
    assert (flow.bytes_ts, flow.bytes_tc) == (1000 + 140, 20000 + 280)
    assert live.engine.kernel_ended(entry(), live.now) == []
    assert live.send(Tcp(client=42000).packet("S")).decision.verdict is Verdict.ACCEPT


def test_totals_of_the_kernel_are_turned_where_its_directions_are_others():
    live = Live(PLAIN)
    live.send(Tcp().packet("S"))
    back = KernelEntry(6, (ip(B), ip(A)), (80, 40000), (20, 10), (20000, 1000))
    flow = live.engine.kernel_ended(back, live.now)[-1].flow
    assert (flow.pkts_ts, flow.pkts_tc) == (10, 20)


def test_an_end_told_late_is_not_that_of_the_next_connection():
    live = Live(PLAIN)
    live.send(Tcp().packet("S"))
    live.now += 100 * SECOND
    first = live.table.flows()[0]
    live.send(Tcp(isn=77777).packet("S"))  # the kernel knows nothing of it: it is another connection
    assert first.end_reason == "forced"
    assert live.engine.kernel_ended(entry(started=first.first), live.now) == []
    assert len(live.engine.kernel_ended(entry(started=live.now), live.now)) == 1


def test_settled_flows_give_way_in_a_full_table_and_end_at_last():
    flow = dataclasses.replace(INLINE.flow, max_flows=2, settled=100 * SECOND)
    live = Live(PLAIN, settings=dataclasses.replace(INLINE, flow=flow))
    live.marks(*[Tcp(client=40000 + n).packet("S") for n in range(3)])
    assert (len(live.table), live.table.counters["evicted_settled"]) == (2, 1)
    live.engine.tick(live.now + 101 * SECOND)
    assert len(live.table) == 0
