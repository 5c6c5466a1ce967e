"""What becomes of packets that the engine cannot follow: full tables, fragments, parsers that give up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from appliance.config.load import LoadOptions, load_settings
from appliance.config.settings import DefragSettings, FlowSettings, Settings, StreamSettings
from appliance.daemon.assemble import Inputs, read_documents
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine
from appliance.model.verdict import Reason, Verdict

ETHERNET = 1
NOW = 1_700_000_000_000_000_000
LINK = Ether(src="52:54:00:00:00:01", dst="52:54:00:00:00:02")
VMS = """vms:
  - name: a
    uuid: 5b0c5f2e-8f0e-4f6e-9d53-1f2a3b4c5d6e
    interfaces: [{name: eth0, mac: "52:54:00:00:00:01"}, {name: eth1, mac: "52:54:00:00:00:02"}]
"""
ALLOW = """policies:
  - {name: p, default_action: allow, inspection: {mode: MODE}}
default: p
unknown: p
"""


def engine(settings: Settings, folder: Path | None = None, policy: str = "") -> Engine:
    """Make an engine, with a policy for both ends when there is a folder to write it to."""
    if folder is None:
        return Engine(build_pipeline(settings))
    (folder / "p.yaml").write_text(ALLOW.replace("MODE", policy))
    (folder / "vms.yaml").write_text(VMS)
    found = read_documents(Inputs(LoadOptions(), (folder / "p.yaml",), folder / "vms.yaml"))
    assert found.errors == []
    return Engine(build_pipeline(settings, inventory=found.inventory, bound=found.bound))


def send(machine: Engine, *packets) -> list[tuple[Verdict, Reason]]:
    found = []
    for number, packet in enumerate(packets):
        decision = machine.process(bytes(packet), ETHERNET, NOW + number, number + 1).decision
        found.append((decision.verdict, decision.reason))
    return found


PIECES = fragment(LINK / IP(src="10.0.0.1", dst="10.0.0.2", id=7) / UDP() / Raw(b"x" * 100), fragsize=24)
FEW = DefragSettings(max_fragments=2)


@pytest.mark.parametrize(
    ("mode", "policy", "last"),
    [
        ("prevent", "drop-packet", (Verdict.DROP, Reason.FRAGMENT_LIMIT)),
        ("prevent", "reject", (Verdict.REJECT, Reason.FRAGMENT_LIMIT)),
        ("prevent", "ignore", (Verdict.ACCEPT, Reason.NONE)),
        ("detect", "drop-packet", (Verdict.ACCEPT, Reason.NONE)),
    ],
)
def test_a_fragment_over_the_limit_meets_the_setting(mode, policy, last):
    machine = engine(Settings(mode=mode, defrag=dataclasses.replace(FEW, memcap_policy=policy)))
    found = send(machine, *PIECES[:3])
    assert found == [(Verdict.ACCEPT, Reason.NONE)] * 2 + [last]


def test_with_policies_no_fragment_passes_by_the_datagram(tmp_path):
    machine = engine(Settings(defrag=FEW), tmp_path, "detect")
    assert send(machine, *PIECES[:3])[2] == (Verdict.DROP, Reason.FRAGMENT_LIMIT)


def test_with_policies_a_fragment_beyond_the_largest_datagram_is_dropped(tmp_path):
    beyond = LINK / IP(src="10.0.0.1", dst="10.0.0.2", frag=8189, proto=17) / Raw(b"x" * 100)
    assert send(engine(Settings(), tmp_path, "detect"), beyond) == [(Verdict.DROP, Reason.FRAGMENT_INVALID)]
    assert send(engine(Settings(), None), beyond) == [(Verdict.ACCEPT, Reason.NONE)]


def syn(port: int):
    return LINK / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=port, dport=80, flags="S")


def talking(port: int) -> list:
    """Open a connection that the table may not evict for another."""
    there = LINK / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=port, dport=80, flags="A", seq=1, ack=1)
    back = LINK / IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=port, flags="SA", ack=1)
    return [syn(port), back, there]


@pytest.mark.parametrize(
    ("mode", "policy", "last"),
    [
        ("prevent", "drop-packet", (Verdict.DROP, Reason.FLOW_TABLE_FULL)),
        ("prevent", "ignore", (Verdict.ACCEPT, Reason.NONE)),
        ("detect", "drop-packet", (Verdict.ACCEPT, Reason.NONE)),
    ],
)
def test_a_full_flow_table_meets_the_setting(mode, policy, last):
    machine = engine(Settings(mode=mode, flow=FlowSettings(max_flows=1, memcap_policy=policy)))
    assert send(machine, *talking(1000), syn(1001))[-1] == last


def test_with_policies_a_full_flow_table_fails_closed(tmp_path):
    machine = engine(Settings(flow=FlowSettings(max_flows=1)), tmp_path, "detect")
    assert send(machine, *talking(1000), syn(1001))[-1] == (Verdict.DROP, Reason.FLOW_TABLE_FULL)


CONNECT = bytes.fromhex("101000044d5154540402003c00046e616d65")
NO_LENGTH = b"\x30" + b"\xff" * 8


@pytest.mark.parametrize(
    ("mode", "policy", "last"),
    [
        ("prevent", "drop-flow", (Verdict.DROP, Reason.APPLICATION_ERROR)),
        ("prevent", "ignore", (Verdict.ACCEPT, Reason.NONE)),
        ("detect", "drop-flow", (Verdict.ACCEPT, Reason.NONE)),
    ],
)
def test_a_parser_that_gives_up_meets_the_setting(mode, policy, last):
    settings, _ = load_settings(LoadOptions(sets=("app-layer.protocols.mqtt.enabled=yes",), mode=mode))
    settings = dataclasses.replace(
        settings,
        app=dataclasses.replace(settings.app, error_policy=policy),
        stream=dataclasses.replace(settings.stream, inline=True),
    )
    start, back, _ = talking(1000)
    request = LINK / IP(src="10.0.0.1", dst="10.0.0.2")
    request /= TCP(sport=1000, dport=80, flags="PA", seq=1, ack=1) / Raw(CONNECT + NO_LENGTH)
    assert send(engine(settings), start, back, request)[-1] == last


def test_only_a_policy_that_prevents_blocks_on_exceptions(tmp_path):
    settings = Settings(mode="prevent", stream=StreamSettings(inline=True, midstream_policy="drop-flow"))
    middle = talking(1000)[2]
    for policy, verdict in (("detect", Verdict.ACCEPT), ("prevent", Verdict.DROP)):
        assert send(engine(settings, tmp_path, policy), middle)[0][0] == verdict
