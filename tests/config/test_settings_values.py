"""Sizes, durations and names in settings, bad files, and what no file can do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import LoadOptions, is_ours, load_settings
from appliance.config.settings import (
    SECOND,
)
from appliance.config.values import parse_duration, parse_size, plain


def bad(**options):
    settings, errors = load_settings(LoadOptions(**options))
    assert settings is None
    return errors


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("mode: fast\n", "mode", "detect"),
        ("flow:\n  max-flow: 1\n", "flow.max-flow", "unknown key"),
        ("stream: {depth: lots}\n", "stream.depth", "size"),
        ("flow: {tcp: {new: soon}}\n", "flow.tcp.new", "time"),
        ("decode: {vxlan-ports: [70000]}\n", "decode.vxlan-ports.0", "less than"),
        ("a: [\n", "", "YAML"),
    ],
)
def test_errors_of_our_file_name_the_place(tmp_path, text, field, words):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    (error,) = bad(settings_file=str(path))
    assert (error.file, error.field) == (str(path), field)
    assert words in error.message
    assert error.line >= 1


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("a: 1\nstream:\n  reassembly:\n    depth: much\n", 6, "stream.reassembly.depth"),
        ("exception-policy: explode\n", 3, "exception-policy"),
        ("action-order: [pass, drop]\n", 3, "action-order"),
        ("stream: {midstream: yes, midstream-policy: drop-flow}\n", 3, "stream.midstream-policy"),
        ("host-os-policy: {amiga: [1.1.1.1]}\n", 3, "host-os-policy.amiga"),
        ("include: none.yaml\n", 3, ""),
        ("a: [\n", 4, ""),
        ("just text\n", 0, ""),
    ],
)
def test_errors_of_a_foreign_file_name_the_place(tmp_path, text, line, field):
    path = tmp_path / "suricata.yaml"
    path.write_text("%YAML 1.1\n---\n" + text)
    errors = bad(suricata_config=str(path))
    assert (errors[0].file, errors[0].line, errors[0].field) == (str(path), line, field)


def test_bad_options():
    assert [e.field for e in bad(mode="x", checksums="y", sets=("novalue",))] == ["mode", "checksums", "set"]
    assert "cannot be read" in bad(suricata_config="/none.yaml")[0].message
    assert "cannot be read" in bad(settings_file="/none.yaml")[0].message


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
        ),
        "a: " + "[" * 5000 + "]" * 5000,
        "include: suricata.yaml\n",
        "a: &x {b: *x}\n",
    ],
)
def test_bombs_are_refused_or_harmless(tmp_path, text):
    path = tmp_path / "suricata.yaml"
    path.write_text(text)
    _, errors = load_settings(LoadOptions(suricata_config=str(path)))
    # Which of the two readers stops at the depth first, ours or the library, differs by its version.
    assert all(re.search("more than|deeper|nesting depth", e.message) for e in errors)


@given(st.binary(max_size=200))
def test_odd_files_never_raise(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("c") / "x.yaml"
    path.write_bytes(content)
    load_settings(LoadOptions(suricata_config=str(path)))
    load_settings(LoadOptions(settings_file=str(path)))


@given(st.lists(st.text(max_size=30), max_size=4))
def test_odd_sets_never_raise(sets):
    load_settings(LoadOptions(sets=tuple(sets)))


def test_which_names_are_ours():
    assert is_ours("flow.tcp.new")
    assert is_ours("mode")
    assert not is_ours("flow-timeouts.tcp.new")
    assert not is_ours("stream.inline")
    assert not is_ours("stream.reassembly.depth")
    assert not is_ours("flow")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64mb", 64 << 20),
        ("100 KiB", 102_400),
        ("1.5 gb", 3 << 29),
        ("7", 7),
        ("x", None),
        ("1 parsec", None),
        ("", None),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("30", 30 * SECOND),
        ("5m", 300 * SECOND),
        ("2 hours", 7200 * SECOND),
        ("10ms", 10_000_000),
        ("-1", None),
        ("9y", None),
    ],
)
def test_durations(text, ns):
    assert parse_duration(text) == ns


def test_plain_values():
    assert [plain(t) for t in ("yes", "off", "1", "0", "4kb", "1.2", "any", "5 m", None)] == [
        True, False, 1, 0, 4096, "1.2", "any", "5 m", None,
    ]  # fmt: skip
