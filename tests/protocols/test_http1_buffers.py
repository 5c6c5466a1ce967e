import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from http1_tools import exchange

from appliance.config.settings import AppSettings
from appliance.protocols.files import FileTracker, name_from_disposition
from appliance.protocols.http1.config import parse, size
from appliance.protocols.http1.transaction import content_range
from appliance.protocols.http1.uri import parse as target

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (b"/a/./b/../c", b"/a/c"),
        (b"/../../x", b"/x"),
        (b"/a//b///c", b"/a/b/c"),
        (b"/%61%2e%2E/", b"/a../"),
        (b"/a%2Fb", b"/a/b"),
        (b"/%2561", b"/%61"),
        (b"/%zz%4", b"/%zz%4"),
        (b"/a?q=%41+b", b"/a?q=A+b"),
        (b"/a?x=/../y", b"/a?x=/../y"),
        (b"http://Host.example:8080/p//q?r", b"/p/q?r"),
        (b"/a\\b", b"/a/b"),
        (b"/dir/..", b"/"),
        (b"*", b"*"),
    ],
)
def test_uri_is_normalised(raw, normal):
    assert target(raw, parse({})).normal == normal


@pytest.mark.parametrize(
    ("options", "raw", "normal"),
    [
        ({"double-decode-path": "yes"}, b"/%2561", b"/a"),
        ({"double-decode-query": "yes"}, b"/?%2561", b"/?a"),
        ({"query-plusspace-decode": True}, b"/?a+b", b"/?a b"),
        ({"personality": "Minimal"}, b"/a//b\\c", b"/a//b\\c"),
        ({"path-convert-lowercase": "yes"}, b"/AbC?D", b"/abc?D"),
        ({"uri-include-all": "yes"}, b"http://h/a", b"http://h/a"),
        ({"path-nul-encoded-terminates": "yes"}, b"/a%00b", b"/a"),
    ],
)
def test_uri_options(options, raw, normal):
    assert target(raw, parse(options)).normal == normal


@pytest.mark.parametrize(
    ("text", "value"),
    [("100 KiB", 102400), ("4096", 4096), (7, 7), ("1mb", 1 << 20), ("x", -1), ("200kb", 204800)],
)
def test_sizes(text, value):
    assert size(text, -1) == value


REQUEST = (
    b"POST /p%20q?x=1 HTTP/1.1\r\nHost: WWW.Example.org:8080\r\nUser-Agent: ua\r\nCookie: c=1\r\n"
    b"X-A: 1\r\nX-A: 2\r\n"
    b"Referer: r\r\nAccept: a\r\nAccept-Encoding: e\r\nAccept-Language: l\r\nConnection: close\r\n"
    b"Content-Type: t\r\nContent-Length: 4\r\n\r\nbody"
)
RESPONSE = (
    b"HTTP/1.1 302 Found it\r\nServer: s\r\nLocation: /l\r\nSet-Cookie: k=v\r\n"
    b"Content-Type: text/html; x\r\n\r\nanswer"
)
BUFFERS = {
    ("http.uri", 0): b"/p q?x=1",
    ("http.uri.raw", 0): b"/p%20q?x=1",
    ("http.method", 0): b"POST",
    ("http.protocol", 0): b"HTTP/1.1",
    ("http.protocol", 1): b"HTTP/1.1",
    ("http.request_line", 0): b"POST /p%20q?x=1 HTTP/1.1",
    ("http.response_line", 1): b"HTTP/1.1 302 Found it",
    ("http.stat_code", 1): b"302",
    ("http.stat_msg", 1): b"Found it",
    ("http.host", 0): b"www.example.org",
    ("http.host.raw", 0): b"WWW.Example.org:8080",
    ("http.user_agent", 0): b"ua",
    ("http.cookie", 0): b"c=1",
    ("http.cookie", 1): b"k=v",
    ("http.referer", 0): b"r",
    ("http.accept", 0): b"a",
    ("http.accept_enc", 0): b"e",
    ("http.accept_lang", 0): b"l",
    ("http.connection", 0): b"close",
    ("http.content_type", 0): b"t",
    ("http.content_type", 1): b"text/html; x",
    ("http.content_len", 0): b"4",
    ("http.content_len", 1): None,
    ("http.server", 1): b"s",
    ("http.location", 1): b"/l",
    ("http.request_body", 0): b"body",
    ("http.response_body", 1): b"answer",
    ("file.data", 0): [b"body"],
    ("file.data", 1): [b"answer"],
    ("file.name", 0): [b"/p q"],
    ("http.header_names", 1): b"\r\nServer\r\nLocation\r\nSet-Cookie\r\nContent-Type\r\n\r\n",
    ("http.response_header", 1): [
        b"Server: s",
        b"Location: /l",
        b"Set-Cookie: k=v",
        b"Content-Type: text/html; x",
    ],
    ("http.header", 1): b"Server: s\r\nLocation: /l\r\nContent-Type: text/html; x\r\n",
    ("http.uri", 1): None,
    ("no.such", 0): None,
}


