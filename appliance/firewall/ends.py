"""Which policies have a say in a packet, and what each says: pure questions to rule tables."""

from __future__ import annotations

from appliance.firewall.bound import BoundPolicies, InterfacePolicy
from appliance.firewall.judgement import EndJudgement, Judgement, combine
from appliance.firewall.rule import FRAME_RARP, IN, OUT, VERDICTS, Rule
from appliance.firewall.subject import Subject
from appliance.model.identity import VmInterface
from appliance.model.verdict import Reason, Verdict

NAMES = {IN: "in", OUT: "out"}
# What each rule, or none, makes a policy say, for new flows; the memory starts anew beyond the bound.
_MAX_SAID = 4096
_said: dict[tuple[int, int, int], tuple[InterfacePolicy, Rule | None, EndJudgement]] = {}
# The same for what two of these make together.
_both: dict[tuple[int, int], tuple[EndJudgement, EndJudgement, Judgement]] = {}

End = tuple[InterfacePolicy, int]


def ends_of(
    bound: BoundPolicies, source: VmInterface | None, target: VmInterface | None, inner: bool
) -> list[End]:
    """Give the policies to ask: the sender's for OUT, the receiver's for IN.

    Where neither end is known, the policy for unknown ends stands for both; not so for a packet
    inside a tunnel, since the tunnel itself was judged.
    """
    sender, receiver = bound.index_of(source), bound.index_of(target)
    ends: list[End] = []
    if sender >= 0:
        ends.append(bound.senders[sender])
    if receiver >= 0:
        ends.append(bound.receivers[receiver])
    if not ends and bound.unknown is not None and not inner:
        ends = [(bound.unknown, OUT), (bound.unknown, IN)]
    return ends


def index_of(bound: BoundPolicies, interface: VmInterface | None) -> int:
    """Give the index under which rules know an interface, -1 for none."""
    index = bound.index_of(interface)
    if index < 0:
        return -1
    bound_to = bound.policies[index].interface
    return bound_to.index if bound_to is not None else -1


def tracking(ends: list[End], proto: int) -> list[End]:
    """Give those of the ends that judge a connection of ``proto`` once."""
    found = []
    for end in ends:
        tracked = end[0].stateful.tracked
        if tracked is None or proto in tracked:
            found.append(end)
    return found


def label_of(policy: InterfacePolicy) -> str:
    """Give the name of the interface that a policy is bound to."""
    return policy.interface.label if policy.interface is not None else "unknown"


def judge_end(end: End, subject: Subject, now: int) -> EndJudgement:
    """Ask the rules of one end."""
    policy, direction = end
    logged: list[str] = []
    table = policy.outbound if direction == OUT else policy.inbound
    rule = table.match(subject, now, logged)
    if logged or (rule is None and subject.frame == FRAME_RARP):
        return _say(end, subject, rule, tuple(logged))
    key = (id(policy), direction, id(rule))
    known = _said.get(key)
    if known is not None and known[0] is policy and known[1] is rule:
        return known[2]
    if len(_said) >= _MAX_SAID:
        _said.clear()
    found = _say(end, subject, rule, ())
    _said[key] = (policy, rule, found)
    return found


def _say(end: End, subject: Subject, rule: Rule | None, logged: tuple[str, ...]) -> EndJudgement:
    return _by_default(end, subject, logged) if rule is None else _by_rule(end, rule, logged)


def announces(policy: InterfacePolicy, direction: int, frame: int) -> bool:
    """Tell whether a frame tells switches where an interface is: RARP, as hypervisors send it after a move.

    A default action does not keep it from leaving, since it is no traffic of the machine, and without it what
    is sent to a machine that has moved would go to the old host. Rules that name it decide about it.
    """
    return frame == FRAME_RARP and direction == OUT and policy.interface is not None


def _by_default(end: End, subject: Subject, logged: tuple[str, ...]) -> EndJudgement:
    policy, direction = end
    verdict = Verdict.ACCEPT if announces(policy, direction, subject.frame) else policy.default
    reason = Reason.NONE if verdict <= Verdict.ACCEPT else _default_reason(policy)
    by = f"{policy.name}/default_action"
    return EndJudgement(label_of(policy), NAMES[direction], policy.name, verdict, reason, by, logged=logged)


def both(ends: tuple[EndJudgement, ...]) -> Judgement:
    """Give what :func:`combine` makes of ``ends``; of two that were said before, the same object again."""
    if len(ends) != 2:
        return combine(ends)
    sender, receiver = ends
    key = (id(sender), id(receiver))
    known = _both.get(key)
    if known is not None and known[0] is sender and known[1] is receiver:
        return known[2]
    if len(_both) >= _MAX_SAID:
        _both.clear()
    found = combine(ends)
    _both[key] = (sender, receiver, found)
    return found


def _by_rule(end: End, rule: Rule, logged: tuple[str, ...]) -> EndJudgement:
    policy, direction = end
    verdict = VERDICTS[rule.action]
    reason = Reason.NONE if verdict <= Verdict.ACCEPT else Reason.FIREWALL
    where, way = label_of(policy), NAMES[direction]
    return EndJudgement(
        where, way, policy.name, verdict, reason, rule.label, rule.section, rule.name, rule.log, logged
    )


def _default_reason(policy: InterfacePolicy) -> Reason:
    return Reason.UNKNOWN_INTERFACE if policy.interface is None else Reason.FIREWALL


def denied(end: End, reason: Reason, by: str) -> EndJudgement:
    """Make the judgement of an end that drops for a reason other than a rule."""
    policy, direction = end
    return EndJudgement(
        label_of(policy), NAMES[direction], policy.name, Verdict.DROP, reason, f"{policy.name}/{by}"
    )
