"""What is read in one pass is what reading with care gives; ordinary heads are read in one pass."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from http1_tools import exchange, parser, snapshot

from appliance.protocols.http1 import plain, startline, uri
from appliance.protocols.http1.config import Config
from appliance.protocols.http1.headers import Headers
from appliance.protocols.http1.request import _valid_host

GET = b"GET /a/b.html?x=1 HTTP/1.1\r\nHost: www.example.org:80\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


def parts(value, *names):
    return [getattr(value, name) for name in names]


def mixed(*pieces):
    """Bytes made of pieces that mean something, with others between them."""
    piece = st.sampled_from(pieces) | st.binary(max_size=2)
    return st.lists(piece, max_size=9).map(b"".join)


@given(
    mixed(b"GET", b"get", b" ", b"/", b"/a", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.2", b"\r\n", b"\t", b"\0")
)
def test_a_plain_request_line_is_what_the_careful_reader_makes_of_it(data):
    found = plain.request_line(data)
    if found is not None:
        end = data.index(b"\r\n")
        same = startline.parse_request(data[:end])
        names = ("method", "verb", "uri", "protocol", "version", "text")
        assert parts(found, *names) == parts(same, *names)
        assert not same.events
        assert startline.looks_like_request(data[: end + 2])


@given(mixed(b"HTTP/1.1 ", b"HTTP/1.0", b" ", b"200", b"099", b"OK", b"\r\n", b"\n", b"\r", b"\t", b"\0"))
def test_a_plain_status_line_is_what_the_careful_reader_makes_of_it(data):
    found = plain.status_line(data)
    if found is not None:
        same = startline.parse_status(data[: data.index(b"\r\n")])
        names = ("protocol", "code", "message", "version", "status", "text")
        assert parts(found, *names) == parts(same, *names)
        assert not same.events


@given(
    mixed(b"/", b".", b"..", b"a", b"?", b"%41", b"+", b"#", b"\\", b"://", b"A"),
    st.booleans(),
    st.booleans(),
)
def test_a_plain_target_is_what_normalisation_makes_of_it(text, plus, lowercase):
    found = plain.target(b"/" + text, plus, lowercase)
    if found is not None:
        config = Config(plus_to_space=plus, lowercase_path=lowercase)
        same = uri.parse(b"/" + text, config)
        names = ("path", "query", "normal", "host", "port", "userinfo", "double_encoded")
        assert parts(found, *names) == parts(same, *names)


@given(mixed(b"a", b".", b":", b"80", b"0", b"-", b"_", b"[::1]", b" ", b"x" * 63))
def test_a_plain_host_is_what_the_careful_reader_makes_of_it(text):
    end = plain.host_name(text)
    port = plain.port_number(text, end) if end > 0 else -3
    if port >= -1:
        assert uri.split_host(text) == (text[:end], port)
        assert _valid_host(text[:end])


@given(
    mixed(
        b"Host: h",
        b"X:y",
        b"X: y ",
        b": ",
        b"Cookie: c",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\n",
        b"\r",
        b"\0",
    ),
    st.booleans(),
)
def test_a_head_in_one_piece_is_read_like_one_in_many(block, answer):
    request = GET if answer else b"GET / HTTP/1.1\r\n" + block + b"\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\n" + block + b"\r\n\r\n" if answer else OK
    cuts = (range(1, len(request)), range(1, len(response)))
    assert snapshot(exchange(request, response)) == snapshot(exchange(request, response, cuts))


@pytest.mark.parametrize(
    ("head", "options"),
    [
        (b"A: 1\r\nB: 2\r\nC: 3\r\n", {"headers-limit": 2}),
        (b"A: " + b"x" * 200 + b"\r\n", {"meta-field-limit": 100}),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", {}),
        (b"X: 1\r\nx: 2\r\nX: 3\r\n", {}),
    ],
)
def test_bounds_and_repetitions_are_the_same_in_one_piece(head, options):
    request = b"POST /p HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n"
    response = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n"
    cuts = (range(1, len(request)), range(1, len(response)))
    whole = exchange(request, response, options=options)
    assert snapshot(whole) == snapshot(exchange(request, response, cuts, options=options))
    assert whole.transactions[0].events


def test_ordinary_heads_are_read_in_one_pass():
    line = plain.request_line(GET)
    headers = Headers()
    assert plain.field_block(GET, len(line.text) + 2, 1000, headers) == len(GET)
    assert headers.exact
    assert [name for name, _ in headers.fields] == [b"Host", b"User-Agent", b"Accept"]
    assert plain.status_line(OK).status == 200
    assert plain.target(b"/a/b.html?x=1&y=..//\\+", False, False).query == b"x=1&y=..//\\+"
    assert plain.host_name(b"www.example.org:80") == 15


def test_a_finished_parser_holds_no_message():
    made = parser()
    made.data(0, GET)
    made.data(1, OK)
    for tx in made.transactions:
        tx.logged, tx.skip = 1, [True, True]
    made.drop_done(True)
    made.end(0)
    made.end(1)
    assert not made.transactions
    assert [side.last for side in (made.request, made.response)] == [None, None]
    made.data(0, GET)
    made.gap(1, 5)
    made.end(0)
    assert not made.transactions
