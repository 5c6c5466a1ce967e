"""A machine's state as bytes: whole or not at all, whatever happens on the way."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.handoff import codec
from appliance.handoff.codec import Assembler, BodyError, Header, pack, read_header, unpack

ENTRIES = [("flows", {"n": number, "data": "x" * number}) for number in range(50)] + [("kernel", [1, 2])]


def header_of(packed, **changes):
    fields = {
        "ident": "t1",
        "host": "a",
        "uuid": "u",
        "name": "eth0",
        "final": True,
        "revision": 3,
        "held": False,
        "at": 5,
        "entries": packed.entries,
        "lost": packed.lost,
        "size": len(packed.body),
        "digest": packed.digest,
    }
    return Header(**fields | changes)


def test_what_is_packed_is_read_again():
    packed = pack(ENTRIES)
    header = read_header(header_of(packed).pack())
    assert header == header_of(packed)
    assert list(unpack(header, packed.body, {}).values()) == ENTRIES


def test_what_went_along_before_goes_by_its_digest():
    first = pack(ENTRIES)
    known = unpack(header_of(first), first.body, {})
    changed = [*ENTRIES[:49], ("flows", {"n": 49, "data": "new"}), ENTRIES[50]]
    second = pack(changed, first.digests)
    assert list(unpack(header_of(second), second.body, known).values()) == changed
    with pytest.raises(BodyError, match="not here"):
        unpack(header_of(second), second.body, {})
    whole = pack([("flows", "y" * 50_000), *changed])
    few = pack([("flows", "y" * 50_000), *changed], whole.digests)
    assert whole.entries == few.entries == 52


@pytest.mark.parametrize("field", sorted(Header.__slots__))
@pytest.mark.parametrize("value", [None, -1, "", "x" * 9000, [], 1.5, 1 << 70])
def test_no_odd_header_is_taken(field, value):
    data = json.loads(header_of(pack(ENTRIES)).pack())
    data[field] = value
    assert read_header(json.dumps(data).encode()) is None


def test_another_version_is_not_taken():
    data = json.loads(header_of(pack(ENTRIES)).pack())
    assert read_header(json.dumps(data | {"v": 2}).encode()) is None


@given(st.binary(max_size=300))
def test_no_bytes_raise_as_a_header(data):
    assert read_header(data) is None


@given(st.data())
def test_a_damaged_body_is_refused(data):
    packed = pack(ENTRIES)
    body = bytearray(packed.body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BodyError):
        unpack(header_of(packed), bytes(body), {})


@given(st.binary(max_size=400))
def test_a_body_of_any_bytes_is_read_or_refused(raw):
    """Even where somebody has made the check sum fit."""
    for body in (raw, zlib.compress(raw)):
        packed = codec.Packed(body, raw.count(b"\n"), 0)
        try:
            unpack(header_of(packed), body, {})
        except BodyError:
            continue


def test_a_body_that_grows_without_bound_is_refused(monkeypatch):
    monkeypatch.setattr(codec, "MAX_RAW", 1 << 20)
    body = zlib.compress(b"[1,2]\n" * (1 << 20), 9)
    with pytest.raises(BodyError):
        unpack(header_of(codec.Packed(body, 1, 0)), body, {})
    line = zlib.compress(b"x" * (8 << 20))
    with pytest.raises(BodyError, match="too large"):
        unpack(header_of(codec.Packed(line, 1, 0)), line, {})


def test_the_sender_leaves_out_what_does_not_fit_and_counts_it(monkeypatch):
    monkeypatch.setattr(codec, "MAX_LINE", 1000)
    monkeypatch.setattr(codec, "MAX_ENTRIES", 3)
    packed = pack([("flows", "x" * 2000), *[("flows", number) for number in range(5)]])
    assert (packed.entries, packed.lost) == (3, 3)


@given(st.data())
def test_pieces_may_come_in_any_order_and_twice(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "MAX_PIECE", 37)
        packed = pack(ENTRIES)
        header = header_of(packed)
        together = Assembler(header)
        order = data.draw(st.permutations(range(header.pieces))) + data.draw(
            st.lists(st.integers(0, header.pieces - 1), max_size=5)
        )
        for index in order:
            assert together.take(index, packed.piece(index))
        assert not together.missing()
        assert together.body() == packed.body
        assert not together.take(header.pieces, b"x" * 37)
        assert not together.take(0, b"short")


def test_slices_are_those_that_an_engine_takes():
    found = list(codec.slices([("kernel", 1), ("blocks", 1), *[("flows", n) for n in range(5)]], 1, 2))
    assert [(one["kind"], one["entries"]) for one in found] == [
        ("flows", [0, 1]),
        ("flows", [2, 3]),
        ("flows", [4]),
        ("blocks", [1]),
    ]


def test_of_several_workers_the_one_that_sees_a_flow_speaks_for_it():
    def flow(ident, flags, note):
        return {"flow": {"id": ident, "flags": flags}, "note": note}

    first = {"kind": "flows", "entries": [flow(1, 4, "idle"), flow(2, 0, "mine")]}
    second = {"kind": "flows", "entries": [flow(1, 0, "seen"), flow(2, 4, "idle")]}
    blocks = {"kind": "blocks", "entries": [["u", "eth0", "01", 5]]}
    merged = codec.merge([first, blocks, second, blocks], adopted=4)
    assert [entry["note"] for kind, entry in merged if kind == "flows"] == ["seen", "mine"]
    assert len(merged) == 3