@pytest.mark.parametrize(("name", "direction"), BUFFERS)
def test_buffers(name, direction):
    tx = exchange(REQUEST, RESPONSE).transactions[0]
    assert tx.buffer(name, direction) == BUFFERS[name, direction]


def test_repeated_fields_are_joined():
    tx = exchange(REQUEST, RESPONSE).transactions[0]
    assert b"X-A: 1, 2\r\n" in tx.buffer("http.header", 0)
    assert tx.buffer("http.header_names", 0).count(b"X-A") == 1
    assert tx.buffer("http.header.raw", 0).count(b"X-A") == 2
    assert tx.buffer("http.start", 0).startswith(b"POST /p%20q?x=1 HTTP/1.1\r\nHost: WWW")


def test_log():
    assert exchange(REQUEST, RESPONSE).transactions[0].log() == {
        "hostname": "www.example.org",
        "http_port": 8080,
        "url": "/p%20q?x=1",
        "http_user_agent": "ua",
        "http_content_type": "text/html",
        "http_refer": "r",
        "http_method": "POST",
        "protocol": "HTTP/1.1",
        "status": 302,
        "redirect": "/l",
        "length": 6,
    }


EVENTS = {
    "missing_host_header": (b"GET / HTTP/1.1\r\n\r\n", b""),
    "host_header_ambiguous": (b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", b""),
    "request_header_host_invalid": (b"GET / HTTP/1.1\r\nHost: a%b\r\n\r\n", b""),
    "request_line_missing_protocol": (b"GET /\r\nHost: a\r\n\r\n", b""),
    "request_line_leading_whitespace": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "method_delim_non_compliant": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "request_line_incomplete": (b"GET /", b""),
    "request_field_missing_colon": (b"GET / HTTP/1.1\r\nxx\r\n\r\n", b""),
    "request_header_invalid": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b""),
    "request_header_repetition": (b"GET / HTTP/1.1\r\nA: b\r\nA: c\r\n\r\n", b""),
    "request_field_too_long": (b"GET / HTTP/1.1\r\nA: " + b"b" * 20000 + b"\r\n\r\n", b""),
    "request_too_many_headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", b""),
    "invalid_request_field_folding": (b"GET / HTTP/1.1\r\n a\r\n\r\n", b""),
    "request_auth_unrecognized": (b"GET / HTTP/1.1\r\nAuthorization: zz\r\n\r\n", b""),
    "request_body_unexpected": (GET + b"a=b", b""),
    "request_chunk_extension": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
        b"",
    ),
    "invalid_request_chunk_len": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzzzzzzz\r\n", b""),
    "invalid_content_length_field_in_request": (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b""),
    "duplicate_content_length_field_in_request": (
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"",
    ),
    "double_encoded_uri": (b"GET /%2541 HTTP/1.1\r\n\r\n", b""),
    "unable_to_match_response_to_request": (b"", OK + b"\r\n"),
    "response_invalid_status": (GET, b"HTTP/1.1 2XX OK\r\n\r\n"),
    "response_invalid_protocol": (GET, b"HTTP/7.1 200 OK\r\n\r\n"),
    "response_chunked_old_proto": (GET, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "response_abnormal_transfer_encoding": (GET, OK + b"Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    "invalid_response_chunk_len": (GET, OK + b"Transfer-Encoding: chunked\r\n\r\nzzzzzzzz\r\n"),
    "response_multipart_byteranges": (GET, OK + b"Content-Type: multipart/byteranges\r\n\r\nx"),
    "100_continue_already_seen": (GET, b"HTTP/1.1 100 C\r\n\r\n" * 2 + OK + b"\r\n"),
    "abnormal_ce_header": (GET, OK + b"Content-Encoding: gzipx\r\n\r\n"),
    "range_invalid": (GET, OK + b"Content-Range: zz\r\n\r\n"),
    "failed_protocol_change": (GET, b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n"),
    "request_server_port_tcp_port_mismatch": (b"GET / HTTP/1.1\r\nHost: a:81\r\n\r\n", b""),
    "multipart_generic_error": (
        (
            b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 14\r\n\r\n--b\r\n\r\nx\r\n--b--"
        ),
        b"",
    ),
}


@pytest.mark.parametrize("event", EVENTS)
def test_events(event):
    made = exchange(*EVENTS[event])
    assert event in made.transactions[0].events


def test_clean_traffic_has_no_events():
    assert exchange(GET, OK + b"Content-Length: 1\r\n\r\nx").transactions[0].events == []


def test_multipart_files():
    body = (
        b'preamble\r\n--b\r\nContent-Disposition: form-data; name="t"\r\n\r\ntext\r\n'
        b'--b\r\nContent-Disposition: form-data; name=f; filename="a \\"b.exe"\r\n\r\nMZ\r\n--not\r\n--b\r\n'
        b"Content-Disposition: form-data; filename=c.txt\r\n\r\n\r\n--b--\r\n"
    )
    head = (
        b'POST /up HTTP/1.1\r\nContent-Type: multipart/form-data; boundary="b"\r\nContent-Length: %d\r\n\r\n'
    )
    tx = exchange(head % len(body) + body, OK + b"Content-Length: 0\r\n\r\n").transactions[0]
    assert [(f.name, bytes(f.data), f.state) for f in tx.files] == [
        (b'a "b.exe', b"MZ\r\n--not", "CLOSED"),
        (b"c.txt", b"", "CLOSED"),
    ]


def test_pipelined_answers_go_to_requests_in_order():
    made = exchange(
        b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(5)),
        b"".join(OK + b"Content-Length: 1\r\n\r\n%d" % i for i in range(5)),
    )
    assert [(tx.log()["url"], tx.buffer("http.response_body", 1)) for tx in made.transactions] == [
        (f"/{i}", b"%d" % i) for i in range(5)
    ]


def test_late_stray_bytes_revive_the_transaction():
    made = exchange(GET, OK + b"Content-Length: 2\r\n\r\nab", end=False)
    tx = made.transactions[0]
    assert tx.done
    made.transactions.clear()
    made.data(1, b"cd")
    assert made.transactions == [tx]
    assert tx.buffer("http.response_body", 1) == b"abcd"


def test_hashes_and_ranges():
    made = exchange(
        GET,
        OK + b"Content-Range: bytes 5-7/10\r\nContent-Length: 3\r\n\r\nabc",
        settings=AppSettings(force_hashes=frozenset({"md5", "sha256"})),
    )
    file = made.transactions[0].files[0]
    assert file.md5 == "900150983cd24fb0d6963f7d28e17f72"
    assert file.sha256.startswith("ba7816bf")
    assert file.sha1 == ""
    assert file.range == (5, 7, 10)


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        (b"bytes 0-4/10", (0, 4, 10)),
        (b"bytes */10", (-1, -1, 10)),
        (b"bytes 1-2/*", (1, 2, -1)),
        (b"bytes 4-1/10", None),
        (b"lines 0-4/10", None),
        (b"", None),
        (b"bytes -", None),
    ],
)
def test_content_range(raw, parsed):
    assert content_range(raw) == parsed


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'attachment; filename="a.txt"', b"a.txt"),
        (b"attachment;filename=a.txt; x=y", b"a.txt"),
        (b'form-data; name="filename"', b""),
        (b"attachment", b""),
        (b'x; filename="open', b"open"),
        (b"x; myfilename=a; filename=b", b"b"),
    ],
)
def test_names(value, name):
    assert name_from_disposition(value) == name


def test_file_window():
    tracker = FileTracker(4, magic=lambda head: f"magic of {len(head)}")
    file = tracker.open(b"n", 1, 0)
    tracker.append(file, b"abc")
    tracker.append(file, b"def")
    tracker.gap(file, 2)
    tracker.close(file)
    assert (bytes(file.data), file.size, file.state, file.magic) == (b"abcd", 8, "TRUNCATED", "magic of 4")
