"""Inheritance: the order of ancestors, and the policy that results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from appliance.firewall.rule import SECTIONS
from appliance.policy.documents import (
    GuardModel,
    InspectionModel,
    PolicyModel,
    RuleModel,
    ScanModel,
    StatefulModel,
)

ModelT = TypeVar("ModelT", bound=BaseModel)


def lineage(policies: Mapping[str, PolicyModel], name: str) -> tuple[list[PolicyModel], list[str]]:
    """Give a policy and its ancestors, the most derived first, and a cycle if there is one.

    Each comes once, always before what it inherits; of two parents the one listed first comes
    first. Names that are not known are left out. Does not recurse.
    """
    done: list[str] = []
    state: dict[str, int] = {}
    stack: list[tuple[str, int]] = [(name, 0)]
    while stack:
        current, step = stack.pop()
        parents = policies[current].inherits[::-1] if current in policies else ()
        if step == 0:
            state[current] = 1
        if step < len(parents):
            stack.append((current, step + 1))
            parent = parents[step]
            if state.get(parent) == 1:
                way = [one for one, _ in stack]
                return [], [*way[way.index(parent) :], parent]
            if parent not in state:
                stack.append((parent, 0))
        else:
            state[current] = 2
            done.append(current)
    return [policies[one] for one in reversed(done) if one in policies], []


def effective_rules(line: list[PolicyModel]) -> list[tuple[str, str, str, RuleModel]]:
    """Give (policy, section, name, rule) in the order of evaluation.

    Within a section the derived policy's rules come first. A named rule hides the rules of that
    name in all ancestors, also when it is not enabled.
    """
    hidden: set[str] = set()
    by_section: dict[str, list[tuple[str, str, str, RuleModel]]] = {section: [] for section in SECTIONS}
    for policy in line:
        own: set[str] = set()
        for section in SECTIONS:
            for number, rule in enumerate(getattr(policy.firewall, section), 1):
                name = rule.name or f"rule-{number}"
                if rule.name and rule.name in hidden:
                    continue
                own.update([rule.name] if rule.name else [])
                if rule.enabled:
                    by_section[section].append((policy.name, section, name, rule))
        hidden |= own
    return [entry for section in SECTIONS for entry in by_section[section]]


def effective(line: list[PolicyModel], key: str, default: Any) -> Any:
    """Give a single value: that of the most derived policy which sets it."""
    return next((getattr(policy, key) for policy in line if key in policy.model_fields_set), default)


def _merged(line: list[PolicyModel], key: str, kind: type[ModelT]) -> ModelT:
    """Put a part together key by key, the most derived policy winning."""
    values: dict[str, Any] = {}
    for policy in reversed(line):
        part = getattr(policy, key)
        if key in policy.model_fields_set:
            values.update({name: getattr(part, name) for name in part.model_fields_set})
    return kind.model_construct(**values)


def effective_stateful(line: list[PolicyModel]) -> StatefulModel:
    """Give the stateful settings that result."""
    return _merged(line, "stateful", StatefulModel)


def effective_scan(line: list[PolicyModel]) -> ScanModel:
    """Give the scan detection that results; each kind of scan is taken as a whole."""
    return _merged(line, "scan_detection", ScanModel)


def effective_guard(line: list[PolicyModel]) -> GuardModel:
    """Give the layer 2 guard that results."""
    return _merged(line, "guard", GuardModel)


def effective_inspection(line: list[PolicyModel]) -> InspectionModel:
    """Give the inspection that results; overrides of single rules are put together by number."""
    merged = _merged(line, "inspection", InspectionModel)
    rules: dict[int, Any] = {}
    for policy in reversed(line):
        rules.update(policy.inspection.rules)
    return merged.model_copy(update={"rules": rules})
