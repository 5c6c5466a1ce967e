"""Records of the application layer: transactions, files, anomalies in them."""

from __future__ import annotations

import ipaddress
from typing import Any

from appliance.model.app import FileObject, Transaction
from appliance.model.event import AnomalyEvent, AppEvent, FileEvent
from appliance.model.flow import Flow
from appliance.model.packet import TOSERVER, Packet
from appliance.sinks.header import PACKET_ENDS, Context, add_variables, app_proto, header
from appliance.sinks.text import bytes_text

# Kind of an event -> its event type and the key of its body, where these differ from the kind.
_EVENT_TYPES = {"bittorrent-dht": "bittorrent_dht", "ftp-data": "ftp_data", "http2": "http", "doh2": "dns"}
# Parts of a body that stand beside it in the record.
_LIFTED = {"smtp": ("email",), "nfs": ("rpc",), "doh2": ("http", "dns")}
_MAX_HEADER = 64 << 10
# Protocols whose events Suricata writes in capitals.
_SHOUTED = frozenset(("http", "smtp", "tls"))


def event_type(kind: str) -> str:
    """Give the event type, which is also the key, of a record kind."""
    return _EVENT_TYPES.get(kind, kind)


def add_body(record: dict[str, Any], kind: str, body: dict[str, Any]) -> None:
    """Put the body of a transaction into a record, the parts that stand beside it beside it."""
    lifted = _LIFTED.get(kind, ())
    for key in lifted:
        if key in body:
            record[key] = body[key]
    rest = {key: value for key, value in body.items() if key not in lifted} if lifted else body
    if rest or not lifted:
        record[event_type(kind)] = rest


def app_records(context: Context, event: AppEvent) -> list[dict[str, Any]]:
    """Make the records of a finished transaction; an output's options decide how many."""
    flow, tx = event.flow, event.tx
    options = context.output.options.get(event.kind, {})
    bodies = [event.body] if event.body is not None else tx.records(options)
    ends = tx.ends(options)
    out = []
    for body in bodies:
        record = header(context, event_type(event.kind), event.now, event.packet, flow, ends)
        record["tx_id"] = tx.id
        record.update(app_proto(flow))
        if context.output.metadata:
            add_variables(record, flow, {})
        add_body(record, event.kind, body)
        _add_http_xff(context, record, tx)
        out.append(record)
    return out


def _add_http_xff(context: Context, record: dict[str, Any], tx: Transaction) -> None:
    body = record.get("http")
    if isinstance(body, dict):
        address = forwarded_for(context.output.options.get("xff"), tx)
        if address:
            record["http"] = {**body, "xff": address}


def file_fields(file: FileObject) -> dict[str, Any]:
    """Describe a file as ``fileinfo`` and ``files`` do."""
    out: dict[str, Any] = {"filename": bytes_text(file.name)}
    if file.magic:
        out["magic"] = file.magic
    out["gaps"] = file.gaps
    out["state"] = "UNKNOWN" if file.state == "OPEN" else file.state
    out.update((name, getattr(file, name)) for name in ("md5", "sha1", "sha256") if getattr(file, name))
    out["stored"] = file.stored
    if file.stored:
        out["file_id"] = file.store_id
    if file.range is not None:
        out["start"], out["end"] = file.range[0], file.range[1]
    out["size"] = file.size
    out["tx_id"] = file.tx_id
    return out


def file_record(context: Context, event: FileEvent) -> dict[str, Any]:
    """Make the record of a file; its ends are those that the file travelled between."""
    record = header(context, "fileinfo", event.now, event.packet, event.flow, event.file.direction)
    kind = record_kind(event.flow, event.tx) or event.app_proto
    add_body(record, kind, event.tx.log())
    record.update(app_proto(event.flow))
    record.setdefault("app_proto", event.app_proto)
    if context.output.metadata:
        add_variables(record, event.flow, {})
    record["fileinfo"] = file_fields(event.file)
    _add_http_xff(context, record, event.tx)
    return record


def record_kind(flow: Flow | None, tx: Transaction | None) -> str:
    """Give the record kind of a transaction: that of the parser that has it, or the present one's."""
    state = flow.app if flow is not None else None
    if tx is not None and tx.record_kind:
        return tx.record_kind
    if state is None or tx is None:
        return flow.app_proto if flow is not None else ""
    for parser in (state.parser, state.previous):
        if parser is not None and any(tx is mine for mine in parser.transactions):
            return parser.log_type or parser.name
    return (state.parser.log_type if state.parser is not None else "") or state.proto


def anomaly_record(context: Context, event: AnomalyEvent) -> dict[str, Any] | None:
    """Make the record of an anomaly; None when the output does not want its kind."""
    options = context.output.options.get("anomaly", {})
    types = options.get("types", {})
    wanted = types.get(event.kind, event.kind == "applayer") if isinstance(types, dict) else True
    if wanted is False:
        return None
    record = header(context, "anomaly", event.now, event.packet, event.flow, PACKET_ENDS)
    if event.tx is not None:
        record["tx_id"] = event.tx.id
    if context.output.metadata:
        add_variables(record, event.flow, {})
    body = {"type": event.kind, "event": _event_name(event)}
    if event.kind == "applayer":
        if event.app_proto:
            body["app_proto"] = event.app_proto
            record["app_proto"] = event.app_proto
        body["layer"] = event.layer or "proto_parser"
    if options.get("packethdr") is True and event.kind != "applayer" and event.packet is not None:
        record["packethdr"] = _header_hex(event.packet)
    record["anomaly"] = body
    return record


def _event_name(event: AnomalyEvent) -> str:
    """Decode and stream events bear their module's name; some of the others are shouted."""
    if event.kind == "applayer" and (event.layer == "proto_detect" or event.app_proto in _SHOUTED):
        return event.name.upper()
    prefix = {"decode": "decoder.", "stream": "stream."}.get(event.kind, "")
    return event.name if event.name.startswith(prefix) else prefix + event.name


def _header_hex(packet: Packet) -> str:
    return packet.frame[packet.start : packet.start + 32].hex()


def forwarded_for(options: Any, tx: Transaction | None) -> str:
    """Give the client's address from a proxy's header, "" when there is none or it is no address.

    ``deployment`` reverse trusts the last address of the list, forward the first.
    """
    if tx is None or not isinstance(options, dict) or options.get("enabled") is not True:
        return ""
    wanted = str(options.get("header", "X-Forwarded-For")).lower().encode("utf-8", "backslashreplace")
    headers = tx.buffer("http.header", TOSERVER)
    if not isinstance(headers, bytes):
        return ""
    for line in headers[:_MAX_HEADER].split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == wanted:
            return _address(value, 0 if options.get("deployment") == "forward" else -1)
    return ""


def _address(value: bytes, which: int) -> str:
    text = value.split(b",")[which].strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
