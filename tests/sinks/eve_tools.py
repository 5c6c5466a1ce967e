"""Events, and the records that are written of them."""

# ruff: noqa: E501, C408

from __future__ import annotations

import io
import json
from types import SimpleNamespace

from appliance.config.settings import EveOutput
from appliance.model.app import AppState, Parser, Transaction
from appliance.model.flow import Flow, FlowState
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.sinks.eve import EveWriter

NOW = 1_767_323_045_678_901_999


CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


ALL = frozenset(
    ("alert", "drop", "anomaly", "http", "smtp", "files", "flow", "netflow", "stats", "bittorrent-dht")
)


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
