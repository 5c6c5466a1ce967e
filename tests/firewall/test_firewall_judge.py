"""The firewall's state: both ends, replies, epochs, relations, limits, scans."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "policy"))
from policy_helpers import ACK, SYN, World, inventory

from appliance.config.settings import Settings
from appliance.firewall.bound import NO_POLICIES, BoundPolicies
from appliance.firewall.explain import explain
from appliance.firewall.firewall import Firewall
from appliance.model.flow import F_DROPPED, F_REJECTED
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import Reason, Verdict

SECOND = 1_000_000_000
A, B, OUT = "10.0.0.1", "10.0.0.2", "192.0.2.9"
INV = inventory(("a", [A], ("client",), "lan"), ("b", [B], ("server",), "lan"))

BOTH = """
policies:
  - name: a
    firewall:
      application:
        - {name: out, action: allow, direction: out, protocol: tcp, destination_port: [80, 443]}
        - {name: any-udp, action: allow, protocol: udp}
        - {name: fast, action: bypass, direction: out, protocol: tcp, destination_port: 81}
  - name: b
    firewall:
      emergency:
        - {name: bad, action: deny, direction: in, protocol: tcp, destination_port: 6666}
      application:
        - {name: web, action: allow, direction: in, protocol: tcp, destination_port: [80, 81], log: true}
        - {name: seen, action: log, direction: in, protocol: udp}
        - {name: no, action: reject, direction: in, protocol: tcp, destination_port: 443}
