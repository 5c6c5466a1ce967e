"""Which policies have a say in a packet, and what each says: pure questions to rule tables."""

from __future__ import annotations

from appliance.firewall.bound import BoundPolicies, InterfacePolicy
from appliance.firewall.judgement import EndJudgement
from appliance.firewall.rule import IN, OUT, VERDICTS
from appliance.firewall.subject import Subject
from appliance.model.identity import VmInterface
from appliance.model.verdict import Reason, Verdict

NAMES = {IN: "in", OUT: "out"}

End = tuple[InterfacePolicy, int]


def ends_of(
    bound: BoundPolicies, source: VmInterface | None, target: VmInterface | None, inner: bool
) -> list[End]:
    """Give the policies to ask: the sender's for OUT, the receiver's for IN.

    Where neither end is known, the policy for unknown ends stands for both; not so for a packet
    inside a tunnel, since the tunnel itself was judged.
    """
    sender, receiver = bound.policy_of(source), bound.policy_of(target)
    ends: list[End] = []
    if sender is not None:
        ends.append((sender, OUT))
    if receiver is not None:
        ends.append((receiver, IN))
    if not ends and bound.unknown is not None and not inner:
        ends = [(bound.unknown, OUT), (bound.unknown, IN)]
    return ends


def index_of(bound: BoundPolicies, interface: VmInterface | None) -> int:
    """Give the index under which rules know an interface, -1 for none."""
    policy = bound.policy_of(interface)
    return policy.interface.index if policy is not None and policy.interface is not None else -1


def label_of(policy: InterfacePolicy) -> str:
    """Give the name of the interface that a policy is bound to."""
    return policy.interface.label if policy.interface is not None else "unknown"


def judge_end(end: End, subject: Subject, now: int) -> EndJudgement:
    """Ask the rules of one end."""
    policy, direction = end
    logged: list[str] = []
    table = policy.outbound if direction == OUT else policy.inbound
    rule = table.match(subject, now, logged)
    where, way, names = label_of(policy), NAMES[direction], tuple(logged)
    if rule is None:
        reason = Reason.NONE if policy.default <= Verdict.ACCEPT else _default_reason(policy)
        by = f"{policy.name}/default_action"
        return EndJudgement(where, way, policy.name, policy.default, reason, by, logged=names)
    verdict = VERDICTS[rule.action]
    reason = Reason.NONE if verdict <= Verdict.ACCEPT else Reason.FIREWALL
    return EndJudgement(
        where, way, policy.name, verdict, reason, rule.label, rule.section, rule.name, rule.log, names
    )


def _default_reason(policy: InterfacePolicy) -> Reason:
    return Reason.UNKNOWN_INTERFACE if policy.interface is None else Reason.FIREWALL


def denied(end: End, reason: Reason, by: str) -> EndJudgement:
    """Make the judgement of an end that drops for a reason other than a rule."""
    policy, direction = end
    return EndJudgement(
        label_of(policy), NAMES[direction], policy.name, Verdict.DROP, reason, f"{policy.name}/{by}"
    )
