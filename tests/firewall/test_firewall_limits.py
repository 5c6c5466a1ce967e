"""Limits on connections, scans and probes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "policy"))
from firewall_tools import OUT, SECOND, A, B, world
from policy_helpers import ACK, SYN

from appliance.firewall.bound import BoundPolicies
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import Reason, Verdict


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
