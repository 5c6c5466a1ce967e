"""``asn1``: each sign alone, nested elements, and bytes of no sense."""

import pytest
from detect_world import detector, payload_matches, refused
from hypothesis import given
from hypothesis import strategies as st

from appliance.detect.steps import inspect

CASES = [
    ("oversize_length 10", b"\x04\x0b", True),
    ("oversize_length 10", b"\x04\x0a", False),
    ("oversize_length 1024", b"\x30\x06\x04\x01x\x04\x82\x05\x00", True),
    ("oversize_length 1024", b"\x1f\x81\x01\x82\x05\x00", True),
    ("bitstring_overflow", b"\x03\x02\x09x", True),
    ("bitstring_overflow", b"\x03\x02\x07x", False),
    ("bitstring_overflow", b"\x04\x02\x09x", False),
    ("double_overflow", b"\x09\x82\x01\x01\x03", True),
    ("double_overflow", b"\x09\x82\x01\x00\x03", False),
    ("double_overflow", b"\x09\x82\x01\x01\x80", False),
    ("double_overflow, bitstring_overflow, absolute_offset 2", b"..\x03\x02\x09x", True),
    ("oversize_length 10", b"\x04\x8f" + b"\xff" * 15, False),
    ("oversize_length 10", b"\x04", False),
]


@pytest.mark.parametrize(("options", "data", "expected"), CASES)
def test_signs(options, data, expected):
    assert payload_matches(f"asn1:{options};", data) is expected


def test_relative_to_a_content():
    assert payload_matches('content:"ab"; asn1:oversize_length 10, relative_offset 1;', b"..ab.\x04\x0b")
    assert not payload_matches('content:"ab"; asn1:oversize_length 10, relative_offset 0;', b"..ab.\x04\x0b")


@pytest.mark.parametrize("options", ["relative_offset 3", "oversize_length", "deep 3"])
def test_refused(options):
    assert refused(f"alert udp any any -> any any (asn1:{options};)") == ["asn1"]


ENGINE = detector(
    "alert udp any any -> any any (asn1:double_overflow, bitstring_overflow, oversize_length 5000;)"
)


@given(st.binary(max_size=400))
def test_any_bytes(data):
    (signature,) = ENGINE.ruleset.signatures
    assert inspect(signature.chain, data, 0, True, ENGINE.ctx) in {True, False}
