"""Finished transactions and files become records; anomalies of parsers do too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.model.app import AppState, Parser, Transaction
from appliance.model.event import TYPE_OF_KIND, AnomalyEvent, AppEvent, Event
from appliance.model.flow import F_BYPASS, F_DROPPED, F_PASSED, Flow
from appliance.model.packet import TOCLIENT, Packet

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_LAYER_DETECTION = "proto_detect"
_LAYER_PARSER = "proto_parser"
_UNINSPECTED = F_PASSED | F_DROPPED | F_BYPASS


def log_app(pipe: Pipeline, flow: Flow, now: int, packet: Packet | None, events: list[Event]) -> None:
    """Report what is new in the flow's application layer, then forget what is done with."""
    state = flow.app
    if state is None:
        return
    pipe.app_counters.update(flow, state)
    if state.parser is None and state.previous is None and not state.events:
        return
    while state.reported < len(state.events):
        name = state.events[state.reported]
        state.reported += 1
        events.append(
            AnomalyEvent(now, "applayer", name, packet, flow, None, flow.app_proto, _LAYER_DETECTION)
        )
    inspected = pipe.detector is not None and not flow.flags & _UNINSPECTED
    if state.previous is not None and state.previous.transactions:
        _log_parser(pipe, flow, state.previous, now, packet, events, inspected)
    if state.parser is not None and state.parser.transactions:
        _log_parser(pipe, flow, state.parser, now, packet, events, inspected)
    if state.ends[0] and state.ends[1]:
        _release(flow, state)


def _log_parser(
    pipe: Pipeline,
    flow: Flow,
    parser: Parser,
    now: int,
    packet: Packet | None,
    events: list[Event],
    inspected: bool,
) -> None:
    """Report what is new in the transactions of a parser, then forget those that are done with."""
    for tx in parser.transactions:
        if tx.updated or tx.files:
            if tx.reported < len(tx.events):
                _report_events(flow, tx, parser.name, now, packet, events)
            if tx.files:
                pipe.file_drain.files(flow, tx, parser, now, packet, events, inspected)
            if not tx.logged and (tx.both_complete() or tx.early()):
                _log_tx(pipe.types, flow, tx, parser, now, packet, events)
    parser.drop_done(inspected)


def _release(flow: Flow, state: AppState) -> None:
    """Let go of a parser that has come to its end and holds nothing, since the flow may be kept for long.

    It stays where a record or a stage could still ask it for more than the flow itself knows.
    """
    parser = state.parser
    if parser is None or state.previous is not None or parser.failed or parser.bypass or parser.upgrade:
        return
    if parser.transactions or parser.events or parser.frames or parser.expect:
        return
    if parser.log_type == state.proto:
        flow.tx_id = max(flow.tx_id, parser.next_tx)
        state.parser = state.probe = None


def _report_events(
    flow: Flow, tx: Transaction, proto: str, now: int, packet: Packet | None, events: list[Event]
) -> None:
    while tx.reported < len(tx.events):
        events.append(
            AnomalyEvent(now, "applayer", tx.events[tx.reported], packet, flow, tx, proto, _LAYER_PARSER)
        )
        tx.reported += 1


def _log_tx(
    types: frozenset[str] | None,
    flow: Flow,
    tx: Transaction,
    parser: Parser,
    now: int,
    packet: Packet | None,
    events: list[Event],
) -> None:
    """Report a transaction that is ready, if an output writes such records."""
    tx.logged = 1
    flow.tx_id += 1
    kind = tx.record_kind or parser.log_type
    if kind and (types is None or TYPE_OF_KIND.get(kind, kind) in types):
        events.append(AppEvent(now, kind, flow, tx, packet, _direction(packet)))


def _direction(packet: Packet | None) -> int:
    return packet.direction if packet is not None else TOCLIENT
