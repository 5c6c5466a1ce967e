"""A cached rule set is the rule set; damage, other files and other settings never change it."""

from __future__ import annotations

import gc
import hashlib
import marshal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.settings import DetectSettings, Settings
from appliance.daemon import memory, rulecache
from appliance.daemon.filecache import FileCache
from appliance.daemon.ruleload import load_rules
from appliance.rulelang.codec import decode, encode
from appliance.rulelang.context import ParseResult, RuleContext
from appliance.rulelang.parse import parse_file
from appliance.rulelang.source import decode_rules

RULES = r"""
alert tcp $HOME_NET any -> [10.0.0.0/8,!10.1.1.1] [80,8080:8090] (msg:"a|3b| \"b\""; content:"x y"; \
    flow:established,to_server; sid:1;)
drop http any any -> any any (msg:"uri"; http.uri; content:"/etc|00 ff|"; nocase; depth:20; \
    pcre:"/a(b|c)+/i"; sid:2; rev:3;)
alert ip any any <> any any (msg:"wide"; byte_test:4,>,1000,0,relative; byte_extract:2,0,len; \
    isdataat:len,relative; sid:3;)
alert tcp any any -> any any (msg:"broken"; contnt:"x"; sid:4;)
alert dns any any -> any any (msg:"needs"; requires: version >= 99; sid:5;)
alert tcp any any -> any any (msg:"again"; content:"x"; threshold: type limit, track by_src, count 1, \
    seconds 60; sid:3;)
"""


def context() -> RuleContext:
    return RuleContext.from_settings(DetectSettings())


def same(one: ParseResult, two: ParseResult) -> bool:
    """Compare with the places of options, which equality of nodes leaves out."""
    places = [[option.position for rule in x.rules for option in rule.options] for x in (one, two)]
    return one == two and places[0] == places[1]


def read(text: str, folder: Path, settings: DetectSettings | None = None) -> ParseResult:
    settings = settings or DetectSettings()
    made = RuleContext.from_settings(settings)
    return rulecache.RuleReader(made, settings, FileCache(folder)).read(text, "f.rules")


def rewrite(path: Path, body: bytes) -> None:
    """Put other content into an entry, with a hash that fits."""
    magic = path.read_bytes()[:6]
    path.write_bytes(magic + hashlib.sha256(body).digest() + body)


def test_codec_round_trip():
    parsed = parse_file(RULES, "f.rules", context())
    assert len(parsed.rules) == 3
    assert parsed.errors
    assert parsed.skipped
    again = decode(encode(parsed), "f.rules")
    assert again is not None
    assert same(parsed, again)


@pytest.mark.shared
def test_codec_round_trip_of_all_rules(shared):
    made = context()
    for path in sorted((shared / "rules/et-open-2021").glob("*.rules")):
        parsed = parse_file(decode_rules(path.read_bytes()), str(path), made)
        again = decode(encode(parsed), str(path))
        assert again is not None
        assert same(parsed, again), path


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_entry(data):
    assert decode(marshal.dumps(data), "f") is None


@given(st.recursive(st.integers() | st.text(max_size=5) | st.none(), lambda x: st.lists(x).map(tuple)))
def test_arbitrary_values_are_no_entry(value):
    assert decode(marshal.dumps((1, value)), "f") is None or value == ((), (), (), ())


def test_second_read_does_not_parse(tmp_path, monkeypatch):
    first = read(RULES, tmp_path)
    monkeypatch.setattr(rulecache, "parse_file", lambda *_: pytest.fail("parsed again"))
    assert same(read(RULES, tmp_path), first)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (RULES + " ", DetectSettings()),
        (RULES, replace(DetectSettings(), address_vars=(("HOME_NET", "10.0.0.0/8"),))),
        (RULES, replace(DetectSettings(), port_vars=(("HTTP_PORTS", "80"),))),
    ],
)
def test_other_inputs_are_read_anew(tmp_path, text, settings):
    read(RULES, tmp_path)
    expected = parse_file(text, "f.rules", RuleContext.from_settings(settings))
    assert same(read(text, tmp_path, settings), expected)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes()[:90] + b"\xff" + path.read_bytes()[91:]),
        lambda path: rewrite(path, b"\xff\xff\xff"),
        lambda path: rewrite(path, marshal.dumps((1, ((("x",),), (), (), ())))),
        lambda path: rewrite(path, marshal.dumps((99, ((), (), (), ())))),
        lambda path: path.chmod(0o666),
    ],
    ids=["empty", "cut", "flipped", "not marshal", "other shape", "other form", "written by others"],
)
def test_damage_never_shows(tmp_path, damage):
    first = read(RULES, tmp_path)
    (entry,) = tmp_path.iterdir()
    damage(entry)
    assert same(read(RULES, tmp_path), first)


def test_load_with_and_without_cache_is_the_same(tmp_path):
    path = tmp_path / "own.rules"
    path.write_text(RULES)
    plain = load_rules([path], Settings(), None)
    for _ in range(2):
        cached = load_rules([path], Settings(), tmp_path / "cache")
        assert cached.files == plain.files
        assert cached.refused == plain.refused
        assert [s.rule for s in cached.ruleset.signatures] == [s.rule for s in plain.ruleset.signatures]


def test_collecting_goes_on_after_loading():
    with memory.without_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="x"), memory.without_collecting():
        raise ValueError("x")
    assert gc.isenabled()
