"""Live flows and counters of interfaces, as people see them."""

from __future__ import annotations

import dataclasses
import json

from live_helpers import INLINE, SECOND, UUID_A, UUID_B, A, B, Live, Tcp, ends, one_policy, udp
from scapy.layers.inet import UDP, fragment
from scapy.packet import Raw

from appliance.engine.ended import KernelEntry
from appliance.model.verdict import Reason, Verdict


def test_flows_are_listed_newest_first_as_plain_values():
    live = Live(one_policy())
    live.send(Tcp().packet("S"), zone=3)
    live.send(udp())
    first, second = live.engine.flows(10)
    assert (first["proto"], second["proto"]) == (17, 6)
    assert second == json.loads(json.dumps(second))
    assert {
        "client": A, "client_port": 40000, "server": B, "server_port": 80, "zone": 3, "client_vm": "a/eth0",
        "server_vm": "b/eth0", "state": "syn_sent", "verdict": "accept", "rule": "p/default_action",
        "settled": "both", "packets": [1, 0],
    }.items() <= second.items()  # fmt: skip
    assert [one["proto"] for one in live.engine.flows(1)] == [17]
    assert live.engine.flows(0) == []


def test_flows_of_one_vm():
    live = Live(one_policy(action="deny"))
    live.send(udp())
    live.send(udp(port=5001), target=None)
    assert len(live.engine.flows(10, (UUID_A, "eth0"))) == 2
    (one,) = live.engine.flows(10, (UUID_B, ""))
    assert (one["verdict"], one["rule"], one["settled"]) == ("drop", "p/default_action", "blocked")
    assert live.engine.flows(10, (UUID_B, "eth7")) == []


def test_counters_of_interfaces_tell_what_passed_and_what_did_not_and_why():
    live = Live(one_policy("firewall: {application: [{name: no, action: deny, protocol: udp}]}"))
    tcp = Tcp().packet("S")
    live.send(tcp)
    live.send(udp())
    live.send(udp())
    found = live.engine.interface_counters()
    a, b = found[f"{UUID_A}/eth0"], found[f"{UUID_B}/eth0"]
    assert (a["packets_out"], b["packets_in"], b["bytes_in"]) == (3, 1, len(tcp))
    assert a["dropped_out"] == b["dropped_in"] == {"firewall": 1, "flow_denied": 1}
    entry = KernelEntry(6, (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])), (40000, 80), (5, 4), (500, 400))
    live.engine.kernel_ended(entry, live.now + SECOND)
    found = live.engine.interface_counters()
    assert found[f"{UUID_A}/eth0"]["packets_in"] == 4
    assert found[f"{UUID_B}/eth0"]["packets_in"] == 5


def test_a_fragment_does_not_pass_unjudged_where_none_is_expected():
    pieces = fragment(ends() / UDP() / Raw(b"x" * 100), fragsize=64)
    drop = dataclasses.replace(INLINE, defrag=dataclasses.replace(INLINE.defrag, unjudged="drop"))
    for settings, reason in ((drop, Reason.FRAGMENT_UNJUDGED), (INLINE, Reason.NONE)):
        live = Live(one_policy(), settings=settings)
        assert [live.send(piece).decision.reason for piece in pieces] == [reason] * len(pieces)
    assert Live(settings=drop).send(pieces[0]).decision.verdict is Verdict.DROP
