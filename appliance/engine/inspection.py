"""Rules on one packet: run them, report what matched, and turn matches into a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.result import Detection, Match
from appliance.engine.work import Work
from appliance.firewall.bound import W_INSPECTED, W_PREVENTS
from appliance.model.app import FileObject, Transaction
from appliance.model.event import AlertEvent, FrameEvent, PacketEvent
from appliance.model.flow import F_BYPASS
from appliance.model.packet import Packet
from appliance.model.verdict import Decision, Reason, Verdict
from appliance.rulelang.tree import Rule

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_PAYLOAD = 4096  # bytes of a stream that an alert shows

_BLOCKING = {
    "drop": Verdict.DROP,
    "reject": Verdict.REJECT,
    "rejectsrc": Verdict.REJECT,
    "rejectdst": Verdict.REJECT,
    "rejectboth": Verdict.REJECT,
}


def prevents(pipe: Pipeline, packet: Packet) -> bool:
    """Tell whether rules may block this packet: the engine prevents, and the policy of an end does."""
    if not pipe.prevent:
        return False
    return pipe.bound is None or _prevented(pipe.bound.wishes(packet.src_if, packet.dst_if))


def inspected(pipe: Pipeline, packet: Packet) -> bool:
    """Tell whether some end wants its traffic inspected; traffic of nobody's is."""
    return pipe.bound is None or wanted(pipe.bound.wishes(packet.src_if, packet.dst_if))


def wanted(wishes: int) -> bool:
    """Tell by what the ends want whether their traffic is inspected."""
    return wishes == 0 or wishes & W_INSPECTED != 0


def _prevented(wishes: int) -> bool:
    return wishes == 0 or wishes & W_PREVENTS != 0


def run_rules(pipe: Pipeline, work: Work) -> None:
    """Inspect the packet, its stream and its transactions."""
    detector, flow, packet = pipe.detector, work.flow, work.packet
    if detector is None or (flow is not None and flow.flags & F_BYPASS):
        return
    chosen, blocking = None, pipe.prevent
    if pipe.bound is not None:
        wishes = pipe.bound.wishes(packet.src_if, packet.dst_if)
        if not wanted(wishes):
            return
        blocking = blocking and _prevented(wishes)
        if pipe.choice is not None and not pipe.bound.plain:
            chosen = pipe.choice.of(packet, pipe.bound)
    if detector.tagged(packet, flow, work.now):
        work.events.append(PacketEvent(work.now, packet, flow))
    detection = detector.inspect(packet, flow, work.now, blocking, work.stream_events, chosen)
    if flow is not None and detector.with_frames:
        for protocol, frame in detector.frames:
            work.events.append(FrameEvent(work.now, packet, flow, protocol, frame))
    if detection is None:
        if work.trace is not None:
            work.note("detect", "no rule matched")
        return
    _tell(pipe, work, detection, blocking=blocking)


def _tell(pipe: Pipeline, work: Work, detection: Detection, *, blocking: bool) -> None:
    """Carry out and report what rules have found."""
    flow = work.flow
    if blocking:
        _carry_out(work, detection)
    verdict = _verdict(work, detection)
    for match in detection.matches:
        match.context["verdict"] = verdict
        _report(pipe, work, match, blocking=blocking)
    if detection.bypass and flow is not None:
        pipe.bypass(flow)
    if detection.discarded:
        pipe.counters.add("detect.alert_queue_overflow", detection.discarded)
    suppressed = sum(1 for match in detection.matches if not match.alert)
    if suppressed:
        pipe.counters.add("detect.alerts_suppressed", suppressed)


def _verdict(work: Work, detection: Detection) -> tuple[str, str]:
    """Say what becomes of the packet: "drop", "pass" or "alert", and the action of a rule that rejects it."""
    by = detection.by
    rejects = by.action if detection.verdict == "reject" and by is not None else ""
    if work.decision.verdict >= Verdict.DROP:
        return "drop", rejects
    return ("pass" if detection.verdict == "pass" else "alert"), rejects


def _carry_out(work: Work, detection: Detection) -> None:
    """Turn the verdict of the rules into the packet's."""
    verdict = _BLOCKING.get(detection.verdict)
    if verdict is None or detection.by is None:
        return
    rule = detection.by.rule
    changed = detection.by.action != rule.action
    name = rule_name(rule)
    work.decide(Decision(verdict, Reason.RATE_FILTER if changed else Reason.RULE, name), rule)
    if work.flow is not None and detection.scope == "flow":
        work.flow.action_by = name


def rule_name(rule: Rule) -> str:
    """Name a rule in a decision: generator, signature id, message."""
    return f"{rule.gid}:{rule.sid} {rule.msg}"


def _files(tx: Transaction) -> tuple[FileObject, ...]:
    """Give the files that are not done with; all of them when none is left."""
    return tuple(file for file in tx.files if not file.logged) or tuple(tx.files)


def _report(pipe: Pipeline, work: Work, match: Match, *, blocking: bool) -> None:
    work.note("detect", match.action, rule_name(match.rule))
    if not match.alert:
        return
    pipe.counters.add("detect.alert")
    if match.source != "packet" and work.flow is not None and work.flow.detect is not None:
        shown = work.flow.detect.tails[match.direction].shown(_PAYLOAD)
        if shown:
            match.context["payload"] = shown
    blocked = blocking and match.action in _BLOCKING
    work.events.append(
        AlertEvent(
            work.now,
            work.packet,
            work.flow,
            match.rule,
            "blocked" if blocked else "allowed",
            match.tx,
            match.direction,
            _files(match.tx) if match.tx is not None else (),
            match.context,
            match.source,
        )
    )
