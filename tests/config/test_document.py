"""YAML documents: values, places, and every bound."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from appliance.config import document as doc
from appliance.config.document import parse_document, read_document
from appliance.config.validate import Strict, validate


class Leaf(Strict):
    colour: str = ""
    size: int = 0


class Tree(Strict):
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10:20:30:40:50:55", "10:20:30:40:50:55"),
        ("22:00", "22:00"),
        ("yes", "yes"),
        ("true", True),
        ("~", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("-5", -5),
        ("1.5", 1.5),
        ("0xzz", "0xzz"),
        ("10.0.0.1", "10.0.0.1"),
        ("1" * 5000, "1" * 5000),
        ("'12'", "12"),
    ],
)
def test_scalars(text, value):
    document, errors = parse_document(text.encode(), "f")
    assert not errors
    assert document.data == value


def test_places_of_members():
    document, _ = parse_document(b"a: 1\nb:\n  - x: 2\n  - y: 3\n", "f")
    assert document.locate(("b", 1, "y")) == (4, 5, ("b", 1, "y"))
    assert document.locate(("b", "Branch", 1)) == (4, 5, ("b", 1))
    assert str(document.error(("b", 1, "y"), "bad", "why")) == "f:4: b.1.y: bad (why)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: 1\na: 2\n", "key is given twice"),
        (b"[" * 60, "nested deeper"),
        (b"a: *b\n", "alias *b"),
        (b"a: &a [*a]\n", "alias *a"),
        (b"a: [1\nb: 2\n", "YAML"),
        (b"? [1]\n: 2\n", "a key must be"),
        (b"---\na: 1\n---\nb: 1\n", "one document"),
        (b"\xff\xfe\xfa", "not readable"),
        (b"a: \x00", ""),
    ],
)
def test_refusals(text, message):
    _, errors = parse_document(text, "f")
    assert errors
    assert message in str(errors[0])


def test_bounds(monkeypatch):
    monkeypatch.setattr(doc, "MAX_VALUES", 1000)
    bomb = b"a0: &a0 [x, x, x, x]\n" + b"".join(
        b"a%d: &a%d [*a%d, *a%d, *a%d]\n" % (n, n, n - 1, n - 1, n - 1) for n in range(1, 30)
    )
    _, errors = parse_document(bomb, "f")
    assert "aliases counted" in errors[0].message
    monkeypatch.setattr(doc, "MAX_BYTES", 10)
    assert parse_document(b"x" * 11, "f")[1]


def test_alias_gives_the_same_value():
    document, errors = parse_document(b"a: &x {p: 1}\nb: *x\n", "f")
    assert not errors
    assert document.data == {"a": {"p": 1}, "b": {"p": 1}}


@given(st.binary(max_size=200))
def test_never_raises(data):
    document, errors = parse_document(data, "f")
    assert document is not None or errors


@given(
    st.recursive(
        st.integers(-(10**6), 10**6) | st.booleans() | st.none() | st.text("abc:-#'\"{}[] \n", max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("abc ", max_size=3), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_reads_back_what_yaml_writes(value):
    document, errors = parse_document(yaml.safe_dump(value).encode(), "f")
    assert not errors
    assert document.data == value


def test_all_errors_with_lines_and_hints():
    text = b"leaves:\n  - color: red\n  - size: many\nnamed:\n  a:\n    colour: 5\nleafs: 1\n"
    document, _ = parse_document(text, "f")
    value, errors = validate(Tree, document)
    assert value is None
    assert [(e.line, e.field) for e in errors] == [
        (2, "leaves.0.color"),
        (3, "leaves.1.size"),
        (6, "named.a.colour"),
        (7, "leafs"),
    ]
    assert "did you mean 'colour'" in errors[0].hint
    assert "did you mean 'leaves'" in errors[3].hint


def test_missing_file(tmp_path: Path):
    document, errors = read_document(tmp_path / "none.yaml")
    assert document is None
    assert "cannot be read" in errors[0].message


def test_keys_are_words():
    document, errors = parse_document(b"null: 1\ntrue: 2\n7: 3\n", "f")
    assert not errors
    assert document.data == {"null": 1, "true": 2, 7: 3}
