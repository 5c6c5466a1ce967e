"""Rules for frames that are not IP: what the kernel is told is what the firewall's tables say."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from kernel_helpers import bound, inventory, vm

from appliance.firewall.bound import plain_policy
from appliance.firewall.build import build_table
from appliance.firewall.end import End
from appliance.firewall.ends import judge_end
from appliance.firewall.rule import BOTH, IN, OUT, Action, Endpoint, FlagTest, Macs, Ports, Rule, Values
from appliance.firewall.schedule import MINUTE, Schedule, week_windows
from appliance.firewall.subject import of_packet
from appliance.kernel.frames import decide, frame_rules, named_frames, render
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.model.packet import Packet
from appliance.model.verdict import Verdict

MACS = [bytes([2, 0, 0, 0, 0, n]) for n in range(3)] + [b"\xff" * 6]
FRAMES = [0x0806, 0x8035, 0x88CC, 0x0800, 0x86DD]
NIGHT = Schedule("night", week_windows([0, 6], 1320, 360), UTC)
NOT_IP = st.sampled_from([0x0806, 0x8035, 0x88CC, 0x88E5])


def some(values):
    return st.frozensets(st.sampled_from(values), max_size=3)


def maybe(strategy):
    return st.none() | st.none() | strategy


values = st.builds(Values, some(FRAMES), st.booleans())
endpoint = st.builds(
    Endpoint,
    st.sampled_from([(), (Prefix(4, 0, 255),), (Prefix(6, 0, 5),)]),
    some([0, 1, 2]),
    st.booleans(),
)
rule = st.builds(
    Rule,
    st.just("r"),
    st.just("p"),
    st.just("default"),
    st.sampled_from(list(Action)),
    st.sampled_from([IN, OUT, BOTH]),
    maybe(values),
    maybe(st.builds(Values, some([6, 17]), st.booleans())),
    maybe(endpoint),
    maybe(endpoint),
    maybe(st.builds(Ports, st.just(((0, 5),)), st.booleans())),
    maybe(st.builds(Ports, st.just(((80, 90),)), st.booleans())),
    maybe(st.builds(Macs, some(MACS), st.booleans())),
    maybe(st.builds(Macs, some(MACS), st.booleans())),
    maybe(st.just(FlagTest(2, 2))),
    maybe(st.just(((8, 0, 255),))),
    st.booleans(),
    maybe(st.just(NIGHT)),
)


def policy_of(rules, default, own):
    interface = VmInterface(own, Vm("u", "vm"), "eth0", MACS[0]) if own >= 0 else None
    plain = plain_policy("p", default)
    return replace(
        plain,
        inbound=build_table(rules, IN),
        outbound=build_table(rules, OUT),
        interface=interface,
    )


@given(
    st.lists(rule, max_size=8),
    st.sampled_from([Verdict.ACCEPT, Verdict.DROP, Verdict.REJECT]),
    st.sampled_from([IN, OUT]),
    st.integers(-1, 2),
    st.integers(-1, 2),
    NOT_IP,
    st.sampled_from(MACS),
    st.sampled_from(MACS),
    st.integers(0, 20_000).map(lambda minute: minute * MINUTE),
)
def test_says_what_the_rule_table_says(rules, default, direction, own, peer, frame, source, target, now):
    policy = policy_of(rules, default, own)
    packet = Packet(b"", 1, 0, 1)
    packet.ethertype, packet.eth_src, packet.eth_dst = frame, source, target
    ends = (own, peer) if direction == OUT else (peer, own)
    judged = judge_end(End(policy, direction), of_packet(packet, *ends), now)
    told = decide(frame_rules(policy, direction, now), frame, source, target, peer)
    assert told == (judged.verdict <= Verdict.ACCEPT)


POLICY = """
policies:
  - name: p
    default_action: deny
    firewall:
      emergency:
        - {name: lldp, action: deny, frame: 0x88cc, direction: in}
      infrastructure:
        - {name: arp, action: allow, frame: [arp, rarp]}
        - {name: ip, action: allow}
        - {name: peers, action: allow, frame: any, direction: out, destination: {vm: b}}
        - {name: not-b, action: deny, frame: {not: 0x4321}, direction: in, source_mac: "02:00:00:00:00:08"}
        - {name: any, action: deny, frame: any, direction: in, source: {not: {vm: b}}}
        - {name: rest, action: allow, frame: 0x1234, source_mac: {not: "02:00:00:00:00:09"}}
default: p
"""


def test_rendering():
    inv = inventory(vm(1, "a"), vm(2, "b"))
    policy = bound(POLICY, inv).policies[0]
    peers = {0: frozenset({("tap1", -1)}), 1: frozenset({("tap2", -1), ("trunk", 7)})}
    assert render(frame_rules(policy, OUT, 0), OUT, peers, "bad") == (
        "meta protocol { 0x0806, 0x8035 } return",
        'oifname { "tap2" } return',
        'oifname . vlan id { "trunk" . 7 } return',
        "meta protocol { 0x1234 } ether saddr != { 02:00:00:00:00:09 } return",
        "meta protocol { 0x8035 } return",
        "goto bad",
    )
    assert render(frame_rules(policy, IN, 0), IN, peers, "bad") == (
        "meta protocol { 0x88cc } goto bad",
        "meta protocol { 0x0806, 0x8035 } return",
        "meta protocol != { 0x4321 } ether saddr { 02:00:00:00:00:08 } goto bad",
        'ether type != 8021q iifname != { "tap2" } goto bad',
        'iifname . vlan id != { "trunk" . 7 } iifname != { "tap2" } goto bad',
        "meta protocol { 0x1234 } ether saddr != { 02:00:00:00:00:09 } return",
        "goto bad",
    )
    assert named_frames(policy) == {0x0806, 0x8035, 0x88CC, 0x1234}
