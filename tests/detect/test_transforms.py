"""Transforms by table, and that none of them raises or grows without bound."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.settings import DetectSettings
from appliance.detect.transforms import OUTPUT_LIMIT, TransformError, decode_base64, names, prepare

SETTINGS = DetectSettings()
CASES = [
    ("to_sha1", "", b"", bytes.fromhex("da39a3ee5e6b4b0d3255bfef95601890afd80709")),
    ("to_lowercase", "", b"AbC", b"abc"),
    ("to_uppercase", "", b"AbC", b"ABC"),
    ("dotprefix", "", b"a.com", b".a.com"),
    ("strip_whitespace", "", b" a\tb\r\nc ", b"abc"),
    ("compress_whitespace", "", b"a  b \t c", b"a b c"),
    ("strip_pseudo_headers", "", b":method: GET\r\nhost: a\r\n", b"host: a\r\n"),
    ("header_lowercase", "", b"Host: A\r\nX-Y: Z\r\n", b"host: A\r\nx-y: Z\r\n"),
    ("url_decode", "", b"a%20b+c%zz%4", b"a b c%zz%4"),
    ("xor", "0d0a", b"\x0d\x0a\x0d", b"\0\0\0"),
    ("from_base64", "", b"aGVsbG8=", b"hello"),
    ("from_base64", "offset 1, bytes 8", b"!aGVsbG8=", b"hello"),
    ("from_base64", "mode strict", b"aGVs bG8=", b"aGVs bG8="),
    ("from_base64", "mode rfc2045", b"aGVs bG8=", b"hello"),
    ("pcrexform", r"^/(\w+)", b"/abc/d", b"abc"),
    ("pcrexform", r"^/(\w+)", b"none", b"none"),
    ("subslice", "1,2", b"abcd", b"bc"),
    ("subslice", "-2", b"abcd", b"cd"),
    ("subslice", "2,5", b"abcd", b""),
    ("subslice", "2,5,truncate", b"abcd", b"cd"),
    ("gunzip", "", gzip.compress(b"hello", mtime=0), b"hello"),
    ("zlib_deflate", "", zlib.compress(b"hello"), b"hello"),
    ("domain", "", b"www.example.co.uk", b"example.co.uk"),
    ("domain", "", b"www.example.com", b"example.com"),
    ("tld", "", b"www.example.co.uk", b"co.uk"),
]
ARGUMENTS = {"xor": "0a0b", "pcrexform": "(a+)", "subslice": "1,3"}


@pytest.mark.parametrize(("name", "argument", "data", "expected"), CASES)
def test_transform(name, argument, data, expected):
    assert prepare(name, argument, SETTINGS)(data) == expected


@pytest.mark.parametrize(
    ("name", "argument"),
    [("none", ""), ("xor", "zz"), ("xor", ""), ("pcrexform", "(a"), ("pcrexform", "a"), ("subslice", "x"),
     ("from_base64", "mode odd"), ("gunzip", "size 3")],
)  # fmt: skip
def test_wrong_arguments(name, argument):
    with pytest.raises(TransformError):
        prepare(name, argument, SETTINGS)


@given(st.sampled_from(sorted(names())), st.binary(max_size=200))
def test_never_raises(name, data):
    assert isinstance(prepare(name, ARGUMENTS.get(name, ""), SETTINGS)(data), bytes)


def test_decompression_is_bounded():
    bomb = gzip.compress(bytes(10 << 20))
    assert len(prepare("gunzip", "max-size 99999999", SETTINGS)(bomb)) <= OUTPUT_LIMIT


@given(st.binary(max_size=40), st.sampled_from(["rfc4648", "rfc2045", "strict"]))
def test_base64_never_raises(data, mode):
    decoded = decode_base64(data, mode)
    assert decoded is None or len(decoded) <= len(data)