bindings: [{name: a, policy: a}, {name: b, policy: b}]
"""


@pytest.fixture
def both():
    return World(BOTH, INV)


def test_nothing_is_asked_without_policies():
    packet = Packet(b"", 1, 0, 1)
    judgement = Firewall(NO_POLICIES, Settings()).judge(packet, None, 0)
    assert judgement.verdict is Verdict.ACCEPT
    assert not judgement.bypass


@pytest.mark.parametrize(
    ("src", "dst", "fields", "verdict", "by"),
    [
        (A, B, {"dport": 80}, "ACCEPT", "a/application/out"),
        (A, B, {"dport": 443}, "REJECT", "b/application/no"),
        (A, B, {"dport": 22}, "DROP", "a/default_action"),
        (A, B, {"proto": 17, "dport": 5}, "DROP", "b/default_action"),
        (A, OUT, {"dport": 443}, "ACCEPT", "a/application/out"),
        (A, OUT, {"dport": 81}, "BYPASS", "a/application/fast"),
        (A, B, {"dport": 81}, "ACCEPT", "b/application/web"),  # one end wants it inspected
        (OUT, B, {"dport": 80}, "ACCEPT", "b/application/web"),
        (B, A, {"dport": 80}, "DROP", "b/default_action"),
        (OUT, "192.0.2.1", {}, "ACCEPT", "unknown/default_action"),
    ],
)
def test_the_stricter_end_wins(both, src, dst, fields, verdict, by):
    judgement, flow, _ = both.open(src, dst, **fields)
    assert (judgement.verdict.name, judgement.by) == (verdict, by)
    assert (judgement.reason is Reason.NONE) == (judgement.verdict <= Verdict.ACCEPT)
    assert bool(flow.flags & F_DROPPED) == (judgement.verdict > Verdict.ACCEPT)
    assert bool(flow.flags & F_REJECTED) == (judgement.verdict == Verdict.REJECT)


def test_records_are_asked_for(both):
    assert both.open(A, B, dport=80)[0].log
    seen = both.open(OUT, B, proto=17)[0]
    assert seen.log
    assert seen.logged == ("b/application/seen",)
    assert not both.open(A, OUT, dport=80)[0].log


def test_replies_follow_the_flow(both):
    judgement, flow, packet = both.open(A, B, dport=80)
    assert len(judgement.ends) == 2
    assert both.firewall.judge(both.reply(packet), flow, 1).verdict is Verdict.ACCEPT
    alone = both.reply(packet)
    assert both.firewall.judge(alone, both.flow(alone), 1).verdict is Verdict.DROP


def test_a_denied_flow_stays_denied_until_policies_change(both):
    _, flow, packet = both.open(A, B, dport=443)
    again = both.firewall.judge(packet, flow, 1)
    assert (again.verdict, again.reason) == (Verdict.DROP, Reason.FLOW_DENIED)
    assert flow.action_by == "b/application/no"
    assert not both.firewall.stale(flow, 1)
    newer = World(BOTH.replace("action: reject", "action: allow"), INV, epoch=2)
    both.firewall.replace(newer.bound)
    assert both.firewall.stale(flow, 1)
    assert both.firewall.judge(both.reply(packet), flow, 2).verdict is Verdict.ACCEPT
    assert not flow.flags & (F_DROPPED | F_REJECTED)


def test_a_live_connection_is_judged_by_new_policies(both):
    _, flow, packet = both.open(A, B, dport=80)
    newer = World(BOTH.replace("[80, 81]", "[81]"), INV, epoch=2)
    both.firewall.replace(newer.bound)
    judgement = both.firewall.judge(both.reply(packet, tcp_flags=ACK), flow, 2)
    assert (judgement.verdict, judgement.by) == (Verdict.DROP, "b/default_action")
    assert flow.flags & F_DROPPED


def test_what_inspection_dropped_stays_dropped_under_new_policies(both):
    _, flow, packet = both.open(A, B, dport=80)
    flow.flags |= F_DROPPED
    flow.action_by = "rule 1:1"
    both.firewall.replace(World(BOTH, INV, epoch=2).bound)
    for _ in range(2):
        judgement = both.firewall.judge(packet, flow, 1)
        assert (judgement.verdict, judgement.reason) == (Verdict.DROP, Reason.FLOW_DENIED)
        assert judgement.by == "rule 1:1"


def test_policies_follow_an_interface_into_a_new_inventory(both):
    _, flow, packet = both.open(A, B, dport=80)
    other = inventory(("a", [A], (), "lan"), ("b", [B], (), "lan"))
    newer = World(BOTH.replace("[80, 81]", "[81]"), other, epoch=2)
    reordered = BoundPolicies(tuple(newer.bound.policies[::-1]), newer.bound.unknown, 2)
    assert reordered.policy_of(flow.client_if).name == "a"
    both.firewall.replace(newer.bound)
    assert both.firewall.judge(packet, flow, 1).by == "b/default_action"


def test_arp_is_judged_alone(both):
    judgement, _, _ = both.open(src_if=INV.interfaces[0])
    assert judgement.verdict is Verdict.DROP
    assert [end.direction for end in judgement.ends] == ["out"]


def test_related_flows_and_emergency(both):
    _, parent, _ = both.open(A, B, dport=80)
    for port, verdict in ((5000, Verdict.ACCEPT), (6666, Verdict.DROP)):
        packet = both.packet(OUT, B, dport=port)
        child = both.flow(packet)
        child.parent = parent
        assert both.firewall.judge(packet, child, 0).verdict is verdict
    _, denied, _ = both.open(A, B, dport=22)
    orphan = both.flow(both.packet(OUT, B, dport=5000))
    orphan.parent = denied
    assert both.firewall.judge(both.packet(OUT, B, dport=5000), orphan, 0).verdict is Verdict.DROP


def test_a_loop_of_parents_ends(both):
    packet = both.packet(OUT, B, dport=5000)
    one = both.flow(packet)
    one.parent = one
    both.firewall.judge(packet, one, 0)
    both.firewall.replace(World(BOTH, INV, epoch=2).bound)
    assert both.firewall.judge(packet, one, 0).verdict is Verdict.DROP


def test_icmp_errors_share_the_fate_of_their_flow(both):
    _, flow, _ = both.open(A, B, dport=80)
    error = both.packet(B, A, proto=1, icmp_type=3, icmp_code=4)
    assert both.firewall.judge(error, flow, 0).verdict is Verdict.ACCEPT
    assert both.verdict(B, A, proto=1, icmp_type=3, icmp_code=4) == "DROP"
    _, flow, _ = both.open(A, B, dport=22)
    assert both.firewall.judge(error, flow, 0).verdict is Verdict.DROP


ONE = """
policies:
  - name: p
    default_action: allow
    %s
