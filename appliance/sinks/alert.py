"""Records of alerts and of packets that were not let through."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from appliance.model.event import AlertEvent, DropEvent, FrameEvent, PacketEvent
from appliance.model.packet import PROTO_TCP, PROTO_UDP, TOSERVER, Packet
from appliance.model.verdict import Reason, Verdict, reason_words
from appliance.sinks.application import add_body, file_fields, forwarded_for, record_kind
from appliance.sinks.header import (
    DIRECTIONS,
    PACKET_ENDS,
    Context,
    add_variables,
    app_proto,
    flow_counters,
    header,
    tunnel,
)
from appliance.sinks.text import LINKTYPES, ip_text, printable

# Addresses that a rule's references stand for, unless reference.config says otherwise.
REFERENCES = {
    "url": "https://",
    "cve": "https://cve.mitre.org/cgi-bin/cvename.cgi?name=",
    "bugtraq": "http://www.securityfocus.com/bid/",
    "et": "http://doc.emergingthreats.net/",
    "md5": "https://www.virustotal.com/gui/file/",
}
_TARGETS = {"reject": "to_client", "rejectsrc": "to_client", "rejectdst": "to_server", "rejectboth": "both"}
_PAYLOAD_LIMIT = 4096
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://")
# What a rule's context carries for the record as a whole rather than for the ``alert`` object.
_NOT_CONTEXT = frozenset(("flowvars", "pktvars", "entropy", "payload", "verdict", "guessed", "frame"))
_FLAG_NAMES = ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")


def on(options: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Tell whether an option is switched on; a mapping in its place means yes."""
    value = options.get(name, default)
    return bool(value) and value != "no"


def alert_record(context: Context, event: AlertEvent, references: Mapping[str, str]) -> dict[str, Any]:
    """Make the record of an alert; source and destination are those of the packet."""
    options = context.output.options.get("alert", {})
    packet, flow = event.packet, event.flow
    record = header(context, "alert", event.now, packet, flow, PACKET_ENDS)
    if event.tx is not None:
        record["tx_id"] = event.tx.id
        if event.context.get("guessed"):
            record["tx_guessed"] = True
    record["alert"] = alert_fields(options, event, references)
    if packet.outer is not None:
        record["tunnel"] = tunnel(packet)
    _add_metadata(options, record, event)
    _add_flow(options, record, event)
    _add_payload(options, record, event)
    _add_frame(record, event)
    if on(options, "packet"):
        _add_packet(record, packet)
    if on(options, "verdict"):
        record["verdict"] = _alert_verdict(event)
    _add_forwarded(context, options, record, event)
    return record


def packet_record(context: Context, event: PacketEvent) -> dict[str, Any]:
    """Make the record of a packet that follows an alert with ``tag``."""
    record = header(context, "packet", event.now, event.packet, event.flow, PACKET_ENDS)
    _add_packet(record, event.packet)
    return record


def alert_fields(
    options: Mapping[str, Any], event: AlertEvent, references: Mapping[str, str]
) -> dict[str, Any]:
    """Describe the rule that matched."""
    rule = event.rule
    out: dict[str, Any] = {
        "action": event.action,
        "gid": rule.gid,
        "signature_id": rule.sid,
        "rev": rule.rev,
        "signature": rule.msg,
        "category": rule.category,
        "severity": rule.priority,
    }
    if rule.target:
        out.update(_target(rule.target, event.packet))
    wanted = _rule_options(options)
    if wanted.get("metadata", True) and rule.metadata:
        grouped: dict[str, list[str]] = {}
        for key, value in rule.metadata:
            grouped.setdefault(key, []).append(value)
        out["metadata"] = grouped
    if rule.references and (wanted.get("reference") or on(options, "reference")):
        out["references"] = [_reference(references, system, value) for system, value in rule.references]
    if wanted.get("raw"):
        out["rule"] = rule.text
    extra = {key: value for key, value in event.context.items() if key not in _NOT_CONTEXT}
    if extra:
        out["context"] = extra
    return out


