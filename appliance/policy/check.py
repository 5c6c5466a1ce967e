"""Checks across documents: every name that is used exists, and nothing contains itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from appliance.config.document import Document
from appliance.config.errors import ConfigError
from appliance.firewall.rule import SECTIONS
from appliance.policy.conditions import Condition, Reference
from appliance.policy.documents import PolicyFile, PolicyModel, RuleModel
from appliance.policy.inherit import lineage
from appliance.policy.policyset import PolicySet
from appliance.protocols import registry

_SIDES = ("source", "destination")
UNKNOWN_WORDS = ("allow", "deny")
# Applications are named as they are recognised; what is not recognised has a name too.
_APPLICATIONS = dict.fromkeys((*registry.ALL, "unknown"))
Steps = tuple[Any, ...]


class Checker:
    """Checks one document against the whole set."""

    def __init__(self, whole: PolicySet, document: Document) -> None:
        """Check ``document``, whose parts are already in ``whole``."""
        self.whole = whole
        self.document = document
        self.errors: list[ConfigError] = []

    def check(self, parsed: PolicyFile) -> list[ConfigError]:
        """Give everything that is wrong with the names in ``parsed``."""
        for number, policy in enumerate(parsed.policies):
            self._policy(policy, ("policies", number))
        self._lists(parsed)
        for number, binding in enumerate(parsed.bindings):
            self._known("policy", binding.policy, self.whole.policies, ("bindings", number, "policy"))
        if parsed.default is not None:
            self._known("policy", parsed.default, self.whole.policies, ("default",))
        if parsed.unknown is not None and parsed.unknown not in UNKNOWN_WORDS:
            self._known("policy", parsed.unknown, self.whole.policies, ("unknown",))
        return self.errors

    def _known(self, what: str, name: str, known: Mapping[str, Any], path: Steps) -> None:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            self.errors.append(self.document.error(path, f"there is no {what} {name!r}", hint))

    def _policy(self, policy: PolicyModel, path: Steps) -> None:
        for number, parent in enumerate(policy.inherits):
            self._known("policy", parent, self.whole.policies, (*path, "inherits", number))
        _, cycle = lineage(self.whole.policies, policy.name)
        if cycle:
            way = " -> ".join(cycle)
            self.errors.append(self.document.error((*path, "inherits"), f"inherits itself: {way}"))
        for section in SECTIONS:
            for number, rule in enumerate(getattr(policy.firewall, section)):
                self._rule(rule, (*path, "firewall", section, number))
        for item in policy.scan_detection.exempt:
            if isinstance(item, Reference) and item.kind != "list":
                where = (*path, "scan_detection", "exempt")
                self.errors.append(self.document.error(where, "takes addresses and lists of addresses"))
        for side in ("allow", "deny"):
            for number, name in enumerate(getattr(policy.inspection.applications, side)):
                where = (*path, "inspection", "applications", side, number)
                self._known("application", name, _APPLICATIONS, where)
        self._references(
            policy.scan_detection.exempt, self.whole.addresses, (*path, "scan_detection", "exempt")
        )

    def _rule(self, rule: RuleModel, path: Steps) -> None:
        for side in _SIDES:
            self._condition(getattr(rule, side), self.whole.addresses, (*path, side))
            self._condition(getattr(rule, f"{side}_port"), self.whole.ports, (*path, f"{side}_port"))
            self._condition(getattr(rule, f"{side}_mac"), self.whole.macs, (*path, f"{side}_mac"))
        if rule.schedule is not None:
            name = rule.schedule.name or rule.schedule.excluded
            self._known("schedule", name, self.whole.schedules, (*path, "schedule"))

    def _condition(self, condition: Condition | None, lists: Mapping[str, Any], path: Steps) -> None:
        if condition is not None:
            self._references(condition.items, lists, path)

    def _references(self, items: Iterable[Any], lists: Mapping[str, Any], path: Steps) -> None:
        for item in items:
            if isinstance(item, Reference) and item.kind in {"list", "group"}:
                known = lists if item.kind == "list" else self.whole.groups
                self._known(item.kind, item.name, known, path)

    def _lists(self, parsed: PolicyFile) -> None:
        kinds = (
            ("addresses", parsed.lists.addresses, self.whole.addresses),
            ("ports", parsed.lists.ports, self.whole.ports),
            ("macs", parsed.lists.macs, self.whole.macs),
        )
        for kind, mine, known in kinds:
            for name, items in mine.items():
                self._references(items, known, ("lists", kind, name))
                self._contains_itself(name, known, "list", ("lists", kind, name))
                self._only_lists(items, ("lists", kind, name))
        for name, items in parsed.groups.items():
            self._references(items, self.whole.addresses, ("groups", name))
            self._contains_itself(name, self.whole.groups, "group", ("groups", name))

    def _only_lists(self, items: Iterable[Any], path: Steps) -> None:
        if any(isinstance(item, Reference) and item.kind != "list" for item in items):
            self.errors.append(
                self.document.error(path, "a list holds values and lists", "VMs belong in groups")
            )

    def _contains_itself(
        self, name: str, known: Mapping[str, tuple[Any, ...]], kind: str, path: Steps
    ) -> None:
        seen: set[str] = set()
        waiting = list(nested(known[name], kind))
        while waiting:
            inner = waiting.pop()
            if inner == name:
                self.errors.append(self.document.error(path, f"the {kind} contains itself"))
                return
            if inner not in seen and inner in known:
                seen.add(inner)
                waiting.extend(nested(known[inner], kind))


def nested(items: Iterable[Any], kind: str) -> list[str]:
    """Give the names of lists or groups inside a list or group."""
    return [item.name for item in items if isinstance(item, Reference) and item.kind == kind]
