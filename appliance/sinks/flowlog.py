"""Records of flows that ended, of counters, and of the protection itself."""

from __future__ import annotations

from typing import Any

from appliance.model.event import ArpEvent, FlowEvent, NoticeEvent, StatsEvent
from appliance.model.flow import (
    F_ALERTED,
    F_BYPASS,
    F_DROPPED,
    F_EXCEPTION,
    F_PASSED,
    F_REJECTED,
    Flow,
    FlowState,
)
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, TOCLIENT, TOSERVER
from appliance.model.tcp import TcpState
from appliance.sinks.community import answer_type
from appliance.sinks.header import PACKET_ENDS, Context, add_variables, app_proto, flow_counters, header
from appliance.sinks.text import ip_text, mac_text, time_text

_SECOND = 1_000_000_000
_FLAG_NAMES = (
    (1, "fin"),
    (2, "syn"),
    (4, "rst"),
    (8, "psh"),
    (16, "ack"),
    (32, "urg"),
    (64, "ecn"),
    (128, "cwr"),
)
_STATES = {state.value: state.name.lower() for state in FlowState}
_TCP_STATES = {state.value: state.name.lower() for state in TcpState}
# Strictest first: what an exception policy did to a flow shows in its flags.
_POLICIES = ((F_REJECTED, "reject"), (F_DROPPED, "drop_flow"), (F_BYPASS, "bypass"), (F_PASSED, "pass_flow"))


def _age(flow: Flow) -> int:
    """Seconds between the first and the last packet, each cut to whole seconds."""
    return flow.last // _SECOND - flow.first // _SECOND


def flow_record(context: Context, event: FlowEvent) -> dict[str, Any]:
    """Make the record of a flow; source is the client."""
    flow = event.flow
    record = header(context, "flow", event.now, None, flow, TOSERVER)
    _add_answer(record, flow)
    record.update(app_proto(flow))
    body = flow_counters(flow)
    body["end"] = time_text(flow.last)
    body["age"] = _age(flow)
    body["state"] = _STATES.get(flow.state, "new")
    if flow.state == FlowState.BYPASSED:
        body["bypass"] = "local"
    body["reason"] = event.reason
    body["alerted"] = bool(flow.flags & F_ALERTED)
    if flow.flags & F_DROPPED:
        body["action"] = "drop"
    elif flow.flags & F_PASSED:
        body["action"] = "pass"
    if flow.exception:
        body["exception_policy"] = [_exception(flow)]
    transactions = _transactions(flow)
    if transactions:
        body["tx_cnt"] = transactions
    record["flow"] = body
    if flow.proto == PROTO_TCP:
        record["tcp"] = tcp_fields(flow)
    if context.output.metadata:
        add_variables(record, flow, {})
    return record


def _add_answer(record: dict[str, Any], flow: Flow) -> None:
    """Add the ICMP type of the answers, when there were any."""
    if flow.proto in {PROTO_ICMP, PROTO_ICMPV6} and flow.pkts_tc:
        answer = answer_type(flow)
        if answer is not None:
            record["response_icmp_type"], record["response_icmp_code"] = answer, 0


def _exception(flow: Flow) -> dict[str, str]:
    target, _, named = flow.exception.partition(":")
    applied = next((name for flag, name in _POLICIES if flow.flags & flag), "ignore")
    policy = named or (applied if flow.flags & F_EXCEPTION else "ignore")
    return {"target": target.replace(".", "_"), "policy": policy.replace("-", "_")}


def _transactions(flow: Flow) -> int:
    parser = flow.app.parser if flow.app is not None else None
    return max(flow.tx_id, parser.next_tx if parser is not None else 0)


def tcp_fields(flow: Flow) -> dict[str, Any]:
    """Describe a connection: flags seen, state, holes."""
    session = flow.tcp
    if session is None:
        return {"tcp_flags": "00", "tcp_flags_ts": "00", "tcp_flags_tc": "00"}
    ts, tc = session.client.tcp_flags, session.server.tcp_flags
    both = ts | tc | session.tcp_flags
    out: dict[str, Any] = {
        "tcp_flags": f"{both & 0xFF:02x}",
        "tcp_flags_ts": f"{ts & 0xFF:02x}",
        "tcp_flags_tc": f"{tc & 0xFF:02x}",
    }
    out.update((name, True) for bit, name in _FLAG_NAMES if both & bit)
    out["state"] = _TCP_STATES.get(session.state, "none")
    if session.client.gaps:
        out["ts_gap"] = True
    if session.server.gaps:
        out["tc_gap"] = True
    out["ts_max_regions"] = out["tc_max_regions"] = 1
    return out


