import gzip
import random
import sys
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from http1_tools import exchange, snapshot

BODY = b"The quick brown fox jumps over the lazy dog. " * 4
RAW = zlib.compressobj(9, zlib.DEFLATED, -15)
DEFLATED = RAW.compress(BODY) + RAW.flush()
BOUND = b"--xx\r\nContent-Disposition: form-data; name=a; filename=f.txt\r\n\r\nabc\r\ndef\r\n--xx--\r\n"

REQUESTS = [
    b"GET /a/../b%20c?d=%41 HTTP/1.1\r\nHost: h\r\nX: 1\r\n 2\r\nX: 3\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
    (
        b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x\r\nabc\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    ),
    b"POST /m HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=xx\r\nContent-Length: %d\r\n\r\n"
    % len(BOUND)
    + BOUND,
    b"GET /short\r\nUser-Agent: x\r\n\r\n",
    b"GET /nine\r\n",
    b"\r\n\r\n \tget\t/x\tHTTP/1.1\r\nHost: a\r\n\r\nstray=body",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
]
HEAD = b"HTTP/1.1 200 OK\r\n"
RESPONSES = [
    HEAD + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + HEAD + b"\r\nup to the end",
    HEAD
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(BODY))
    + gzip.compress(BODY),
    HEAD + b"Content-Encoding: deflate, gzip\r\n\r\n" + gzip.compress(DEFLATED),
    HEAD + b"Content-Encoding: gzip\r\n\r\nnot compressed at all",
    HEAD + b"Content-Encoding: deflate\r\n\r\n" + DEFLATED[: len(DEFLATED) // 2] + b"\xff" * 30,
    b" \r\nSIP/2.0 200 ok\r\nHTTP/1.1\x00200\rA: b\n\r\r\nTransfer-Encoding: x chunked\n \n\r\nbody",
    b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 3( 68)\r\n\r\nabcdefgh",
    b"plain body without a head",
]


def mutate(data, seed):
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(3)
        if kind == 0:
            out[at:at] = rng.choice(
                [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\0", b":", b"chunked", b"HTTP/1.1 "]
            )
        elif kind == 1:
            del out[at : at + rng.randrange(6)]
        else:
            out[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(out)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(REQUESTS),
    st.sampled_from(RESPONSES),
    st.integers(0, 1 << 30) | st.none(),
    st.lists(st.integers(0, 400), max_size=6),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_any_cut_gives_the_same(request_bytes, response_bytes, seed, cuts_ts, cuts_tc):
    if seed is not None:
        request_bytes, response_bytes = mutate(request_bytes, seed), mutate(response_bytes, seed + 1)
    whole = exchange(request_bytes, response_bytes)
    cuts = ([c for c in cuts_ts if c < len(request_bytes)], [c for c in cuts_tc if c < len(response_bytes)])
    pieces = exchange(request_bytes, response_bytes, cuts)
    singly = exchange(request_bytes, response_bytes, (range(len(request_bytes)), range(len(response_bytes))))
    assert snapshot(pieces) == snapshot(whole)
    assert snapshot(singly) == snapshot(whole)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.binary(max_size=200)), max_size=8))
def test_arbitrary_bytes_never_raise(steps):
    made = exchange(b"", b"", end=False)
    for kind, direction, data in steps:
        if kind == 2:
            made.gap(direction, len(data) + 1)
        else:
            made.data(direction, data)
    made.end(0)
    made.end(1)
    assert all(tx.done for tx in made.transactions)
    snapshot(made)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(REQUESTS), st.sampled_from(RESPONSES), st.integers(0, 1 << 30), st.integers(1, 60))
def test_gaps_anywhere_never_raise(request_bytes, response_bytes, seed, length):
    rng = random.Random(seed)
    made = exchange(b"", b"", end=False)
    for direction, data in ((0, mutate(request_bytes, seed)), (1, mutate(response_bytes, seed))):
        at = rng.randrange(len(data) + 1)
        made.data(direction, data[:at])
        made.gap(direction, length)
        made.data(direction, data[at + length :])
    made.end(0)
    made.end(1)
    assert all(tx.done for tx in made.transactions)
