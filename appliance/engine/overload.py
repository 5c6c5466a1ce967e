"""What is given up when packets come faster than they can be inspected: first named classes, then inspection.

Whoever measures the queue sets ``Engine.load``. Nothing is given up in silence: it is counted, and reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.engine.work import Work
from appliance.firewall.bound import InterfacePolicy
from appliance.model.event import Event, NoticeEvent
from appliance.model.flow import F_BYPASS, F_MISSED, Flow
from appliance.model.mark import SETTLED
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

NORMAL, LESS, NONE = 0, 1, 2
BULK = "bulk"  # the class of flows that have carried much already
_DROP = "drop"


class Relief:
    """Counts what was given up since the last report; ``full`` are packets that a full queue dropped."""

    __slots__ = ("bypassed", "dropped", "full", "passed", "reported")

    def __init__(self) -> None:
        """Start with nothing given up."""
        self.bypassed: dict[str, int] = {}
        self.passed = 0
        self.dropped = 0
        self.full = 0
        self.reported = 0

    def report(self, now: int, interval: int, load: int) -> NoticeEvent | None:
        """Give a notice about what was given up, one in an interval (ns); None when there is none due."""
        something = self.bypassed or self.passed or self.dropped or self.full
        if not something or self.reported <= now < self.reported + interval:
            return None
        details = {
            "load": load,
            "flows_bypassed": dict(self.bypassed),
            "packets_uninspected": self.passed,
            "packets_dropped": self.dropped,
            "packets_queue_full": self.full,
        }
        self.bypassed, self.passed, self.dropped, self.full, self.reported = {}, 0, 0, 0, now
        return NoticeEvent(now, "overload", None, details)


def relieve(pipe: Pipeline, work: Work, flow: Flow) -> bool:
    """Spare a packet inspection, as the load demands; tells whether its way ends here.

    Where a policy wants ``drop`` as much is inspected as can be, and the full queue drops the rest, which
    costs least. Only a queue that would let packets through when it is full must not get there.
    """
    if flow.flags & F_BYPASS or flow.kernel & SETTLED == SETTLED or not pipe.inspects:
        return False
    ends = _ends(pipe, flow)
    if ends is None:
        return False
    closed = next((end for end in ends if end.inspection.on_overload == _DROP), None)
    if pipe.load >= NONE:
        if closed is None:
            return _let_pass(pipe, work, flow)
        if _queue_opens(pipe, flow):
            return _refuse(pipe, work, closed)
    look_again(pipe, work, flow)
    name = _class_of(pipe, flow) if closed is None else ""
    if name:
        pipe.bypass(flow)
        pipe.relief.bypassed[name] = pipe.relief.bypassed.get(name, 0) + 1
        pipe.counters.add("overload.flows_bypassed")
        work.note("overload", "bypass", name)
    return False


def _ends(pipe: Pipeline, flow: Flow) -> list[InterfacePolicy] | None:
    """Give the policies that want the flow inspected; None when none of those concerned does."""
    if pipe.bound is None:
        return []
    known = [pipe.bound.policy_of(end) for end in (flow.client_if, flow.server_if)]
    policies = [end for end in known if end is not None]
    found = [end for end in policies if end.inspection.enabled]
    return found if found or not policies else None


def _queue_opens(pipe: Pipeline, flow: Flow) -> bool:
    """Tell whether the flow's packets pass when their queue is full: where all its ends fail open."""
    bound = pipe.bound
    if bound is None:
        return False
    ends = [bound.policy_of(end) for end in (flow.client_if, flow.server_if)]
    return all(end.fail_open for end in ends if end is not None)


def _refuse(pipe: Pipeline, work: Work, policy: InterfacePolicy) -> bool:
    pipe.relief.dropped += 1
    work.decide(Decision(Verdict.DROP, Reason.OVERLOAD, f"{policy.name}/on_overload"))
    work.note("overload", "drop", policy.name)
    return True


def _let_pass(pipe: Pipeline, work: Work, flow: Flow) -> bool:
    """Let a packet through unseen; its flow is taken up in the middle when there is time again."""
    flow.flags |= F_MISSED
    work.inspect = False
    pipe.relief.passed += 1
    pipe.counters.add("overload.packets_uninspected")
    work.note("overload", "accept", "not inspected")
    return True


def _class_of(pipe: Pipeline, flow: Flow) -> str:
    """Give the class by which the settings give the flow up first, "" for none."""
    settings = pipe.settings.overload
    if flow.app_proto and flow.app_proto in settings.bypass:
        return flow.app_proto
    carried = flow.bytes_ts + flow.bytes_tc
    return BULK if carried > settings.bulk and BULK in settings.bypass else ""


def look_again(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """Take up a flow of which packets have passed unseen."""
    if flow.flags & F_MISSED:
        flow.flags &= ~F_MISSED
        pipe.resume(flow, work.now, work.events)


def report(pipe: Pipeline, now: int, events: list[Event]) -> None:
    """Report what was given up, when it is time to."""
    notice = pipe.relief.report(now, pipe.settings.overload.notice_interval, pipe.load)
    if notice is not None:
        events.append(notice)