default: p
unknown: deny
"""


def world(part):
    return World(ONE % part, INV)


def test_unknown_ends_are_denied_but_not_inside_tunnels():
    one = world("description: x")
    judgement, _, _ = one.open(OUT, "192.0.2.1")
    assert judgement.reason is Reason.UNKNOWN_INTERFACE
    inner = one.packet(OUT, "192.0.2.1")
    inner.outer = inner
    assert one.firewall.judge(inner, one.flow(inner), 0).verdict is Verdict.ACCEPT


def test_strict_wants_the_syn():
    one = world("stateful: {strict: true}")
    judgement, flow, packet = one.open(OUT, B, flags=ACK)
    assert judgement.reason is Reason.STATE_INVALID
    assert not flow.flags & F_DROPPED
    flow.tcp = TcpSession()
    flow.tcp.state = TcpState.ESTABLISHED  # it came from another host with its state
    assert one.firewall.judge(packet, flow, 0).verdict is Verdict.ACCEPT
    assert world("description: x").verdict(OUT, B, flags=ACK) == "ACCEPT"


def test_untracked_protocols_are_judged_packet_by_packet():
    text = """
policies:
  - name: p
    stateful: {tracked: [tcp]}
    firewall:
      application:
        - {name: ask, action: allow, direction: in, protocol: [udp, tcp], destination_port: 53}
default: p
"""
    one = World(text, INV)
    for proto, reply in ((17, Verdict.DROP), (6, Verdict.ACCEPT)):
        judgement, flow, packet = one.open(OUT, B, proto=proto, dport=53)
        assert judgement.verdict is Verdict.ACCEPT
        assert one.firewall.judge(one.reply(packet), flow, 0).verdict is reply
        assert one.firewall.judge(packet, flow, 0).verdict is Verdict.ACCEPT


def test_schedules_are_asked_each_minute():
    text = """
schedules: {day: {days: thu, hours: "00:00-00:01"}}
policies:
  - name: p
    firewall: {application: [{name: x, action: allow, protocol: tcp, schedule: day}]}
