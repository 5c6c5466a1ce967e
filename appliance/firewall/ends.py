"""Which policies have a say in a packet, and what each says: pure questions to rule tables."""

from __future__ import annotations

from itertools import count

from appliance.firewall.bound import BoundPolicies, InterfacePolicy
from appliance.firewall.end import End
from appliance.firewall.judgement import EndJudgement, Judgement, combine
from appliance.firewall.rule import FRAME_RARP, IN, OUT, VERDICTS, Rule
from appliance.firewall.subject import Subject
from appliance.model.identity import VmInterface
from appliance.model.verdict import Reason, Verdict

NAMES = {IN: "in", OUT: "out"}
# What an end says by each rule is remembered, and what two of these make together; the memory starts anew
# beyond the bound.
_MAX_SAID = 256
_MAX_BOTH = 4096
_both: dict[int, tuple[EndJudgement, EndJudgement | None, Judgement]] = {}
_MAX_NUMBER = 0x7FFFFFFF
_numbers = count(1)


def ends_of(
    bound: BoundPolicies, source: VmInterface | None, target: VmInterface | None, inner: bool
) -> list[End]:
    """Give the policies to ask: the sender's for OUT, the receiver's for IN. The list is not to be changed.

    Where neither end is known, the policy for unknown ends stands for both; not so for a packet
    inside a tunnel, since the tunnel itself was judged.
    """
    sender, receiver = bound.index_of(source), bound.index_of(target)
    if sender >= 0 and receiver >= 0:
        return [bound.sender(sender), bound.receiver(receiver)]
    if sender >= 0:
        return [bound.sender(sender)]
    if receiver >= 0:
        return [bound.receiver(receiver)]
    return [] if inner else bound.strangers


def tracking(ends: list[End], proto: int) -> list[End]:
    """Give those of the ends that judge a connection of ``proto`` once: nearly always all."""
    for end in ends:
        if end.tracked is not None and proto not in end.tracked:
            return [one for one in ends if one.tracks(proto)]
    return ends


def label_of(policy: InterfacePolicy) -> str:
    """Give the name of the interface that a policy is bound to."""
    return policy.interface.label if policy.interface is not None else "unknown"


def judge_end(end: End, subject: Subject, now: int) -> EndJudgement:
    """Ask the rules of one end."""
    if end.table.count:
        logged: list[str] = []
        rule = end.table.match(subject, now, logged)
        if logged:
            names = tuple(logged)
            return _by_default(end, subject, names) if rule is None else _by_rule(end, rule, names)
        if rule is not None:
            return _as_before(end, rule)
    if subject.frame == FRAME_RARP:
        return _by_default(end, subject, ())
    if end.usual is None:
        end.usual = _numbered(_by_default(end, subject, ()))
    return end.usual


def _as_before(end: End, rule: Rule) -> EndJudgement:
    """Give what an end says by a rule of its own, the same object each time."""
    known = end.said.get(id(rule))
    if known is None:
        if len(end.said) >= _MAX_SAID:
            end.said.clear()
        known = end.said[id(rule)] = _numbered(_by_rule(end, rule, ()))
    return known


def _numbered(said: EndJudgement) -> EndJudgement:
    said.number = next(_numbers) & _MAX_NUMBER
    return said


def announces(policy: InterfacePolicy, direction: int, frame: int) -> bool:
    """Tell whether a frame tells switches where an interface is: RARP, as hypervisors send it after a move.

    A default action does not keep it from leaving, since it is no traffic of the machine, and without it what
    is sent to a machine that has moved would go to the old host. Rules that name it decide about it.
    """
    return frame == FRAME_RARP and direction == OUT and policy.interface is not None


def _by_default(end: End, subject: Subject, logged: tuple[str, ...]) -> EndJudgement:
    policy, direction = end.policy, end.direction
    verdict = Verdict.ACCEPT if announces(policy, direction, subject.frame) else policy.default
    reason = Reason.NONE if verdict <= Verdict.ACCEPT else _default_reason(policy)
    by = f"{policy.name}/default_action"
    return EndJudgement(label_of(policy), NAMES[direction], policy.name, verdict, reason, by, logged=logged)


def both(ends: tuple[EndJudgement, ...]) -> Judgement:
    """Give what :func:`combine` makes of ``ends``; of what was said before, the same object again."""
    if not ends or len(ends) > 2:
        return combine(ends)
    first = ends[0]
    second = ends[1] if len(ends) == 2 else None
    if not first.number or (second is not None and not second.number):
        return combine(ends)
    key = first.number << 32 | (second.number if second is not None else 0)
    known = _both.get(key)
    if known is not None and known[0] is first and known[1] is second:
        return known[2]
    if len(_both) >= _MAX_BOTH:
        _both.clear()
    found = combine(ends)
    _both[key] = (first, second, found)
    return found


def _by_rule(end: End, rule: Rule, logged: tuple[str, ...]) -> EndJudgement:
    policy, direction = end.policy, end.direction
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
    policy = end.policy
    return EndJudgement(
        label_of(policy), NAMES[end.direction], policy.name, Verdict.DROP, reason, f"{policy.name}/{by}"
    )
