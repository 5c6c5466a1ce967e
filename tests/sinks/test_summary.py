"""Summary of a replay: what is counted, and that tables stay small."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

from rich.console import Console

from appliance.capture.base import CaptureProblem
from appliance.model.event import AlertEvent, AnomalyEvent, DropEvent, FlowEvent, NoticeEvent
from appliance.model.flow import Flow
from appliance.model.identity import Vm, VmInterface
from appliance.model.packet import Packet
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict
from appliance.sinks.summary import Capped, Heavy, Summary

VM = VmInterface(0, Vm("u", "web-1"), "eth0", b"\2" * 6)
DROP = Decision(Verdict.DROP, Reason.RULE)


def filled():
    summary = Summary(ignored_rules=3)
    packet = Packet(b"", 1, 0, 1)
    packet.src_if = packet.dst_if = VM
    flow = Flow(6, b"\2" * 4, b"\1" * 4, 1, 2)
    flow.client_if, flow.bytes_ts, flow.bytes_tc, flow.app_proto = VM, 100, 50, "http"
    rule = SimpleNamespace(gid=1, sid=7, msg="[bold]odd[/wrong] name")
    summary.frame(60, 5, ACCEPTED)
    summary.frame(40, 9, DROP)
    for event in (
        AlertEvent(0, packet, flow, rule, "blocked"),
        AlertEvent(0, packet, flow, rule, "allowed"),
        DropEvent(0, packet, flow, DROP),
        FlowEvent(0, flow, "shutdown"),
        AnomalyEvent(0, "decode", "ipv4.trunc_pkt", None, None),
        NoticeEvent(0, "scan", None),
    ):
        summary.event(event)
    summary.problems.append(CaptureProblem("x.pcap", 24, "cut short"))
    return summary


def test_everything_is_counted():
    got = json.loads(json.dumps(filled().as_json()))
    assert (got["packets"], got["bytes"], got["flows"], got["first"], got["last"]) == (2, 100, 1, 5, 9)
    assert got["verdicts"] == {"bypass": 0, "accept": 1, "drop": 1, "reject": 0}
    assert got["drop_reasons"] == {"rule": 1}
    assert got["alerts"] == [
        {"gid": 1, "sid": 7, "msg": "[bold]odd[/wrong] name", "allowed": 1, "blocked": 1}
    ]
    assert got["talkers"] == [{"client": "2.2.2.2", "server": "1.1.1.1", "bytes": 150}]
    assert got["interfaces"] == {
        "web-1/eth0": {"flows": 1, "bytes_sent": 100, "bytes_received": 50, "drops": 1, "alerts": 2}
    }
    assert got["anomalies"] == {"decode: ipv4.trunc_pkt": 1}
    assert got["capture_problems"] == [{"path": "x.pcap", "offset": 24, "what": "cut short"}]


def test_printing_takes_names_as_they_are():
    out = io.StringIO()
    filled().render(Console(file=out, width=160))
    text = out.getvalue()
    for words in (
        "2 packets",
        "[bold]odd[/wrong] name",
        "1:7",
        "web-1/eth0",
        "cut short",
        "3 rules were not used",
    ):
        assert words in text
    empty = io.StringIO()
    Summary().render(Console(file=empty))
    assert "Alerts" not in empty.getvalue()


def test_heavy_keeps_the_busiest():
    heavy: Heavy[int] = Heavy(10)
    for n in range(1000):
        heavy.add(n, 1)
        heavy.add(-1, 50)
    assert heavy.top(1) == [(-1, 50_000)]
    assert len(heavy.top(100)) == 10


def test_capped_counts_the_rest_as_others():
    capped = Capped(2)
    for name in "aabcd":
        capped.add(name)
    assert dict(capped.ordered()) == {"a": 2, "b": 1, "others": 2}


def test_alert_table_is_bounded():
    summary = Summary(limit=3)
    for sid in range(10):
        rule = SimpleNamespace(gid=1, sid=sid, msg="")
        summary.event(AlertEvent(0, Packet(b"", 1, 0, 1), None, rule, "allowed"))
    assert [c.allowed for c in summary.alerts()] == [1, 1, 1, 7]
