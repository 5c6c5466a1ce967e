"""Exception policies: what becomes of a flow that the engine could not follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.engine import inspection
from appliance.engine.work import Work
from appliance.model.flow import F_BYPASS, F_DROPPED, F_EXCEPTION, F_PASSED, FlowState
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_REASONS = {
    "stream.midstream": Reason.STREAM_MIDSTREAM,
    "stream.reassembly": Reason.STREAM_REASSEMBLY,
    "app_layer": Reason.APPLICATION_ERROR,
    "defrag": Reason.FRAGMENT_LIMIT,
    "flow": Reason.FLOW_TABLE_FULL,
}


def _drop(work: Work, verdict: Verdict, target: str) -> None:
    work.decide(
        Decision(verdict, _REASONS.get(target, Reason.EXCEPTION_POLICY), f"exception policy of {target}")
    )


def _drop_packet(work: Work, target: str) -> None:
    _drop(work, Verdict.DROP, target)


def _drop_flow(work: Work, target: str) -> None:
    _drop(work, Verdict.DROP, target)
    _mark(work, F_DROPPED, target)


def _reject(work: Work, target: str) -> None:
    _drop(work, Verdict.REJECT, target)
    _mark(work, F_DROPPED, target)


def _pass_packet(work: Work, target: str) -> None:
    del target
    work.inspect = False


def _pass_flow(work: Work, target: str) -> None:
    # Parsers go on, for their records; rules do not look at the flow any more.
    work.inspect = False
    _mark(work, F_PASSED, target)


def _bypass(work: Work, target: str) -> None:
    work.inspect = False
    _mark(work, F_BYPASS, target)
    if work.flow is not None:
        work.flow.state = FlowState.BYPASSED


def _mark(work: Work, flags: int, target: str) -> None:
    flow = work.flow
    if flow is not None:
        flow.flags |= flags | F_EXCEPTION
        if flags & F_DROPPED:
            flow.action_by = f"exception policy of {target}"


_ACTIONS: dict[str, Callable[[Work, str], None]] = {
    "drop-packet": _drop_packet,
    "drop-flow": _drop_flow,
    "reject": _reject,
    "pass-packet": _pass_packet,
    "pass-flow": _pass_flow,
    "bypass": _bypass,
}
_BLOCKING = frozenset(("drop-packet", "drop-flow", "reject"))


# Name of the counter below ``exception_policy`` for each target.
_COUNTED = {
    "stream.midstream": "tcp.midstream",
    "stream.reassembly": "tcp.reassembly",
    "stream.memcap": "tcp.ssn_memcap",
    "app_layer": "app_layer.error",
}


def apply(pipe: Pipeline, work: Work, policy: str, target: str) -> None:
    """Carry out an exception policy on behalf of ``target`` ("stream.midstream"); "" is none.

    Policies that block count for nothing unless engine and interface policy prevent.
    """
    if not policy:
        return
    if policy in _BLOCKING and not inspection.prevents(pipe, work.packet):
        policy = "ignore"
    flow = work.flow
    if flow is not None and not flow.exception:
        flow.exception = f"{target}:{policy}"
    action = _ACTIONS.get(policy)
    if action is None:
        return
    pipe.counters.add(f"exception_policy.{_COUNTED.get(target, target)}.{policy.replace('-', '_')}")
    work.note("exception policy", policy, target)
    action(work, target)
