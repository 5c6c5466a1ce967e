"""Files: rules over several lines, duplicates, and the configuration files beside them."""

from __future__ import annotations

import pytest

from appliance.config.settings import DetectSettings
from appliance.rulelang.classification import DEFAULT_CLASSIFICATIONS, parse_classifications
from appliance.rulelang.context import ParseResult, RuleContext
from appliance.rulelang.parse import MAX_OPTIONS, merge, parse_file
from appliance.rulelang.reference import document
from appliance.rulelang.references import DEFAULT_REFERENCES, parse_references
from appliance.rulelang.registry import ALL
from appliance.rulelang.source import MAX_RULE, decode_rules, encode
from appliance.rulelang.thresholds import EventFilter, RateFilter, Suppress, parse_thresholds
from appliance.rulelang.tree import AddressSet, Position

HEAD = "alert tcp any any -> any any "


def rules(text: str, context: RuleContext):
    return parse_file(text, "f.rules", context)


def test_comments_blank_lines_and_line_ends(context) -> None:
    text = f"\ufeff# comment \\\r\n\r\n{HEAD}(sid:1;)\r\n   # {HEAD}(sid:2;)\n  {HEAD}(sid:3;)  \n"
    found = rules(text, context)
    assert [(rule.sid, rule.position.line, rule.position.column) for rule in found.rules] == [
        (1, 3, 1),
        (3, 5, 3),
    ]
    assert not found.errors


def test_continued_rules_keep_their_places(context) -> None:
    text = f'{HEAD}( \\\r\n  msg:"a"; \\ \n    content:"b"; depht:4; \\\n  sid:1;)\n{HEAD}(sid:2;)'
    found = rules(text, context)
    assert [rule.sid for rule in found.rules] == [2]
    (error,) = found.errors
    assert error.position == Position("f.rules", 3, 18)
    assert error.keyword == "depht"
    assert "depth" in error.hint


def test_continued_rule_is_joined(context) -> None:
    found = rules(f'{HEAD}(\\\nmsg:"a b"; \\\ncontent:"c"; \\\nsid:1;\\\n)\n', context)
    (rule,) = found.rules
    assert rule.msg == "a b"
    assert rule.options[0].position == Position("f.rules", 3, 1)


def test_file_that_ends_in_a_continuation(context) -> None:
    assert rules(f"{HEAD}(sid:1; \\", context).errors[0].reason == "the rule does not end with ')'"


@pytest.mark.parametrize(
    ("first", "second", "kept", "errors"),
    [
        ("sid:1; rev:1;", "sid:1; rev:2;", [2], 0),
        ("sid:1; rev:2;", "sid:1; rev:1;", [2], 1),
        ("sid:1; rev:1;", "sid:1; rev:1;", [1], 1),
        ("sid:1; gid:2; rev:1;", "sid:1; rev:1;", [1, 1], 0),
    ],
)
def test_duplicates(context, first, second, kept, errors) -> None:
    one, two = (
        parse_file(f"{HEAD}({text})", f"{name}.rules", context)
        for name, text in (("a", first), ("b", second))
    )
    found = merge((one, two))
    assert [rule.rev for rule in found.rules] == kept
    assert len(found.errors) == errors
    assert all("a.rules:1" in error.reason for error in found.errors)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{HEAD}(msg:"x";)', "no sid"),
        (f"{HEAD}(sid:0;)", "not between"),
        (f"{HEAD}(sid:1; sid:2;)", "stands twice"),
        (f"{HEAD}(sid:1)", "does not end with ';'"),
        (f"{HEAD}(sid:1;", "does not end with ')'"),
        (f"{HEAD}", "no options"),
        (f"{HEAD}(sid:1;;)", "without a name"),
        ("x" * (MAX_RULE + 1), "longer than"),
        (f"{HEAD}({'nocase;' * (MAX_OPTIONS + 1)})", "more than"),
        (f'{HEAD}(conten:"a"; sid:1;)', "unknown keyword 'conten'"),
    ],
)
def test_forms(context, text, reason) -> None:
    (error,) = rules(text, context).errors
    assert reason in error.reason


def test_empty_files(context) -> None:
    for text in ("", "\ufeff", "\n\r\n", "# only"):
        found = rules(text, context)
        assert found == ParseResult()


def test_encoding_gives_back_any_bytes() -> None:
    data = bytes(range(256)) + "é€".encode()
    assert encode(decode_rules(data)) == data
    assert encode("\ud800") == b"\xed\xa0\x80"


