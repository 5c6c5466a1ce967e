"""EVE records, one golden record for each kind of event, and odd bytes everywhere."""

# ruff: noqa: E501, C408
from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.settings import EveOutput
from appliance.model.app import AppState, FileObject, Parser, Transaction
from appliance.model.event import (
    AlertEvent,
    AnomalyEvent,
    AppEvent,
    DropEvent,
    FileEvent,
    FlowEvent,
    FrameEvent,
    NoticeEvent,
    StatsEvent,
)
from appliance.model.flow import F_ALERTED, F_DROPPED, F_EXCEPTION, Flow, FlowState
from appliance.model.identity import Vm, VmInterface
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import Decision, Reason, Verdict
from appliance.sinks.community import community_id
from appliance.sinks.eve import EveWriter, SinkError, open_outputs
from appliance.sinks.flowlog import nested
from appliance.sinks.text import ip_text, time_text, to_line

NOW = 1_767_323_045_678_901_999
CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
ALL = frozenset(
    ("alert", "drop", "anomaly", "http", "smtp", "files", "flow", "netflow", "stats", "bittorrent-dht")
)
VM = VmInterface(0, Vm("uuid-1", "web-1"), "eth0", b"\x02" * 6)


class Tx(Transaction):
    def __init__(self, body, headers=b""):
        super().__init__(3)
        self.body, self.headers = body, headers

    def log(self):
        return self.body

    def buffer(self, name, direction):
        return self.headers if (name, direction) == ("http.header", 0) else None


class AnyParser(Parser):
    """A parser whose kind of record a test may choose."""


def make_flow(tx=None, kind="http"):
    flow = Flow(6, CLIENT, SERVER, 1234, 80)
    flow.id, flow.first, flow.last = 77, NOW, NOW + 2_500_000_000
    flow.pkts_ts, flow.pkts_tc, flow.bytes_ts, flow.bytes_tc = 4, 3, 400, 300
    flow.app_proto = kind
    flow.app = AppState()
    flow.app.proto = kind
    flow.app.parser = AnyParser()
    flow.app.parser.log_type = kind
    flow.app.parser.transactions = [tx] if tx else []
    flow.tcp = TcpSession()
    flow.tcp.state = TcpState.FIN_WAIT1
    flow.tcp.client.tcp_flags, flow.tcp.server.tcp_flags = 0x1B, 0x12
    flow.state = FlowState.CLOSED
    return flow


def make_packet(flow=None, frame=b"\0" * 54 + b"hello\xff\n"):
    p = Packet(frame, 1, NOW, 9)
    p.ip_version, p.src, p.dst, p.proto, p.sport, p.dport = 4, CLIENT, SERVER, 6, 1234, 80
    p.payload_off, p.payload_len = 54, len(frame) - 54
    p.flow, p.ttl, p.ip_len, p.ip_id, p.seq, p.tcp_flags = flow, 64, 47, 5, 111, 0x18
    return p


def make_rule(**kw):
    base = dict(
        gid=1, sid=42, rev=2, msg="Test", category="Misc", priority=3, action="alert", target="", text="alert tcp ...",
        metadata=(("tag", "a"), ("tag", "b")), references=(("url", "example.org/x"),),
    )  # fmt: skip
    return SimpleNamespace(**{**base, **kw})


def lines(event, types=ALL, **output):
    out = io.StringIO()
    writer = EveWriter(EveOutput(types=types, **output), out)
    for one in event if isinstance(event, list) else [event]:
        writer.write(one)
    assert writer.written == out.getvalue().count("\n")
    return [json.loads(line) for line in out.getvalue().splitlines()]


HEAD = {
    "timestamp": "2026-01-02T03:04:05.678901+0000", "flow_id": 77, "src_ip": "10.0.0.1", "src_port": 1234,
    "dest_ip": "10.0.0.2", "dest_port": 80, "proto": "TCP", "ip_v": 4,
}  # fmt: skip
IN_PACKET = {"pcap_cnt": 9, "pkt_src": "wire/pcap"}
COUNTERS = {
    "pkts_toserver": 4, "pkts_toclient": 3, "bytes_toserver": 400, "bytes_toclient": 300, "start": HEAD["timestamp"],
}  # fmt: skip
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


def test_application_record_is_between_client_and_server():
    tx = Tx({"http_method": "GET"})
    flow = make_flow(tx)
    packet = make_packet(flow)
    packet.src, packet.dst, packet.sport, packet.dport = SERVER, CLIENT, 80, 1234
    (got,) = lines(AppEvent(NOW, "http", flow, tx, packet, 1))
    assert got == {
        **HEAD,
        **IN_PACKET,
        "event_type": "http",
        "tx_id": 3,
        "app_proto": "http",
        "http": {"http_method": "GET"},
    }
    assert lines(AppEvent(NOW, "dns", flow, tx, packet), frozenset(("http",))) == []


