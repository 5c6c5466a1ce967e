"""Any text ends in a value, soon; real rule sets load whole and fast."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.variables import STOCK_ADDRESS_VARS, STOCK_PORT_VARS
from appliance.rulelang.context import ParseResult, RuleContext, Skipped
from appliance.rulelang.parse import merge, parse_file, parse_rule
from appliance.rulelang.registry import KEYWORDS
from appliance.rulelang.source import decode_rules
from appliance.rulelang.thresholds import parse_thresholds
from appliance.rulelang.tree import Position, Rule, RuleError

CONTEXT = RuleContext(STOCK_ADDRESS_VARS, STOCK_PORT_VARS)
HERE = Position("x", 1)
ARGUMENTS = st.text(
    alphabet=st.sampled_from(list('09azAZ,:;|!<>=-+&."\\/()[]$* \t\u00e9\udcff')), max_size=40
)


@given(st.text(max_size=400))
def test_any_text_ends_in_values(text) -> None:
    found = parse_file(text, "x", CONTEXT)
    assert all(isinstance(rule, Rule) for rule in found.rules)
    assert all(error.reason for error in found.errors)
    parse_thresholds(text, "x", CONTEXT)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_values(data) -> None:
    parse_file(decode_rules(b'alert tcp any any -> any any (msg:"' + data + b'"; sid:1;)'), "x", CONTEXT)


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KEYWORDS)), ARGUMENTS), max_size=6),
    st.sampled_from(["tcp", "http", "ip"]),
)
def test_any_options_end_in_values(options, protocol) -> None:
    body = "".join(f"{name}:{argument};" if argument else f"{name};" for name, argument in options)
    outcome = parse_rule(f"alert {protocol} any any -> any any ({body} sid:1;)", HERE, CONTEXT)
    assert isinstance(outcome, Rule | RuleError | Skipped)


@given(st.text(alphabet="[]!$,:/.-0123456789anyHOMENET_ ", max_size=120))
def test_any_header_ends_in_values(text) -> None:
    parse_rule(f"alert tcp {text} -> {text} (sid:1;)", HERE, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60_000,
        "alert tcp " + "[" * 60_000 + " any -> any any (sid:1;)",
        "alert tcp " + "!" * 60_000 + "any any -> any any (sid:1;)",
        "alert tcp [" + "1.1.1.1," * 8_000 + "1.1.1.1] any -> any any (sid:1;)",
        "alert tcp any any -> any any (" + ";" * 60_000 + ")",
        'alert tcp any any -> any any (content:"' + "\\" * 60_000 + '"; sid:1;)',
        'alert tcp any any -> any any (content:"' + "|00|" * 15_000 + '"; sid:1;)',
        'alert tcp any any -> any any (content:"' + "|" * 60_001 + '"; sid:1;)',
        "alert tcp any any -> any any (dsize:" + "9" * 60_000 + "; sid:1;)",
        "alert tcp any any -> any any (http.uri; from_base64:" + "offset 1 , " * 5_000 + '; content:"a"; sid:1;)',  # noqa: E501
        "alert tcp any any -> any any (" + "a" * 60_000 + "; sid:1;)",
        "alert tcp any any -> any any (frame:" + "a." * 30_000 + "; sid:1;)",
        "alert tcp any any -> any any (metadata:" + "a b," * 15_000 + "; sid:1;)",
        "alert tcp any any -> any any (asn1:" + "a," * 30_000 + "!; sid:1;)",
        'alert tcp any any -> any any (' + 'content:"a"; within:1; byte_jump:1,0,relative;' * 340 + " sid:1;)",  # noqa: E501
        "alert tcp any any -> any any (requires:version " + ">= 8" * 15_000 + "; sid:1;)",
        "\\\n" * 60_000,
    ],
    ids=range(17),
)  # fmt: skip
def test_hostile_texts_cost_in_proportion_to_their_length(text) -> None:
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        parse_file(text, "x", CONTEXT)
    finally:
        sys.setprofile(None)
    assert calls < 20 * len(text)


def load(paths) -> ParseResult:
    context = RuleContext(STOCK_ADDRESS_VARS, STOCK_PORT_VARS)
    return merge([parse_file(decode_rules(path.read_bytes()), path.name, context) for path in paths])


@pytest.fixture(scope="module")
def emerging(shared):
    return load(sorted((shared / "rules" / "et-open-2021").glob("*.rules")))


@pytest.mark.shared
def test_the_whole_emerging_set_is_read(emerging) -> None:
    assert emerging.errors == []
    assert emerging.skipped == []
    assert len(emerging.rules) == 15_428


@pytest.mark.shared
def test_the_suite_is_read(shared) -> None:
    paths = sorted((shared / "suricata-verify" / "tests").rglob("*.rules"))
    refused = [
        error
        for path in paths
        for error in parse_file(decode_rules(path.read_bytes()), str(path), CONTEXT).errors
    ]
    assert not [error for error in refused if "is not defined" not in error.reason]


@pytest.mark.shared
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damaged_rules_end_in_values(emerging, data) -> None:
    text = emerging.rules[data.draw(st.integers(0, len(emerging.rules) - 1))].text
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.sampled_from(["", ";", ":", '"', "|", "\\", ",", "(", ")", "!", "-1", " ", "\u0130"])
        )
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 4)) :]
    outcome = parse_rule(text, HERE, CONTEXT)
    if isinstance(outcome, RuleError):
        assert 1 <= outcome.position.column <= len(text) + 2