def test_classifications() -> None:
    text = (
        "# c\nconfig classification: a-b,Some thing, 2\n config  classification:a-b,Other,1\nconfig clas: x\n"
    )
    found, errors = parse_classifications(text, "c.config")
    assert found == {"a-b": ("Some thing", 2)}
    assert [error.position.line for error in errors] == [4]


def test_references() -> None:
    found, errors = parse_references("config reference: URL http://\nconfig reference: x\n", "r.config")
    assert found == {"url": "http://"}
    assert errors[0].position == Position("r.config", 2)
    assert DEFAULT_REFERENCES["cve"].startswith("http")


@pytest.mark.shared
def test_conventional_classifications_are_complete(shared) -> None:
    text = (shared / "rules" / "et-open-2021" / "classification.config").read_text()
    found, errors = parse_classifications(text, "classification.config")
    assert not errors
    assert {name: DEFAULT_CLASSIFICATIONS.get(name) for name in found} == found


def test_own_classifications_count(context) -> None:
    own = RuleContext.from_settings(DetectSettings(), {"mine": ("My own", 9)})
    (rule,) = parse_file(f"{HEAD}(classtype:mine; sid:1;)", "f", own).rules
    assert (rule.category, rule.priority) == ("My own", 9)


def test_thresholds(context) -> None:
    text = (
        "# comment\n"
        "suppress gen_id 1, sig_id 2\n"
        "suppress gen_id 1, sig_id 2, track by_src, ip [10.0.0.0/8, !10.1.0.0/16]\n"
        "suppress gen_id 1, sig_id 2, track by_either, ip $DNS_SERVERS\n"
        "threshold gen_id 1, sig_id 3, type limit, track by_flow, count 1, seconds 60\n"
        "event_filter gen_id 0, sig_id 0, type backoff, track by_flow, count 1, multiplier 10\n"
        "rate_filter gen_id 1, sig_id 4, track by_both, count 2, seconds 5, \\\n"
        "   new_action drop, timeout 30\n"
    )
    config = parse_thresholds(text, "t", context)
    assert not config.errors
    at = Position("t", 1)
    assert config.suppress[0] == Suppress(at, 1, 2)
    assert config.suppress[1].addresses == AddressSet(
        ((4, 0x0A000000, 0x0A00FFFF), (4, 0x0A020000, 0x0AFFFFFF))
    )
    assert config.suppress[2].track == "by_either"
    assert config.filters == [
        EventFilter(at, 1, 3, "limit", "by_flow", 1, 60),
        EventFilter(at, 0, 0, "backoff", "by_flow", 1, 0, 10),
    ]
    assert config.rates == [RateFilter(at, 1, 4, "by_both", 2, 5, "drop", 30)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("supress gen_id 1, sig_id 2", "unknown entry"),
        ("suppress gen_id 1", "sig_id is missing"),
        ("suppress gen_id 0, sig_id 2", "is no rule"),
        ("suppress gen_id 1, sig_id 2, track by_src", "ip is missing"),
        ("suppress gen_id 1, sig_id 2, track by_src, ip $NOPE", "not defined"),
        ("suppress gen_id 1, sig_id 2, track by_src, ip [1.1.1.1", "never closed"),
        ("suppress gen_id 1, sig_id 2, colour red", "unknown option"),
        ("threshold gen_id 1, sig_id 3, type limit, track by_src, count 1", "seconds is missing"),
        ("threshold gen_id 1, sig_id 3, type backoff, track by_src, count 1, multiplier 2", "by_flow"),
        (
            "rate_filter gen_id 1, sig_id 4, track by_src, count 2, seconds 5, new_action burn, timeout 3",
            "new_action",
        ),
        ("threshold gen_id 1, gen_id 1", "stands twice"),
    ],
)
def test_bad_thresholds(context, line, reason) -> None:
    (error,) = parse_thresholds(f"\n{line}\n", "t", context).errors
    assert reason in error.reason
    assert error.position.line == 2


def test_the_reference_tells_what_is_carried_out() -> None:
    page = document(lambda name: name == "content")
    assert '| `content` | `[!]"pattern"` |  |  | yes |' in page
    free = sum(word.kind == "meta" or word.buffer == "content" or word.name == "content" for word in ALL)
    assert page.count("| no |\n") == len(ALL) - free
