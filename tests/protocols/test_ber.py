"""ASN.1 reader: sizes, levels, and bytes that are no ASN.1 at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import ber


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", ber.MORE),
        (b"\x30", ber.MORE),
        (b"\x30\x00", 2),
        (b"\x30\x05", 7),
        (b"\x30\x81", ber.MORE),
        (b"\x30\x81\x80", 131),
        (b"\x30\x84\x00\x00\x00\x01", 7),
        (b"\x30\x80", ber.BAD),
        (b"\x30\x85\x00\x00\x00\x00\x01", ber.BAD),
        (b"\x1f\x81\x00", ber.BAD),
    ],
)
def test_size_of_an_element(data: bytes, size: int) -> None:
    assert ber.size(data) == size


def test_a_level_is_read_up_to_what_is_wrong() -> None:
    found, sound = ber.elements(b"\x02\x01\x05\x04\x02ab\x30\x7f")
    assert found == [(ber.INTEGER, b"\x05"), (ber.OCTETS, b"ab")]
    assert not sound


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"\x05", 5), (b"\xff", -1), (b"\x00\x80", 128), (b"", None), (bytes(10), None), (None, None)],
)
def test_integer(body: bytes | None, value: int | None) -> None:
    assert ber.integer(body) == value


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("2b060102010103", "1.3.6.1.2.1.1.3"),
        ("01", "0.1"),
        ("8837", "2.999"),
        ("28c462010101", "1.0.8802.1.1.1"),
        ("", ""),
        ("ff" * 300, ""),
    ],
)
def test_object_identifier(body: str, text: str) -> None:
    assert ber.oid(bytes.fromhex(body)) == text


def test_fields_keep_the_first_of_each_number() -> None:
    assert ber.fields(b"\xa1\x01a\xa1\x01b\x83\x01c\x04\x01d") == {1: b"a", 3: b"c"}


@given(st.binary(max_size=64))
def test_never_raises(data: bytes) -> None:
    found, _ = ber.elements(data)
    assert sum(len(element.body) for element in found) <= len(data)
    ber.fields(data)
    ber.oid(data)
    ber.inner(data, ber.SEQUENCE)
    ber.integer(data)
    size = ber.size(data)
    assert size in (ber.BAD, ber.MORE) or size >= 2
