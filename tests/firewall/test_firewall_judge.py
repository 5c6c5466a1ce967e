"""The firewall's state: both ends, replies, epochs, relations, limits, scans."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "policy"))
from firewall_tools import INV, OUT, SECOND, A, B, world
from hypothesis import given
from hypothesis import strategies as st
from policy_helpers import ACK, World, inventory

from appliance.config.settings import Settings
from appliance.firewall.bound import NO_POLICIES, BoundPolicies
from appliance.firewall.explain import explain
from appliance.firewall.firewall import Firewall
from appliance.model.flow import F_DROPPED, F_REJECTED
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import Reason, Verdict

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
