"""Bundles: what comes back is what was packed, and nothing else is unpacked."""

from __future__ import annotations

import dataclasses
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.handoff.bundle import (
    MAX_FILES,
    Bundle,
    BundleError,
    Manifest,
    describe,
    is_inside,
    read_manifest,
    unpack,
)

PARTS = {"policies": ["policies/0"], "rules": [], "inventory": "inventory/vms.yaml", "settings": ""}
FILES = {"policies/0/a.yaml": b"a: 1\n", "policies/0/deep/b.yaml": b"\xff\x00", "inventory/vms.yaml": b""}
GOOD = Bundle(FILES, PARTS)


def packed(found):
    return zlib.compress(json.dumps(found).encode())


def taken(data):
    return unpack(describe(data, 3, "one", 7), data)


def test_it_comes_back():
    data = GOOD.pack()
    manifest = describe(data, 3, "one", 7)
    assert read_manifest(manifest.pack()) == manifest
    assert unpack(manifest, data) == GOOD
    assert GOOD.pack() == data, "the same documents have the same digest"


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused(data):
    with pytest.raises(BundleError):
        taken(data)
    assert read_manifest(data) is None


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_bit_that_has_changed_is_found(place, change):
    data = bytearray(GOOD.pack())
    manifest = describe(bytes(data), 3, "one", 7)
    data[place % len(data)] ^= change
    with pytest.raises(BundleError, match="damaged"):
        unpack(manifest, bytes(data))


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/.", "a\0b", "x" * 600, "a\nb", 7]
)
def test_names_that_lead_elsewhere_are_refused(name):
    assert not is_inside(name)
    with pytest.raises(BundleError):
        taken(packed({"v": 1, "parts": PARTS, "files": {str(name): "YQ=="}} if name != 7 else {"v": 1}))
    with pytest.raises(BundleError):
        taken(packed({"v": 1, "parts": PARTS | {"inventory": name or 0}, "files": {}}))


@pytest.mark.parametrize(
    "found",
    [
        [], {"v": 2}, {"v": 1, "parts": PARTS}, {"v": 1, "files": {}}, {"v": 1, "parts": {}, "files": {}},
        {"v": 1, "parts": PARTS, "files": {"a": "not base64!"}}, {"v": 1, "parts": PARTS, "files": {"a": 1}},
        {"v": 1, "parts": PARTS | {"policies": "a"}, "files": {}},
        {"v": 1, "parts": PARTS, "files": {f"f{n}": "" for n in range(MAX_FILES + 1)}},
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_bundle_is_refused(found):
    with pytest.raises(BundleError):
        taken(packed(found))


def test_what_would_be_too_large_is_refused_before_it_is():
    with pytest.raises(BundleError, match="too large"):
        taken(zlib.compress(b" " * (200 << 20), 1))
    with pytest.raises(BundleError, match="too large"):
        Bundle({"a": bytes(100 << 20)}, PARTS).pack()


@pytest.mark.parametrize(
    "change",
    [
        {"number": -1},
        {"size": 0},
        {"size": 1 << 30},
        {"digest": "x" * 64},
        {"digest": "a"},
        {"by": "a.b"},
        {"at": "1"},
    ],
    ids=str,
)
def test_a_manifest_that_is_odd_is_refused(change):
    good = Manifest(1, "a" * 64, 10, "one", 1)
    assert read_manifest(dataclasses.replace(good, **change).pack()) is None