def _rule_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the options below ``metadata.rule``; "metadata: no" switches all of them off."""
    metadata = options.get("metadata", True)
    if isinstance(metadata, dict):
        below = metadata.get("rule", {})
        return below if isinstance(below, dict) else {"metadata": bool(below)}
    return {"metadata": bool(metadata)}


def _reference(references: Mapping[str, str], system: str, value: str) -> str:
    known = references.get(system.lower())
    return value if known is None or _SCHEME.match(value) else known + value


def _target(target: str, packet: Packet) -> dict[str, Any]:
    ends = [
        {"ip": ip_text(packet.src), "port": packet.sport},
        {"ip": ip_text(packet.dst), "port": packet.dport},
    ]
    if target == "src_ip":
        ends.reverse()
    return {"source": ends[0], "target": ends[1]}


def _add_metadata(options: Mapping[str, Any], record: dict[str, Any], event: AlertEvent) -> None:
    """Add the transaction, its files and the flow's variables, as ``metadata`` asks."""
    chosen = _chosen(options)
    if chosen.get("flow", True):
        add_variables(record, event.flow, event.context)
    if event.flow is None:
        return
    record.update(app_proto(event.flow))
    if event.tx is not None and chosen.get("app-layer", True):
        add_body(record, record_kind(event.flow, event.tx), event.tx.log())
    if event.files and _rule_options(options).get("metadata", True):
        record["files"] = [file_fields(file) for file in event.files]