def test_mail_stands_beside_smtp():
    tx = Tx({"helo": "x", "email": {"from": "a@b"}})
    (got,) = lines(AppEvent(NOW, "smtp", make_flow(tx, "smtp"), tx))
    assert got["smtp"] == {"helo": "x"}
    assert got["email"] == {"from": "a@b"}


def test_kinds_with_a_dash_have_an_underscore_as_event_type():
    (got,) = lines(AppEvent(NOW, "bittorrent-dht", make_flow(), Tx({"a": 1})))
    assert got["event_type"] == "bittorrent_dht"
    assert got["bittorrent_dht"] == {"a": 1}


def test_frame():
    flow = make_flow(kind="tls")
    told = {
        "type": "pdu",
        "id": 2,
        "direction": "toserver",
        "stream_offset": 7,
        "length": 2,
        "complete": True,
    }
    event = FrameEvent(NOW, make_packet(flow), flow, "tls", {**told, "payload": b"a\xff"})
    (record,) = lines(event, frozenset(("frame",)))
    assert record == HEAD | IN_PACKET | {
        "event_type": "frame",
        "app_proto": "tls",
        "frame": told | {"payload": "Yf8=", "payload_printable": "a."},
    }
    assert lines(event) == []


def test_file_goes_from_its_sender():
    tx = Tx({"url": "/x"})
    file = FileObject(1, b"caf\xc3\xa9 \xff", 1, 3)
    file.state, file.size, file.sha256 = "CLOSED", 10, "ab"
    (got,) = lines(FileEvent(NOW, make_flow(tx), tx, file, "http", make_packet()))
    assert (got["event_type"], got["src_ip"], got["dest_port"]) == ("fileinfo", "10.0.0.2", 1234)
    assert got["fileinfo"] == {
        "filename": "café \\xff", "gaps": False, "state": "CLOSED", "sha256": "ab", "stored": False, "size": 10, "tx_id": 3,
    }  # fmt: skip
    assert got["http"] == {"url": "/x"}


def test_flow_and_netflow():
    flow = make_flow()
    flow.flags = F_ALERTED | F_DROPPED | F_EXCEPTION
    flow.exception = "stream.midstream"
    record, ts, tc = lines(FlowEvent(NOW, flow, "shutdown"))
    assert record == {
        **HEAD, "event_type": "flow", "app_proto": "http",
        "flow": {
            **COUNTERS, "end": "2026-01-02T03:04:08.178901+0000", "age": 3, "state": "closed", "reason": "shutdown",
            "alerted": True, "action": "drop", "exception_policy": [{"target": "stream_midstream", "policy": "drop_flow"}],
        },
        "tcp": {
            "tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "12", "fin": True, "syn": True, "psh": True,
            "ack": True, "state": "fin_wait1", "ts_max_regions": 1, "tc_max_regions": 1,
        },
    }  # fmt: skip
    assert (ts["netflow"]["pkts"], tc["netflow"]["pkts"]) == (4, 3)
    assert (ts["src_ip"], tc["src_ip"]) == ("10.0.0.1", "10.0.0.2")


def test_icmp_flow_names_the_answer():
    flow = Flow(1, CLIENT, SERVER, 0, 0)
    flow.icmp_type, flow.pkts_tc = 8, 1
    (got,) = lines(FlowEvent(NOW, flow, "timeout"), frozenset(("flow",)))
    assert (got["icmp_type"], got["icmp_code"], got["response_icmp_type"], got["proto"]) == (8, 0, 0, "ICMP")
    assert "src_port" not in got


@pytest.mark.parametrize(
    ("kind", "name", "types", "event"),
    [
        ("decode", "ipv4.opt_invalid_len", {"decode": True}, "decoder.ipv4.opt_invalid_len"),
        ("stream", "stream.pkt_invalid_ack", {"stream": True}, "stream.pkt_invalid_ack"),
        ("applayer", "INVALID_REPLY", {}, "INVALID_REPLY"),
        ("decode", "ipv4.opt_invalid_len", {}, None),
        ("applayer", "X", {"applayer": False}, None),
    ],
)
def test_anomaly(kind, name, types, event):
    got = lines(
        AnomalyEvent(NOW, kind, name, make_packet(), None, None, "smtp"),
        options={"anomaly": {"types": types}},
    )
    assert [record["anomaly"]["event"] for record in got] == ([event] if event else [])
    if kind == "applayer" and event:
        assert got[0]["anomaly"] == {
            "type": "applayer",
            "event": event,
            "app_proto": "smtp",
            "layer": "proto_parser",
        }


def test_stats_are_nested_and_have_deltas():
    first = StatsEvent(NOW, {"decoder.pkts": 5, "a.zero": 0})
    second = StatsEvent(NOW + 2 * 10**9, {"decoder.pkts": 9})
    got = lines([first, second], options={"stats": {"deltas": True, "null-values": False, "threads": True}})
    assert got[1]["stats"]["decoder"] == {"pkts": 9, "pkts_delta": 4}
    assert got[1]["stats"]["uptime"] == 2
    assert "a" not in got[0]["stats"]
    assert got[0]["stats"]["threads"]["W#01"]["decoder"]["pkts"] == 5