default: p
"""
    one = World(text, INV)  # the epoch began on a Thursday
    judgement, flow, packet = one.open(OUT, B)
    assert judgement.verdict is Verdict.ACCEPT
    assert one.firewall.judge(packet, flow, 59 * SECOND).verdict is Verdict.ACCEPT
    assert one.firewall.judge(packet, flow, 60 * SECOND).verdict is Verdict.DROP
    inverted = World(text.replace("schedule: day", "schedule: {not: day}"), INV)
    assert inverted.verdict(OUT, B) == "DROP"
    assert inverted.verdict(OUT, B, now=60 * SECOND) == "ACCEPT"


def reasons(one, count, now=0, **fields):
    found = []
    for n in range(count):
        judgement, flow, packet = one.open(OUT, B, sport=1000 + n, now=now, **fields)
        found.append((judgement.reason, flow, packet))
    return found


def test_connection_limit_counts_down_when_flows_end():
    one = world("stateful: {connections: 3}")
    found = reasons(one, 4)
    assert [r for r, _, _ in found] == [Reason.NONE] * 3 + [Reason.LIMIT_CONNECTIONS]
    one.firewall.flow_ended(found[0][1])
    one.firewall.flow_ended(found[0][1])
    refused = found[3]
    assert one.firewall.judge(refused[2], refused[1], 0).verdict is Verdict.ACCEPT
    assert one.firewall.tallies.of(1).connections == 3


def test_half_open_limit_ends_with_the_handshake():
    one = world("stateful: {half_open: 2}")
    found = reasons(one, 3)
    assert found[2][0] is Reason.LIMIT_HALF_OPEN
    one.firewall.flow_established(found[0][1])
    one.firewall.flow_established(found[0][1])
    assert one.firewall.tallies.of(1).half_open == 1
    second = found[1][1]
    second.tcp = TcpSession()
    second.tcp.state = TcpState.ESTABLISHED
    one.firewall.judge(found[1][2], second, 1)  # noticed by itself
    assert one.firewall.tallies.of(1).half_open == 0


def test_syn_rate_is_a_token_bucket():
    one = world("stateful: {syn_rate: 2, syn_burst: 3}")
    assert [r for r, _, _ in reasons(one, 4)] == [Reason.NONE] * 3 + [Reason.LIMIT_SYN_RATE]
    assert [r for r, _, _ in reasons(one, 3, SECOND)] == [Reason.NONE] * 2 + [Reason.LIMIT_SYN_RATE]
    assert [r for r, _, _ in reasons(one, 4, 99 * SECOND)][2:] == [Reason.NONE, Reason.LIMIT_SYN_RATE]


def test_counts_survive_new_policies():
    one = world("stateful: {connections: 3}")
    found = reasons(one, 3)
    one.firewall.replace(replace_epoch(one.bound, 2))
    for _, flow, packet in found:
        one.firewall.judge(packet, flow, 0)
    assert one.firewall.tallies.of(1).connections == 3
    for _, flow, _ in found:
        one.firewall.flow_ended(flow)
    assert one.firewall.tallies.of(1).connections == 0


def replace_epoch(bound, epoch):
    return BoundPolicies(tuple(replace(one) for one in bound.policies), bound.unknown, epoch)


def test_port_sweep_blocks_for_a_while():
    one = world("scan_detection: {port_sweep: {threshold: 5, window: 10s, action: block, block: 60s}}")
    found = [one.open(OUT, B, dport=port, now=port)[0] for port in range(1, 8)]
    assert [j.verdict.name for j in found] == ["ACCEPT"] * 4 + ["DROP"] * 3
    assert {j.reason for j in found[4:]} == {Reason.SCAN_BLOCK}
    notices = [n for j in found for n in j.notices]
    assert [n.name for n in notices] == ["scan.port_sweep"]
    assert notices[0].details == {"interface": "b/eth0", "policy": "p", "blocked": True}
    assert one.verdict(OUT, A, dport=1, now=8) == "ACCEPT"  # another interface
    assert one.verdict("192.0.2.10", B, dport=1, now=8) == "ACCEPT"  # another source
    assert one.verdict(OUT, B, dport=80, now=59 * SECOND) == "DROP"
    assert one.verdict(OUT, B, dport=80, now=61 * SECOND) == "ACCEPT"


def test_a_block_stops_flows_that_are_open():
    one = world("scan_detection: {xmas: {action: block}}")
    _, flow, packet = one.open(OUT, B)
    assert one.verdict(OUT, B, flags=0x29, sport=9) == "DROP"
    assert one.firewall.judge(packet, flow, 1).reason is Reason.SCAN_BLOCK


def test_slow_and_repeated_connections_are_no_sweep():
    one = world("scan_detection: {port_sweep: {threshold: 3, window: 10s, action: deny}}")
    for n in range(20):
        assert one.verdict(OUT, B, dport=n + 1, now=n * 6 * SECOND) == "ACCEPT"
        assert one.verdict(OUT, B, dport=1, sport=n, now=999 * SECOND) == "ACCEPT"


def test_host_sweep_out_and_exemption():
    text = "scan_detection: {host_sweep: {threshold: 4, action: deny}, exempt: [%s]}"
    for exempt, last in (("10.0.0.9", "DROP"), ("10.0.0.0/24", "ACCEPT")):
        one = world(text % exempt)
        verdicts = [one.verdict(A, f"192.0.2.{n}", dport=445) for n in range(1, 5)]
        assert verdicts == ["ACCEPT"] * 3 + [last]
        assert one.verdict(A, "192.0.2.77", dport=80) == "ACCEPT"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("null", {"flags": 0}),
        ("fin", {"flags": 1}),
        ("xmas", {"flags": 0x29}),
        ("syn_fin", {"flags": 3}),
        ("os_fingerprint", {"flags": 0x2B}),
        ("os_fingerprint", {"flags": 0xC2, "urgent": 0xF7F5}),
        ("os_fingerprint", {"proto": 1, "icmp_type": 8, "icmp_code": 9}),
        ("os_fingerprint", {"proto": 17, "frame": b"C" * 300, "payload_len": 300}),
    ],
)
def test_probes(kind, fields):
    one = world(f"scan_detection: {{{kind}: {{action: deny}}}}")
    judgement, _, _ = one.open(OUT, B, **fields)
    assert judgement.reason is Reason.SCAN_BLOCK
    assert judgement.by == f"p/scan_detection/{kind}"
    assert [n.name for n in judgement.notices] == [f"scan.{kind}"]
    assert not one.open(OUT, B, **fields)[0].notices  # reported once
    noticed = world(f"scan_detection: {{{kind}: {{action: notice}}}}").open(OUT, B, **fields)[0]
    assert noticed.verdict is Verdict.ACCEPT
    assert noticed.notices


@pytest.mark.parametrize("flags", [SYN, 0xC2, ACK, 0x11, 0x18, 0x04, 0x14])
def test_ordinary_packets_are_no_probes(flags):
    one = world("scan_detection: {null: {}, fin: {}, xmas: {}, syn_fin: {}, os_fingerprint: {}}")
    assert not one.open(OUT, B, flags=flags)[0].notices


def test_scan_tables_are_bounded():
    one = world("scan_detection: {port_sweep: {threshold: 9}, xmas: {action: block}}")
    guard = one.firewall.guard
    guard.sweeps.max_sources = guard.blocks.max_blocks = 50
    for n in range(200):
        one.open(f"192.0.2.{n}", B)
        one.open(f"192.0.2.{n}", B, flags=0x29, sport=7)
    assert len(guard.sweeps) == len(guard.blocks) == 50
    assert guard.sweeps.evicted >= 150
    assert guard.blocks.evicted == 150


def test_explain_names_both_ends_and_changes_nothing(both):
    packet = both.packet(A, B, dport=443)
    flow = both.flow(packet)
    lines = explain(both.firewall, packet, flow, 0)
    assert lines == [
        "firewall: a/eth0 out: policy a, section application, rule out: accept",
        "firewall: b/eth0 in: policy b, section application, rule no: reject",
        "firewall: reject (firewall) by b/application/no",
    ]
    assert flow.judged is None
    assert both.firewall.judge(packet, flow, 0).by == "b/application/no"
    assert "of epoch 1 holds" in explain(both.firewall, packet, flow, 0)[0]
    assert explain(Firewall(NO_POLICIES, Settings()), packet, None, 0)


@given(st.data())
def test_nothing_raises(data):
    one = World(BOTH.replace("name: a\n", "name: a\n    scan_detection: {null: {}, port_sweep: {}}\n"), INV)
    byte = st.integers(0, 255)
    for _ in range(4):
        packet = one.packet(A, B, proto=data.draw(st.sampled_from([1, 6, 17, 47, 58, 132, 255])))
        packet.src = data.draw(st.sampled_from([packet.src, b"", bytes(16)]))
        packet.ip_version = data.draw(st.sampled_from([0, 4, 6]))
        packet.sport, packet.dport = data.draw(st.integers(0, 65535)), data.draw(st.integers(0, 65535))
        packet.tcp_flags, packet.icmp_type, packet.icmp_code = (
            data.draw(byte),
            data.draw(byte),
            data.draw(byte),
        )
        packet.direction, packet.frag_off = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 9))
        packet.payload_len, now = (
            data.draw(st.sampled_from([0, 300])),
            data.draw(st.integers(-(2**62), 2**62)),
        )
        flow = data.draw(st.sampled_from([None, one.flow(packet)]))
        explain(one.firewall, packet, flow, now)
        for _ in range(2):
            assert one.firewall.judge(packet, flow, now).verdict in Verdict
        if flow is not None:
            one.firewall.flow_established(flow)
            one.firewall.flow_ended(flow)
