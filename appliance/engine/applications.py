"""Application control: what the policies of both ends say of a detected application, whatever its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.engine.work import Work
from appliance.firewall.bound import W_CONTROLS
from appliance.model.event import NoticeEvent
from appliance.model.flow import F_DROPPED, Flow
from appliance.model.identity import VmInterface
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

# What detection says when it found nothing: an ``allow`` list refuses that too.
UNKNOWN = "unknown"
_FAILED = "failed"


def judge(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """Drop the flow when an end refuses its application."""
    if pipe.bound is None or not flow.app_proto:
        return
    if pipe.bound.wishes(flow.client_if, flow.server_if) & W_CONTROLS == 0:
        return
    application = UNKNOWN if flow.app_proto == _FAILED else flow.app_proto
    for interface in (flow.client_if, flow.server_if):
        name = _refused_by(pipe, interface, application)
        if name:
            _drop(work, flow, application, name)
            return


def _refused_by(pipe: Pipeline, interface: VmInterface | None, application: str) -> str:
    policy = pipe.bound.policy_of(interface) if pipe.bound is not None else None
    if policy is None or policy.inspection.application_allowed(application):
        return ""
    return f"{policy.name}/applications"


def _drop(work: Work, flow: Flow, application: str, by: str) -> None:
    flow.flags |= F_DROPPED
    flow.action_by = by
    work.decide(Decision(Verdict.DROP, Reason.APPLICATION, f"{by}: {application}"))
    details = {"application": application, "by": by}
    work.events.append(NoticeEvent(work.now, "application_denied", work.packet, details))