def netflow_records(context: Context, event: FlowEvent) -> list[dict[str, Any]]:
    """Make a record for each direction that had packets (to-server always)."""
    flow = event.flow
    sides = [(TOSERVER, flow.pkts_ts, flow.bytes_ts)]
    if flow.pkts_tc:
        sides.append((TOCLIENT, flow.pkts_tc, flow.bytes_tc))
    return [_netflow(context, event, *side) for side in sides]


def _netflow(context: Context, event: FlowEvent, direction: int, packets: int, size: int) -> dict[str, Any]:
    flow = event.flow
    record = header(context, "netflow", event.now, None, flow, direction)
    record.update(app_proto(flow))
    record["netflow"] = {
        "pkts": packets,
        "bytes": size,
        "start": time_text(flow.first),
        "end": time_text(flow.last),
        "age": _age(flow),
    }
    least, most = (
        (flow.ttl_min_tc, flow.ttl_max_tc) if direction == TOCLIENT else (flow.ttl_min_ts, flow.ttl_max_ts)
    )
    if packets:
        record["netflow"].update(min_ttl=least, max_ttl=most)
    if flow.proto == PROTO_TCP and flow.tcp is not None:
        flags = (flow.tcp.server if direction == TOCLIENT else flow.tcp.client).tcp_flags
        record["tcp"] = {
            "tcp_flags": f"{flags & 0xFF:02x}",
            **{name: True for bit, name in _FLAG_NAMES if flags & bit},
        }
    return record


_ARP_OPERATIONS = {
    1: "request",
    2: "reply",
    3: "request_reverse",
    4: "reply_reverse",
    8: "inverse_request",
    9: "inverse_reply",
}


def arp_record(context: Context, event: ArpEvent) -> dict[str, Any]:
    """Make the record of an ARP message."""
    packet = event.packet
    record = header(context, "arp", event.now, packet, None, PACKET_ENDS)
    record["arp"] = {
        "hw_type": "ethernet",
        "proto_type": "ipv4",
        "opcode": _ARP_OPERATIONS.get(packet.arp_op, "unknown"),
        "src_mac": mac_text(packet.arp_sha),
        "src_ip": ip_text(packet.arp_spa),
        "dest_mac": mac_text(packet.arp_tha),
        "dest_ip": ip_text(packet.arp_tpa),
    }
    return record


def notice_record(context: Context, event: NoticeEvent) -> dict[str, Any]:
    """Make a record of the protection's own: a spoofed address, a scan, a machine that moved."""
    flow = event.packet.flow if event.packet is not None else None
    record = header(context, "eastwall", event.now, event.packet, flow, PACKET_ENDS)
    record["eastwall"] = {**event.details, "event": event.name}
    return record


class StatsLog:
    """Makes ``stats`` records: counters nested by their dotted names."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._start = -1

    def record(self, context: Context, event: StatsEvent) -> dict[str, Any]:
        """Make a record; deltas are against the one before."""
        options = context.output.options.get("stats", {})
        if self._start < 0:
            self._start = event.now
        counters = {name: value for name, value in event.counters.items() if _wanted(options, name, value)}
        if options.get("deltas") is True:
            changes = {f"{name}_delta": value - self._before.get(name, 0) for name, value in counters.items()}
            self._before = dict(event.counters)
            counters.update(changes)
        body: dict[str, Any] = {"uptime": max(event.now - self._start, 0) // _SECOND}
        if options.get("totals", True) is not False:
            body.update(nested(counters))
        if options.get("threads") is True:
            body["threads"] = {"W#01": nested(counters)}
        return {"timestamp": time_text(event.now), "event_type": "stats", "stats": body}


def _wanted(options: dict[str, Any], name: str, value: int) -> bool:
    if value == 0 and options.get("null-values", True) is False:
        return False
    if name.startswith("decoder.event."):
        return options.get("decoder-events", True) is not False
    return not name.startswith("stream.") or options.get("stream-events") is True


def nested(counters: dict[str, int]) -> dict[str, Any]:
    """Turn ``{"a.b": 1}`` into ``{"a": {"b": 1}}``; a name that is also a group goes into it as ``total``."""
    root: dict[str, Any] = {}
    for name, value in counters.items():
        *groups, last = name.split(".")
        node = root
        for group in groups:
            below = node.get(group)
            if not isinstance(below, dict):
                below = node[group] = {} if below is None else {"total": below}
            node = below
        if isinstance(node.get(last), dict):
            node[last]["total"] = value
        else:
            node[last] = value
    return root
