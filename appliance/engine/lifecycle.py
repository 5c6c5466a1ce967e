"""The end of a packet's way, and the end of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.engine import applog, inspection
from appliance.engine.counters import count_end
from appliance.engine.pseudo import DIRECTIONS, pseudo_packet
from appliance.engine.work import Work
from appliance.model.event import AlertEvent, DropEvent, Event, FlowEvent
from appliance.model.flow import F_ADOPTED, F_BYPASS, F_DROPPED, F_NO_PAYLOAD_INSPECT, Flow
from appliance.model.packet import PROTO_GRE, PROTO_IPIP, PROTO_IPV6
from appliance.model.verdict import Verdict

if TYPE_CHECKING:
    from appliance.detect.state import FlowDetect
    from appliance.engine.pipeline import Pipeline
    from appliance.model.app import AppState

_CARRIERS = frozenset((PROTO_GRE, PROTO_IPIP, PROTO_IPV6))
_UNINSPECTED = F_BYPASS | F_NO_PAYLOAD_INSPECT | F_DROPPED


def conclude(work: Work) -> None:
    """Report a packet that is not let through."""
    decision = work.decision
    if decision.verdict <= Verdict.ACCEPT:
        return
    for event in work.events:
        if isinstance(event, AlertEvent) and event.packet is work.packet:
            rejects = event.context.get("verdict", ("", ""))[1]
            event.context["verdict"] = ("drop", rejects)
    if not work.packet.pseudo:
        work.events.append(DropEvent(work.now, work.packet, work.flow, decision, work.rule))


def end_flow(pipe: Pipeline, flow: Flow, now: int, reason: str, events: list[Event]) -> None:
    """Inspect what a flow still holds back, report its last transactions and the flow itself."""
    # The tracker has to hear of every TCP flow, or it keeps counting its session.
    chunks = pipe.tracker.finish(flow) if flow.tcp is not None else []
    if flow.flags & F_ADOPTED:  # whoever sees its packets tells of it
        _let_go(pipe, flow)
        return
    if not flow.flags & _UNINSPECTED:
        for chunk in chunks:
            pipe.feed(flow, chunk, now)
        if flow.app is not None:
            for direction in DIRECTIONS:
                pipe.app.end(flow, direction, now)
        if flow.app is not None or chunks or flow.detect is not None:
            _inspect_end(pipe, flow, now, events, not chunks and _rests(flow))
    _let_go(pipe, flow)
    count_end(pipe.counters, flow)
    if flow.proto in _CARRIERS and pipe.firewall is None:
        return  # what it carries has flows of its own; a policy may have something to say of this one too
    # Sinks still read the flow's parser and TCP state; the flow itself is let go with the event.
    events.append(FlowEvent(now, flow, flow.end_reason or reason))


def rest(flow: Flow) -> None:
    """Let go of what detection knows of a closed connection, once there is nothing left to look at.

    The connection itself is kept for a minute, for what comes late. A busy appliance closes many thousands in
    that time: what they hold is memory that the next ones would find in the processor's cache.
    """
    detect: FlowDetect | None = flow.detect
    if detect is None or detect.ended or detect.waiting():
        return
    app: AppState | None = flow.app
    if app is None or (app.ends[0] and app.ends[1] and app.parser is None and app.previous is None):
        flow.detect = None


def _rests(flow: Flow) -> bool:
    """Tell whether nothing of a flow is left that rules could look at."""
    app: AppState | None = flow.app
    return flow.detect is None and (app is None or (app.parser is None and app.previous is None))


def _let_go(pipe: Pipeline, flow: Flow) -> None:
    if pipe.firewall is not None:
        pipe.firewall.flow_ended(flow)
    if pipe.detector is not None:
        pipe.detector.flow_ended(flow)


def _inspect_end(pipe: Pipeline, flow: Flow, now: int, events: list[Event], nothing_left: bool) -> None:
    for direction in DIRECTIONS if pipe.detector is not None and not nothing_left else ():
        work = Work(pseudo_packet(flow, direction, now), now, events)
        work.flow = flow
        inspection.run_rules(pipe, work)
    applog.log_app(pipe, flow, now, None, events)
