"""Every virtual patch stops its attack and lets the nearest harmless traffic pass."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from rule_traffic import ROOT, alerts, load

PAIRS: list[dict[str, Any]] = [
    pair
    for file in sorted((ROOT / "tests/rules/pairs").glob("*.yaml"))
    for pair in yaml.safe_load(file.read_text())
]


def _traffic(value: dict[str, Any] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def patches():
    return load("virtual-patch-*.rules")


@pytest.fixture(scope="module")
def everything():
    return load("*.rules")


def test_all_our_rules_load(everything):
    assert not everything.errors
    assert [error.reason for error in everything.rules.refused] == []


def test_every_virtual_patch_and_web_rule_has_a_pair(patches):
    rules = [
        one.rule for one in (*patches.rules.ruleset.signatures, *load("web.rules").rules.ruleset.signatures)
    ]
    assert {rule.sid for rule in rules if not rule.noalert} <= {pair["sid"] for pair in PAIRS}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair["sid"]))
def test_attack_raises_its_rule(everything, pair):
    for traffic in _traffic(pair["attack"]):
        assert pair["sid"] in {event.rule.sid for event in alerts(everything, traffic)}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair["sid"]))
def test_harmless_relative_passes(patches, everything, pair):
    for traffic in _traffic(pair["benign"]):
        assert [event.rule.sid for event in alerts(patches, traffic)] == []
        assert pair["sid"] not in {event.rule.sid for event in alerts(everything, traffic)}


@pytest.fixture(scope="module")
def preventing():
    return load("virtual-patch-*.rules", mode="prevent")


PATCHES = [pair for pair in PAIRS if pair["sid"] < 9_010_000]


@pytest.mark.parametrize("pair", PATCHES, ids=lambda pair: str(pair["sid"]))
def test_attack_in_small_segments_is_blocked(preventing, pair):
    for traffic in _traffic(pair["attack"]):
        raised = {event.rule.sid: event.action for event in alerts(preventing, traffic, mss=7)}
        assert raised.get(pair["sid"]) == "blocked"
