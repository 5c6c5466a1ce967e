"""Records of alerts, of dropped packets and of what they carry."""

# ruff: noqa: E501

from __future__ import annotations

import pytest
from eve_tools import COUNTERS, HEAD, IN_PACKET, NOW, Tx, lines, make_flow, make_packet, make_rule

from appliance.model.event import (
    AlertEvent,
    DropEvent,
    FlowEvent,
)
from appliance.model.verdict import Decision, Reason, Verdict

ALERT = {
    "action": "allowed", "gid": 1, "signature_id": 42, "rev": 2, "signature": "Test", "category": "Misc",
    "severity": 3, "metadata": {"tag": ["a", "b"]},
}  # fmt: skip


def test_alert_of_a_transaction():
    tx = Tx({"hostname": "example.org"})
    flow = make_flow(tx)
    flow.bits, flow.ints = {"ET.Evil", "traffic/id/mozilla"}, {"n": 3}
    (got,) = lines(AlertEvent(NOW, make_packet(flow), flow, make_rule(), "allowed", tx))
    assert got == {
        **HEAD, **IN_PACKET, "event_type": "alert", "tx_id": 3, "alert": ALERT, "app_proto": "http",
        "direction": "to_server", "http": {"hostname": "example.org"},
        "metadata": {"flowbits": ["ET.Evil"], "flowints": {"n": 3}}, "traffic": {"id": ["mozilla"]},
        "flow": {**COUNTERS, "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 1234, "dest_port": 80},
    }  # fmt: skip


def test_alert_options():
    options = {
        "alert": {
            "payload": True, "payload-printable": True, "payload-length": True, "payload-buffer-size": 6, "packet": True,
            "verdict": True, "metadata": {"rule": {"metadata": False, "raw": True, "reference": True}},
        }
    }  # fmt: skip
    rule = make_rule(action="reject", target="dest_ip")
    (got,) = lines(AlertEvent(NOW, make_packet(), None, rule, "blocked", source="stream"), options=options)
    assert (got["payload"], got["payload_printable"], got["payload_length"]) == ("aGVsbG//", "hello.", 7)
    assert got["stream"] == 1
    assert got["packet_info"] == {"linktype": 1, "linktype_name": "EN10MB"}
    assert got["verdict"] == {"action": "drop", "reject-target": "to_client", "reject": ["tcp-reset"]}
    assert "metadata" not in got["alert"]
    assert got["alert"]["rule"] == "alert tcp ..."
    assert got["alert"]["references"] == ["https://example.org/x"]
    assert got["alert"]["source"] == {"ip": "10.0.0.1", "port": 1234}
    assert got["alert"]["target"] == {"ip": "10.0.0.2", "port": 80}


def test_alert_context_and_guessed_transaction():
    event = AlertEvent(NOW, make_packet(), None, make_rule(), "allowed", Tx({}))
    event.context = {"bad_host": {"year": 2005}, "guessed": True, "payload": b"x", "pktvars": [{"k": "v"}]}
    (got,) = lines(event)
    assert got["alert"]["context"] == {"bad_host": {"year": 2005}}
    assert got["tx_guessed"] is True
    assert got["metadata"] == {"pktvars": [{"k": "v"}]}


@pytest.mark.parametrize(
    ("mode", "deployment", "where", "value"),
    [
        ("extra-data", "reverse", ("alert", "xff"), "10.2.2.2"),
        ("extra-data", "forward", ("alert", "xff"), "192.0.2.9"),
        ("overwrite", "reverse", ("src_ip",), "10.2.2.2"),
    ],
)
def test_forwarded_for(mode, deployment, where, value):
    tx = Tx({}, b"Host: x\r\nx-forwarded-for: 192.0.2.9:80, 10.2.2.2\r\n")
    xff = {"enabled": True, "mode": mode, "deployment": deployment, "header": "X-Forwarded-For"}
    (got,) = lines(
        AlertEvent(NOW, make_packet(), make_flow(tx), make_rule(), "allowed", tx),
        options={"alert": {"xff": xff}},
    )
    for step in where:
        got = got[step]
    assert got == value


def test_tunnelled_packet_tells_of_the_outer_one():
    inner, outer = make_packet(), make_packet()
    outer.ip_version, outer.proto, outer.src, outer.dst = 6, 4, bytes(15) + b"\1", bytes(15) + b"\2"
    inner.outer, inner.tunnel, inner.depth = outer, "ipv4", 1
    (got,) = lines(AlertEvent(NOW, inner, None, make_rule(), "allowed"))
    assert got["pkt_src"] == "ipv6 tunnel"
    assert got["tunnel"]["src_ip"] == "0000:0000:0000:0000:0000:0000:0000:0001"
    assert got["tunnel"]["proto"] == "IP-in-IP"
    assert got["tunnel"]["depth"] == 1


def test_drop_is_written_once_for_a_flow_unless_all_are_wanted():
    flow = make_flow()
    decision = Decision(Verdict.DROP, Reason.FLOW_DENIED)
    events = [DropEvent(NOW, make_packet(flow), flow, decision)] * 2 + [FlowEvent(NOW, flow, "timeout")]
    got = lines(events * 2, frozenset(("drop",)))
    assert len(got) == 2
    assert len(lines(events, frozenset(("drop",)), options={"drop": {"flows": "all"}})) == 2
    assert got[0]["drop"] == {
        "len": 47, "tos": 0, "ttl": 64, "ipid": 5, "tcpseq": 111, "tcpack": 0, "tcpwin": 0, "fin": False, "syn": False,
        "rst": False, "psh": True, "ack": True, "urg": False, "tcpres": 0, "tcpurgp": 0, "reason": "flow drop",
    }  # fmt: skip
    assert got[0]["direction"] == "to_server"


def test_another_reason_is_another_drop_but_that_a_flow_was_denied_before_is_none():
    flow = make_flow()
    reasons = [Reason.OVERLOAD, Reason.OVERLOAD, Reason.RULE, Reason.FLOW_DENIED, Reason.OVERLOAD]
    events = [DropEvent(NOW, make_packet(flow), flow, Decision(Verdict.DROP, one)) for one in reasons]
    got = lines(events, frozenset(("drop",)))
    assert [one["drop"]["reason"] for one in got] == ["overload", "rules"]


def test_drop_bears_its_alert():
    event = DropEvent(
        NOW,
        make_packet(),
        None,
        Decision(Verdict.REJECT, Reason.RULE, "1:42 Test"),
        make_rule(action="rejectdst"),
    )
    (got,) = lines(event, options={"drop": {"alerts": True, "verdict": True}})
    assert got["alert"] == {**ALERT, "action": "blocked"}
    assert got["verdict"] == {"action": "drop", "reject-target": "to_server", "reject": ["tcp-reset"]}
    assert got["drop"]["by"] == "1:42 Test"
