"""EVE records, one golden record for each kind of event, and odd bytes everywhere."""

# ruff: noqa: E501, C408

from __future__ import annotations

import io
import json

import pytest
from eve_tools import (
    ALL,
    CLIENT,
    COUNTERS,
    HEAD,
    IN_PACKET,
    NOW,
    SERVER,
    Tx,
    lines,
    make_flow,
    make_packet,
    make_rule,
)
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.settings import EveOutput
from appliance.model.app import FileObject
from appliance.model.event import (
    AlertEvent,
    AnomalyEvent,
    AppEvent,
    FileEvent,
    FlowEvent,
    FrameEvent,
    NoticeEvent,
    StatsEvent,
)
from appliance.model.flow import F_ALERTED, F_DROPPED, F_EXCEPTION, Flow
from appliance.model.identity import Vm, VmInterface
from appliance.sinks.community import community_id
from appliance.sinks.eve import EveWriter, SinkError, open_outputs
from appliance.sinks.flowlog import nested
from appliance.sinks.text import ip_text, time_text, to_line

VM = VmInterface(0, Vm("uuid-1", "web-1"), "eth0", b"\x02" * 6)


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
