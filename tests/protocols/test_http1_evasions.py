import gzip
import sys
import zlib
from pathlib import Path

import brotli
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from http1_tools import exchange

SECRET = b"EVIL-CONTENT-THAT-A-RULE-LOOKS-FOR-0123456789"
GET = b"GET /file HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def chunks(data, size=b"%x\r\n", end=b"\r\n", step=7):
    out = b""
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        out += size.replace(b"%x", b"%x" % len(piece)) + piece + end
    return out + b"0\r\n\r\n"


def gz(flags=0, extra=b"", tail=None):
    trailer = (
        tail
        if tail is not None
        else zlib.crc32(SECRET).to_bytes(4, "little") + len(SECRET).to_bytes(4, "little")
    )
    return b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\x03" + extra + raw_deflate(SECRET) + trailer


TE = b"Transfer-Encoding: chunked\r\n\r\n"
FRAMING = {
    "length": OK + b"Content-Length: 45\r\n\r\n" + SECRET,
    "until close": OK + b"\r\n" + SECRET,
    "chunked": OK + TE + chunks(SECRET),
    "chunk size with zeros": OK + TE + chunks(SECRET, b"000%x\r\n"),
    "chunk size with junk": OK + TE + chunks(SECRET, b"%xg;a=b\r\n"),
    "space ahead of chunk size": OK + TE + chunks(SECRET, b" \t%x\r\n"),
    "empty lines ahead of chunk size": OK + TE + chunks(SECRET, b"\r\n\r\n%x\r\n"),
    "chunks with bare lf": OK + TE + chunks(SECRET, b"%x\n", b"\n"),
    "cr cr lf after the size": OK + TE + chunks(SECRET, b"%x\r\r\n"),
    "chunked in http/1.0": b"HTTP/1.0 200 OK\r\n" + TE + chunks(SECRET),
    "chunked and length": OK + b"Content-Length: 3\r\n" + TE + chunks(SECRET),
    "claims chunked, is not": OK + TE + SECRET,
    "chunked among others": OK + b"Transfer-Encoding: x, chunked, y\r\n\r\n" + chunks(SECRET),
    "chunked with nul": OK + b"Transfer\0-Encoding:chun\0ked\r\n\r\n" + chunks(SECRET),
    "space ahead of colon": OK + b"Transfer-Encoding : chunked\r\n\r\n" + chunks(SECRET),
    "two colons": OK + b"Transfer-Encoding:: chunked\r\n\r\n" + chunks(SECRET),
    "folded": OK + b"Transfer-Encoding\r\n :\r\n chunked\r\n\r\n" + chunks(SECRET),
    "fold without field": OK + b" Transfer-Encoding: chunked\r\n\r\n" + chunks(SECRET),
    "field indented": OK + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + chunks(SECRET),
    "lone cr ends lines": b"HTTP/1.1 200 OK\rA: b\rTransfer-Encoding: chunked\r\n\r\n" + chunks(SECRET),
    "lf cr lf ends the head": OK + b"Transfer-Encoding: chunked\n\r\n" + chunks(SECRET),
    "cr cr lf is no end": OK + b"A: b\r\n\r\r\n" + TE + chunks(SECRET),
    "length too small": OK + b"Content-Length: 4( 45)\r\n\r\n" + SECRET,
    "length with junk": OK + b"Content-Length: x45y\r\n\r\n" + SECRET,
    "two lengths": OK + b"Content-Length: 45\r\nContent-Length: 3\r\n\r\n" + SECRET,
    "no length at all": OK + b"Content-Length: zz\r\n\r\n" + SECRET,
    "body with 204": b"HTTP/1.1 204 No\r\nContent-Length: 45\r\n\r\n" + SECRET,
    "body with 304": b"HTTP/1.1 304 No\r\n\r\n" + SECRET,
    "http/0.9": SECRET,
    "lines ahead": b" \t\r\n\r\n" + OK + TE + chunks(SECRET),
    "junk line ahead": b"SIP/2.0 200 ok\r\n" + OK + TE + chunks(SECRET),
    "nul ahead": b"\0" + OK + TE + chunks(SECRET),
    "lower case": b"http/1.1 200\r\n" + TE + chunks(SECRET),
    "status is no number": b"HTTP/1.1 2\x0000 OK\r\n" + TE + chunks(SECRET),
    "after 100 continue": b"HTTP/1.1 100 C\r\n\r\n" + OK + TE + chunks(SECRET),
}
CODED = {
    "gzip": (b"gzip", gz()),
    "x-gzip": (b"x-gzip", gz()),
    "gzip in capitals": (b"GZip", gz()),
    "gzip with text behind": (b"gzip x", gz()),
    "gzip with name": (b"gzip", gz(8, b"name\0")),
    "gzip with extra": (b"gzip", gz(4, b"\2\0ab")),
    "gzip with wrong header checksum": (b"gzip", gz(2, b"\0\0")),
    "gzip with reserved flags": (b"gzip", gz(0xE0)),
    "gzip with wrong checksum": (b"gzip", gz(tail=b"\1" * 8)),
    "gzip without trailer": (b"gzip", gz(tail=b"")),
    "gzip members": (b"gzip", gzip.compress(SECRET[:20]) + gzip.compress(SECRET[20:])),
    "gzip with trailing garbage": (b"gzip", gz() + b"garbage behind"),
    "deflate raw": (b"deflate", raw_deflate(SECRET)),
    "deflate zlib": (b"deflate", zlib.compress(SECRET)),
    "zlib as gzip": (b"gzip", zlib.compress(SECRET)),
    "gzip as deflate": (b"deflate", gz()),
    "br": (b"br", brotli.compress(SECRET)),
    "plain as gzip": (b"gzip", SECRET),
    "plain as deflate": (b"deflate", SECRET),
    "plain as br": (b"br", SECRET),
    "twice": (b"deflate, gzip", gzip.compress(raw_deflate(SECRET))),
    "one of two": (b"gzip, deflate", gz()),
    "identity": (b"identity, gzip", gz()),
    "unknown": (b"foo", SECRET),
}


