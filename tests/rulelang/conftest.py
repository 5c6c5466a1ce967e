"""Short ways to read one rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.config.variables import STOCK_ADDRESS_VARS, STOCK_PORT_VARS
from appliance.rulelang.context import RuleContext, Skipped
from appliance.rulelang.parse import parse_rule
from appliance.rulelang.tree import Position, Rule, RuleError

Outcome = Rule | RuleError | Skipped


@pytest.fixture(scope="session")
def context() -> RuleContext:
    return RuleContext(STOCK_ADDRESS_VARS, STOCK_PORT_VARS)


@pytest.fixture(scope="session")
def read(context: RuleContext) -> Callable[..., Outcome]:
    """Read a whole rule."""
    return lambda text: parse_rule(text, Position("test.rules", 1), context)


@pytest.fixture(scope="session")
def options(read: Callable[[str], Outcome]) -> Callable[..., tuple[object, ...]]:
    """Read options into nodes; the rule has to be good."""

    def nodes(text: str, head: str = "alert tcp any any -> any any") -> tuple[object, ...]:
        rule = read(f"{head} ({text} sid:1;)")
        assert isinstance(rule, Rule), rule
        return rule.options

    return nodes


@pytest.fixture(scope="session")
def refusal(read: Callable[[str], Outcome]) -> Callable[..., RuleError]:
    """Read options that have to be refused."""

    def error(text: str, head: str = "alert tcp any any -> any any") -> RuleError:
        outcome = read(f"{head} ({text} sid:1;)")
        assert isinstance(outcome, RuleError), outcome
        return outcome

    return error