def test_counters_that_are_also_groups():
    assert nested({"a": 1, "a.b": 2, "c.d": 3, "c": 4}) == {
        "a": {"total": 1, "b": 2},
        "c": {"d": 3, "total": 4},
    }


def test_notice_and_machines():
    packet = make_packet()
    packet.dst_if = VM
    out = io.StringIO()
    EveWriter(EveOutput(), out, policy_of=lambda end: "web").write(
        NoticeEvent(NOW, "spoofed_ip", packet, {"a": b"\xff"})
    )
    got = json.loads(out.getvalue())
    assert got["event_type"] == "eastwall"
    assert got["eastwall"] == {"event": "spoofed_ip", "a": "\\xff"}
    assert got["vm"] == {"dest": {"uuid": "uuid-1", "name": "web-1", "interface": "eth0", "policy": "web"}}


def test_common_options():
    flow, packet = make_flow(), make_packet()
    flow.ether_client, flow.ether_server = b"\1" * 6, b"\2" * 6
    packet.eth_src, packet.eth_dst, packet.ethertype, packet.vlans = b"\3" * 6, b"\4" * 6, 0x800, (5, 6)
    options = dict(community_id=True, ethernet=True, pcap_file=True, suricata_version=True)
    out = io.StringIO()
    writer = EveWriter(EveOutput(types=ALL, **options), out)
    writer.context.capture_file, writer.context.interface = "x.pcap", "br0"
    writer.write(AlertEvent(NOW, packet, flow, make_rule(), "allowed"))
    writer.write(FlowEvent(NOW, flow, "shutdown"))
    alert, ended = [json.loads(line) for line in out.getvalue().splitlines()][:2]
    assert alert["vlan"] == [5, 6]
    assert alert["in_iface"] == "br0"
    assert alert["pcap_filename"] == "x.pcap"
    assert alert["ether"]["src_mac"] == "03:03:03:03:03:03"
    assert ended["ether"] == {"src_macs": ["01:01:01:01:01:01"], "dest_macs": ["02:02:02:02:02:02"]}
    assert alert["community_id"] == ended["community_id"]
    assert alert["suricata_version"]


@pytest.mark.parametrize(
    ("proto", "ends", "ports", "expected"),
    [  # from the specification's own baseline
        (6, ("128.232.110.120", "66.35.250.204"), (34855, 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, ("66.35.250.204", "128.232.110.120"), (80, 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, ("192.168.1.52", "8.8.8.8"), (54585, 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ],
)
def test_community_id(proto, ends, ports, expected):
    src, dst = (bytes(int(part) for part in end.split(".")) for end in ends)
    assert community_id(Flow(proto, src, dst, *ports), 0) == expected


def test_time_and_addresses():
    assert time_text(0) == "1970-01-01T00:00:00.000000+0000"
    assert time_text((1 << 63) - 1).startswith("2262-04-11T23:47:16")
    assert (
        ip_text(bytes.fromhex("20010db885a3000000008a2e03707334"))
        == "2001:0db8:85a3:0000:0000:8a2e:0370:7334"
    )


ODD = st.recursive(
    st.one_of(st.binary(), st.text(), st.integers(), st.booleans(), st.none()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner),
    max_leaves=10,
)


@given(ODD, st.binary(max_size=20), st.binary(max_size=80))
def test_odd_bytes_never_raise(body, name, frame):
    tx = Tx({"x": body}, name)
    flow = make_flow(tx)
    packet = make_packet(flow, frame)
    file = FileObject(0, name, 0, 0)
    options = {
        "alert": {"payload": True, "payload-printable": True, "packet": True, "xff": {"enabled": True}}
    }
    events = [
        AlertEvent(
            NOW,
            packet,
            flow,
            make_rule(msg=name.decode("utf-8", "surrogateescape")),
            "allowed",
            tx,
            0,
            (file,),
        ),
        AppEvent(NOW, "http", flow, tx, packet),
        FileEvent(NOW, flow, tx, file, "http"),
    ]
    assert len(lines(events, options=options)) == 3


def test_what_cannot_be_encoded_is_replaced_by_a_note():
    circle: dict = {"timestamp": "t"}
    circle["self"] = circle
    assert "could not be encoded" in to_line(circle)


def test_outputs_are_files(tmp_path):
    (writer,) = open_outputs([EveOutput(filename="eve.json", types=ALL)], str(tmp_path))
    writer.write(FlowEvent(NOW, make_flow(), "timeout"))
    writer.close()
    assert (tmp_path / "eve.json").read_text().count("\n") == 3
    with pytest.raises(SinkError, match="none"):
        open_outputs([EveOutput(filename="none/eve.json")], str(tmp_path))