@pytest.mark.parametrize("name", FRAMING)
def test_the_body_is_found_whatever_the_framing(name):
    made = exchange(GET, FRAMING[name])
    assert SECRET in made.transactions[0].buffer("http.response_body", 1)
    assert SECRET in made.transactions[0].buffer("file.data", 1)[0]


@pytest.mark.parametrize("name", CODED)
def test_the_body_is_found_whatever_the_coding(name):
    coding, body = CODED[name]
    head = OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    made = exchange(GET, head + body)
    assert SECRET in made.transactions[0].buffer("http.response_body", 1)


def test_layers_are_bounded():
    body = gzip.compress(gzip.compress(gzip.compress(SECRET)))
    head = OK + b"Content-Encoding: gzip, gzip, gzip\r\n\r\n"
    tx = exchange(GET, head + body).transactions[0]
    assert "too_many_encoding_layers" in tx.events
    assert SECRET not in tx.buffer("http.response_body", 1)
    tx = exchange(GET, head + body, options={"response-body-decompress-layer-limit": 3}).transactions[0]
    assert SECRET in tx.buffer("http.response_body", 1)


@pytest.mark.parametrize(("coding", "pack"), [(b"gzip", gzip.compress), (b"br", brotli.compress)])
def test_a_bomb_is_defused(coding, pack):
    packed = pack(bytes(60 << 20))
    head = OK + b"Content-Encoding: " + coding + b"\r\n\r\n"
    tx = exchange(GET, head + packed).transactions[0]
    assert tx.bodies[1].size == 100 << 10
    assert tx.files[0].state == "TRUNCATED"
    double = exchange(
        GET,
        OK + b"Content-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(gzip.compress(bytes(40 << 20))),
        options={"response-body-limit": 0},
    ).transactions[0]
    assert "compression_bomb" in double.events
    assert double.bodies[1].size < 8 << 20


def test_limits_cut_files():
    tx = exchange(
        GET, OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000, options={"response-body-limit": "4 KiB"}
    ).transactions[0]
    assert (tx.files[0].size, tx.files[0].state, tx.log()["length"]) == (4096, "TRUNCATED", 4096)


def test_lzma_only_when_switched_on():
    import lzma

    body = lzma.compress(SECRET, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 4096}])
    head = OK + b"Content-Encoding: lzma\r\n\r\n"
    assert exchange(GET, head + body).transactions[0].buffer("http.response_body", 1) == body
    tx = exchange(GET, head + body, options={"lzma-enabled": "yes"}).transactions[0]
    assert tx.buffer("http.response_body", 1) == SECRET


@pytest.mark.parametrize(("finish", "state"), [("end", "CLOSED"), ("cut", "TRUNCATED")])
def test_a_body_that_is_not_looked_at_to_its_end_is_truncated(finish, state):
    made = exchange(GET, OK + b"\r\n" + SECRET, end=False)
    getattr(made, finish)(1)
    assert made.transactions[0].files[0].state == state
    assert made.transactions[0].progress[1] == 100