def _chosen(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the options of ``metadata``: a mapping, or one word for all of them."""
    metadata = options.get("metadata", True)
    if isinstance(metadata, dict):
        return metadata
    whole = str(metadata).lower() not in {"false", "no", "off"}
    return {"app-layer": whole, "flow": whole}


def _add_flow(options: Mapping[str, Any], record: dict[str, Any], event: AlertEvent) -> None:
    flow = event.flow
    if flow is None:
        return
    record["direction"] = DIRECTIONS[event.packet.direction]
    if not _chosen(options).get("flow", True):
        return
    ends = {"src_ip": ip_text(flow.client), "dest_ip": ip_text(flow.server)}
    ports = {"src_port": flow.cport, "dest_port": flow.sport} if "src_port" in record else {}
    record["flow"] = {**flow_counters(flow), **ends, **ports}


def _payload(event: AlertEvent) -> bytes:
    given = event.context.get("payload")
    return bytes(given) if isinstance(given, (bytes, bytearray)) else event.packet.payload()


def _add_payload(options: Mapping[str, Any], record: dict[str, Any], event: AlertEvent) -> None:
    wanted = [name for name in ("payload", "payload-printable", "payload-length") if on(options, name)]
    if not wanted:
        return
    size = options.get("payload-buffer-size", _PAYLOAD_LIMIT)
    whole = _payload(event)
    data = whole[: size if isinstance(size, int) and size > 0 else _PAYLOAD_LIMIT]
    made: dict[str, Any] = {
        "payload": lambda: base64.b64encode(data).decode("ascii"),
        "payload-printable": lambda: printable(data),
        "payload-length": lambda: len(whole),
    }
    for name in wanted:
        record[name.replace("-", "_")] = made[name]()
    record["stream"] = int(event.source == "stream")


def _add_frame(record: dict[str, Any], event: AlertEvent) -> None:
    """Add the frame that a rule has matched on."""
    frame = event.context.get("frame")
    if frame is not None:
        record["frame"] = _frame_body(frame)


def _frame_body(frame: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a frame, its bytes as text in both ways."""
    data = frame["payload"]
    texts = {"payload": base64.b64encode(data).decode("ascii"), "payload_printable": printable(data)}
    return {**frame, **texts}


def frame_record(context: Context, event: FrameEvent) -> dict[str, Any]:
    """Make the record of a frame; source and destination are those of the packet that ended it."""
    record = header(context, "frame", event.now, event.packet, event.flow, PACKET_ENDS)
    record["app_proto"] = event.app_proto
    record["frame"] = _frame_body(event.frame)
    return record


def _add_packet(record: dict[str, Any], packet: Packet) -> None:
    record["packet"] = base64.b64encode(packet.link + packet.frame[packet.start :]).decode("ascii")
    record["packet_info"] = {
        "linktype": packet.linktype,
        "linktype_name": LINKTYPES.get(packet.linktype, str(packet.linktype)),
    }


def _add_forwarded(
    context: Context, options: Mapping[str, Any], record: dict[str, Any], event: AlertEvent
) -> None:
    """Add the address in front of a proxy, or put it in the place of the proxy's."""
    xff = options.get("xff") or context.output.options.get("xff")
    address = forwarded_for(xff, event.tx)
    if not address or not isinstance(xff, dict):
        return
    if xff.get("mode") == "overwrite":
        record["src_ip" if event.packet.direction == TOSERVER else "dest_ip"] = address
    else:
        record["alert"]["xff"] = address


def _rejection(action: str, proto: int) -> dict[str, Any]:
    return {
        "reject-target": _TARGETS[action],
        "reject": ["tcp-reset" if proto == PROTO_TCP else "icmp-prohib"],
    }


def _alert_verdict(event: AlertEvent) -> dict[str, Any]:
    """Say what became of the packet; the engine's answer, where it is given, over the rule's own."""
    action = event.rule.action
    own = "drop" if event.action == "blocked" else "pass" if action == "pass" else "alert"
    final, rejects = event.context.get("verdict") or (own, action)
    out: dict[str, Any] = {"action": final}
    if rejects in _TARGETS:
        out.update(_rejection(rejects, event.packet.proto))
    return out


class DropLog:
    """Makes drop records: one for each reason and direction of a flow, unless the output wants all."""

    def __init__(self, limit: int = 65_536) -> None:
        """Remember at most ``limit`` flow directions; the oldest is forgotten first."""
        self._limit = limit
        self._seen: dict[tuple[int, int], tuple[Reason, ...]] = {}

    def record(
        self, context: Context, event: DropEvent, references: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """Make the record of a dropped packet; None when the flow already has one that says the same."""
        options = context.output.options.get("drop", {})
        packet, flow = event.packet, event.flow
        if (
            flow is not None
            and options.get("flows", "start") != "all"
            and not self._first(flow.id, packet.direction, event.decision.reason)
        ):
            return None
        record = header(context, "drop", event.now, packet, flow, PACKET_ENDS)
        if packet.outer is not None:
            record["tunnel"] = tunnel(packet)
        if flow is not None:
            record["direction"] = DIRECTIONS[packet.direction]
        record["drop"] = {**packet_fields(packet), "reason": reason_words(event.decision.reason)}
        if event.decision.by:
            record["drop"]["by"] = event.decision.by
        if event.rule is not None and on(options, "alerts"):
            alert = AlertEvent(event.now, packet, flow, event.rule, "blocked")
            record["alert"] = alert_fields({}, alert, references)
        if on(options, "verdict"):
            record["verdict"] = self._verdict(event)
        return record

    def forget(self, flow_id: int) -> None:
        """Forget a flow that has ended."""
        for direction in DIRECTIONS:
            self._seen.pop((flow_id, direction), None)

    def _first(self, flow_id: int, direction: int, reason: Reason) -> bool:
        """Tell whether a reason is news: what held up one packet must not hide what ends the connection.

        That a flow was denied before is none where it was said why.
        """
        known = self._seen.get((flow_id, direction), ())
        if reason in known or (known and reason is Reason.FLOW_DENIED):
            return False
        if not known and len(self._seen) >= self._limit:
            del self._seen[next(iter(self._seen))]
        self._seen[flow_id, direction] = (*known, reason)
        return True

    @staticmethod
    def _verdict(event: DropEvent) -> dict[str, Any]:
        out: dict[str, Any] = {"action": "drop"}
        if event.decision.verdict is Verdict.REJECT:
            action = (
                event.rule.action if event.rule is not None and event.rule.action in _TARGETS else "reject"
            )
            out.update(_rejection(action, event.packet.proto))
        return out


def packet_fields(packet: Packet) -> dict[str, Any]:
    """Give the header fields of a dropped packet."""
    out: dict[str, Any] = {}
    if packet.ip_version:
        names = ("len", "tos", "ttl", "ipid") if packet.ip_version == 4 else ("len", "tc", "hoplimit")
        out.update(zip(names, (packet.ip_len, packet.tos, packet.ttl, packet.ip_id), strict=False))
    if packet.proto == PROTO_TCP:
        out.update(tcpseq=packet.seq, tcpack=packet.ack, tcpwin=packet.window)
        out.update((name, bool(packet.tcp_flags >> bit & 1)) for bit, name in enumerate(_FLAG_NAMES[:6]))
        out.update(tcpres=0, tcpurgp=packet.urgent)
    elif packet.proto == PROTO_UDP:
        out["udplen"] = packet.payload_len + 8
    elif packet.icmp_id >= 0:
        out.update(icmp_id=packet.icmp_id, icmp_seq=packet.icmp_seq)
    return out
