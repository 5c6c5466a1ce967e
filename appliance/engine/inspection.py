"""Rules on one packet: run them, report what matched, and turn matches into a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.detection import Detection, Match
from appliance.engine.work import Work
from appliance.model.event import AlertEvent
from appliance.model.flow import F_ALERTED, F_BYPASS, F_DROPPED, F_PASSED, F_REJECTED
from appliance.model.packet import Packet
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_BLOCKING = {
    "drop": Verdict.DROP,
    "reject": Verdict.REJECT,
    "rejectsrc": Verdict.REJECT,
    "rejectdst": Verdict.REJECT,
    "rejectboth": Verdict.REJECT,
}


def prevents(pipe: Pipeline, packet: Packet) -> bool:
    """Tell whether rules may block this packet: the engine prevents, and the policy of an end does."""
    if not pipe.settings.prevent:
        return False
    if pipe.bound is None:
        return True
    return pipe.bound.prevents(packet.src_if) or pipe.bound.prevents(packet.dst_if)


def run_rules(pipe: Pipeline, work: Work) -> None:
    """Inspect the packet, its stream and its transactions."""
    detector, flow = pipe.detector, work.flow
    if detector is None or (flow is not None and flow.flags & F_BYPASS):
        return
    chosen = pipe.bound.rule_filter(work.packet) if pipe.bound is not None else None
    detection = detector.inspect(
        work.packet, flow, work.now, pipe.settings.stream.inline, work.stream_events, chosen
    )
    if detection is None:
        work.note("detect", "no rule matched")
        return
    _report(pipe, work, detection)
    if detection.bypass and flow is not None:
        flow.flags |= F_BYPASS


def _report(pipe: Pipeline, work: Work, detection: Detection) -> None:
    blocking = prevents(pipe, work.packet)
    for match in detection.matches:
        verdict = _BLOCKING.get(match.action, Verdict.ACCEPT)
        blocked = blocking and verdict > Verdict.ACCEPT
        work.note("detect", match.action, f"{match.rule.gid}:{match.rule.sid} {match.rule.msg}")
        if blocked:
            _block(work, match, verdict)
        if not match.silent:
            _alert(pipe, work, match, blocked=blocked)
    flow = work.flow
    if detection.passed and flow is not None:
        flow.flags |= F_PASSED


def _block(work: Work, match: Match, verdict: Verdict) -> None:
    rule = match.rule
    reason = Reason.RATE_FILTER if match.rated else Reason.RULE
    name = f"{rule.gid}:{rule.sid} {rule.msg}"
    work.decide(Decision(verdict, reason, name), rule)
    flow = work.flow
    if flow is not None and match.whole_flow:
        flow.flags |= F_DROPPED | (F_REJECTED if verdict is Verdict.REJECT else 0)
        flow.action_by = name


def _alert(pipe: Pipeline, work: Work, match: Match, *, blocked: bool) -> None:
    pipe.counters.add("detect.alert")
    flow = work.flow
    if flow is not None:
        flow.flags |= F_ALERTED
    work.events.append(
        AlertEvent(
            work.now,
            work.packet,
            flow,
            match.rule,
            "blocked" if blocked else "allowed",
            match.tx,
            match.direction,
            tuple(match.tx.files) if match.tx is not None else (),
            match.context or {},
            match.source,
        )
    )
