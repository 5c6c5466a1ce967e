"""Say in words how the firewall comes to its judgement, by the same code, changing nothing."""

from __future__ import annotations

from appliance.firewall.end import End
from appliance.firewall.ends import judge_end
from appliance.firewall.firewall import Firewall
from appliance.firewall.judgement import EndJudgement, FlowVerdict, combine
from appliance.model.flow import Flow
from appliance.model.packet import Packet


def explain(firewall: Firewall, packet: Packet, flow: Flow | None, now: int) -> list[str]:
    """Give one line for each step: state, scan block, each end with its rule, the result."""
    if firewall.bound.empty:
        return ["firewall: no policies: accept"]
    here = firewall.packet_ends(packet)
    block = firewall.guard.blocked(here, packet.src, now)
    if block is not None:
        return [_line(block)]
    lines = _state(firewall, flow, now)
    found = _ends(firewall, packet, flow, here, now)
    lines += [
        f"firewall: {one.interface} {one.direction}: log {name}" for one in found for name in one.logged
    ]
    lines += [_line(one) for one in found]
    judgement = combine(found)
    result = judgement.verdict.name.lower()
    return [*lines, f"firewall: {result} ({judgement.reason.value}) by {judgement.by or 'no policy'}"]


def _state(firewall: Firewall, flow: Flow | None, now: int) -> list[str]:
    judged: FlowVerdict | None = flow.judged if flow is not None else None
    if judged is None:
        return []
    held = "no longer holds" if flow is not None and firewall.stale(flow, now) else "holds"
    return [
        f"firewall: state: {judged.verdict.name.lower()} of epoch {judged.epoch} {held}, by {judged.later.by}"
    ]


def _ends(
    firewall: Firewall, packet: Packet, flow: Flow | None, here: list[End], now: int
) -> tuple[EndJudgement, ...]:
    subject = firewall.packet_subject(packet)
    if flow is None:
        return tuple(judge_end(end, subject, now) for end in here)
    tracked = [end for end in firewall.flow_ends(packet, flow) if end.tracks(flow.proto)]
    untracked = [end for end in here if not end.tracks(flow.proto)]
    stateless = tuple(judge_end(end, subject, now) for end in untracked)
    return firewall.judge_ends(packet, flow, tracked, now) + stateless


def _line(one: EndJudgement) -> str:
    where = f"section {one.section}, rule {one.rule}" if one.rule else one.by
    return (
        f"firewall: {one.interface} {one.direction}: policy {one.policy}, {where}: {one.verdict.name.lower()}"
    )
