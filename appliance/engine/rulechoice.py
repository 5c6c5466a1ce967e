"""Which inspection rules are on for a packet, and what they do: the policies of both ends together."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.firewall.bound import BoundPolicies, Inspection, RuleOverride
from appliance.model.packet import Packet
from appliance.rulelang.tree import Rule

_UNCHANGED = RuleOverride()
_MAX_CHOICES = 4096  # pairs of policies remembered; beyond that the memory starts anew


class Chosen:
    """Rules and actions for one pair of policies, by index of the rule in the set."""

    __slots__ = ("_actions", "_enabled")

    def __init__(self, enabled: bytearray, actions: dict[int, str]) -> None:
        self._enabled = enabled
        self._actions = actions

    def enabled(self, rule_index: int) -> bool:
        """Tell whether the rule is on for one of the ends."""
        return self._enabled[rule_index] != 0

    def action(self, rule_index: int) -> str:
        """Give the action that a policy puts in the rule's place, "" for none."""
        return self._actions.get(rule_index, "")


class RuleChoice:
    """Makes :class:`Chosen` for pairs of policies, once each. None means: every rule as it is."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Take the rules of the set in the order of their index."""
        self._rules = rules
        self._names = [_set_name(rule) for rule in rules]
        self._made: dict[tuple[int, int], Chosen | None] = {}

    def of(self, packet: Packet, bound: BoundPolicies) -> Chosen | None:
        """Give the choice for a packet's two ends."""
        ends = [bound.policy_of(packet.src_if), bound.policy_of(packet.dst_if)]
        inspections = [end.inspection for end in ends if end is not None]
        if all(one.plain for one in inspections):
            return None
        key = (id(inspections[0]), id(inspections[-1]))
        if key not in self._made:
            if len(self._made) >= _MAX_CHOICES:
                self._made.clear()
            self._made[key] = self._choose(inspections)
        return self._made[key]

    def _choose(self, inspections: list[Inspection]) -> Chosen:
        enabled, actions = bytearray(len(self._rules)), {}
        for index, rule in enumerate(self._rules):
            wanted = [one for one in inspections if self._wants(one, index, rule)]
            enabled[index] = bool(wanted)
            action = _action(wanted, rule)
            if action:
                actions[index] = action
        return Chosen(enabled, actions)

    def _wants(self, inspection: Inspection, index: int, rule: Rule) -> bool:
        changed = inspection.overrides.get(rule.sid, _UNCHANGED).enabled
        if changed is not None:
            return changed
        return inspection.rule_sets is None or self._names[index] in inspection.rule_sets


def _action(wanted: list[Inspection], rule: Rule) -> str:
    """Give the strictest action that the policies which want the rule put in its place."""
    found = {one.overrides.get(rule.sid, _UNCHANGED).action for one in wanted}
    for action in ("reject", "drop", "alert", "pass"):
        if action in found:
            return action
    return ""


def _set_name(rule: Rule) -> str:
    """A rule set is named by its file, without folder and ending."""
    name = rule.position.file.rpartition("/")[2]
    return name.removesuffix(".rules")
