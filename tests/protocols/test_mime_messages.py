"""MIME: fields, parts, encodings, attachments, URLs, and messages that want to be misread."""

from __future__ import annotations

import base64
import hashlib
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols.mime.fields import addresses, parameters
from appliance.protocols.mime.lines import LineMeter
from appliance.protocols.mime.message import Message
from appliance.protocols.mime.options import MimeOptions, mime_options
from appliance.protocols.mime.transfer import Base64, QuotedPrintable
from appliance.protocols.mime.urls import MAX_URL, UrlFinder


class Files:
    def __init__(self):
        self.files = []

    def begin(self, name):
        self.files.append([name, b"", None])

    def append(self, data):
        self.files[-1][1] += data

    def missing(self, length):
        self.files[-1][1] += b"?" * length

    def finish(self, complete):
        self.files[-1][2] = complete


def decode(pieces, options=None, complete=True):
    files = Files()
    message = Message(options or MimeOptions(body_md5=True), files)
    for piece in pieces:
        message.feed(piece)
    message.finish(complete)
    return message, files.files


def told(pieces):
    message, files = decode(pieces)
    fields = [
        (name, message.fields.every(name)) for name in (b"subject", b"from", b"received", b"content-type")
    ]
    return (
        files,
        fields,
        sorted(message.events),
        message.urls,
        message.attachments,
        message.body_md5,
        message.status,
        message.header_done,
    )


PICTURE = bytes(range(256)) * 3
MAIL = (
    b"From: a@example.com\r\n"
    b"Received: one\r\nReceived: two\r\n\tfolded\r\n"
    b"Subject: =?utf-8?q?hello?=\r\n"
    b'Content-Type: multipart/mixed;\r\n boundary="X"\r\n'
    b"\r\npreamble http://not.here/\r\n"
    b"--X\r\nContent-Type: multipart/alternative; boundary=XD\r\n\r\n"
    b"--XD\r\n\r\nsee http://plain.example/path?q=1 and <http://two.example>\r\n"
    b"--XD\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b'<a href=3D"http://html.exa=\r\nmple/x">=20</a>\r\n'
    b"--XD--\r\n"
    b"--X\r\nContent-Type: image/png; name=ignored\r\nContent-Transfer-Encoding: BASE64\r\n"
    b'Content-Disposition: attachment; filename="p;\\"q.png"\r\n\r\n'
    + base64.encodebytes(PICTURE).replace(b"\n", b"\r\n")
    + b"--X\r\nContent-Disposition: attachment; filename*0*=utf-8''%C3%A9; filename*1=x.txt\r\n\r\n"
    b"--X not a boundary\r\nlast line\r\n"
    b"--X  \r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: text/plain; name=inner.txt\r\n\r\n-\r\n--\r\ninner\r\n"
    b"--X--\r\nepilogue http://not.there/\r\n"
)


def test_parts_become_files_and_urls():
    message, files = decode([MAIL])
    assert files == [
        [b'p;"q.png', PICTURE, True],
        ["é".encode() + b"x.txt", b"--X not a boundary\r\nlast line", True],
        [b"inner.txt", b"-\r\n--\r\ninner", True],
    ]
    assert message.attachments == [name for name, _, _ in files]
    assert message.urls == [b"plain.example/path?q=1", b"two.example", b"html.example/x"]
    assert message.fields.first(b"subject") == b"=?utf-8?q?hello?="
    assert message.fields.every(b"received") == [b"one", b"two\tfolded"]
    assert message.status == "PARSE_DONE"
    assert message.events == []
    body = MAIL.split(b"\r\n\r\n", 1)[1]
    assert message.body_md5 == hashlib.md5(body, usedforsecurity=False).hexdigest()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_chunking_tells_the_same(sizes):
    pieces, at, step = [], 0, 0
    while at < len(MAIL):
        pieces.append(MAIL[at : at + sizes[step % len(sizes)]])
        at += len(pieces[-1])
        step += 1
    assert told(pieces) == told([MAIL])


TOKENS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"--X", b"--X--", b"--", b"-", b":", b";", b'"', b" ", b"=", b"=3D", b"=\r\n",
     b"QUJD", b"a" * 80, b"b" * 999, b"Content-Type: multipart/mixed; boundary=X\r\n",
     b"Content-Type: message/rfc822\r\n",
     b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
     b"Content-Disposition: attachment; filename=f\r\n", b"http://", b"x", b"\0", b"\xff", b"\r\n\r\n"]
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(TOKENS | st.binary(max_size=8), max_size=40),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
)
def test_hostile_messages_never_raise_and_do_not_depend_on_cuts(tokens, sizes):
    whole = b"".join(tokens)
    pieces, at, step = [], 0, 0
    while at < len(whole):
        pieces.append(whole[at : at + sizes[step % len(sizes)]])
        at += len(pieces[-1])
        step += 1
    assert told(pieces) == told([whole])


@given(st.binary(max_size=300), st.lists(st.integers(1, 9), min_size=1))
def test_encodings_are_undone_whatever_the_cuts(data, sizes):
    for decoder, text in (
        (Base64, base64.encodebytes(data)),
        (QuotedPrintable, quopri.encodestring(data, True)),
    ):
        made = decoder()
        out, at, step = b"", 0, 0
        while at < len(text):
            size = sizes[step % len(sizes)]
            out += made.feed(text[at : at + size])
            at += size
            step += 1
        out += made.finish()
        assert out == data
        assert not made.invalid


@pytest.mark.parametrize(
    ("text", "wanted", "invalid"),
    [
        (b"QUJD", b"ABC", False),
        (b"QUI=QUI=", b"ABAB", False),
        (b"Q*U-J$D", b"ABC", True),
        (b"QUJDQ", b"ABC", True),
        (b"QUJDQUI", b"ABCAB", False),
        (b"====", b"", False),
    ],
)
def test_base64_that_is_not_quite(text, wanted, invalid):
    decoder = Base64()
    assert decoder.feed(text) + decoder.finish() == wanted
    assert decoder.invalid is invalid


@pytest.mark.parametrize(
    ("text", "wanted", "invalid"),
    [
        (b"a=3Db=3d", b"a=b=", False),
        (b"soft= \t\r\nbreak=\nx", b"softbreakx", False),
        (b"=ZZ=4", b"=ZZ=4", True),
        (b"end=", b"end", False),
        (b"=" + b" " * 200 + b"\nx", b"=" + b" " * 200 + b"\nx", True),
    ],
)
def test_quoted_printable_that_is_not_quite(text, wanted, invalid):
    decoder = QuotedPrintable()
    assert decoder.feed(text) + decoder.finish() == wanted
    assert decoder.invalid is invalid


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"attachment; filename=a.txt", {b"filename": b"a.txt"}),
        (b'x; A="b;c" ; d = e', {b"a": b"b;c", b"d": b"e"}),
        (b'x; name="open', {b"name": b"open"}),
        (b"x; n*=utf-8'en'a%20b", {b"n*": b"utf-8'en'a%20b", b"n": b"a b"}),
        (b"x;;;=;y", {}),
        (b"none", {}),
        (b"x; a=1; a=2", {b"a": b"1"}),
    ],
)
def test_parameters(value, wanted):
    assert parameters(value) == wanted


def test_addresses_keep_quoted_commas():
    assert addresses(b'"a,b" <c@d>, e@f,, "x\\",y" <z>') == [b'"a,b" <c@d>', b"e@f", b'"x\\",y" <z>']
    assert addresses(b" ") == []


@pytest.mark.parametrize(
    ("mail", "event"),
    [
        (b"Subject: " + b"x" * 3000 + b"\r\n\r\n", "mime_long_header_value"),
        (b"S" * 80 + b": x\r\n\r\n", "mime_long_header_name"),
        (b"no colon here\r\n\r\n", "mime_malformed_msg"),
        (b"A: b\r\n\r\n" + b"y" * 1000 + b"\r\n", "mime_long_line"),
        (b"Content-Transfer-Encoding: base64\r\n\r\n" + b"y" * 80 + b"\r\n", "mime_long_enc_line"),
        (b"Content-Transfer-Encoding: base64\r\n\r\n!!!!\r\n", "mime_invalid_base64"),
        (b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=XX\r\n", "mime_invalid_qp"),
        (b"Content-Type: multipart/mixed; boundary=" + b"b" * 300 + b"\r\n\r\n", "mime_long_boundary"),
        (b"Content-Type: multipart/mixed\r\n\r\n", "mime_malformed_msg"),
        (b"Content-Disposition: attachment; filename=" + b"f" * 300 + b"\r\n\r\n", "mime_long_filename"),
        (b"Content-Type: message/rfc822\r\n\r\n" * 30, "mime_malformed_msg"),
    ],
)
def test_anomalies_are_noted(mail, event):
    message, files = decode([mail])
    assert event in message.events
    assert all(len(name) <= 255 for name, _, _ in files)


def test_lines_of_the_allowed_length_are_no_anomaly():
    assert decode([b"A: b\r\n\r\n" + b"y" * 998 + b"\r\n"])[0].events == []
    message, _ = decode([b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 19 + b"\r\n"])
    assert message.events == []


def test_a_part_without_empty_line_still_ends_at_its_boundary():
    mail = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n"
        b"--b\nContent-Disposition: attachment; filename=x\n\nhidden\n--b--\n"
    )
    assert decode([mail])[1] == [[b"x", b"hidden", True]]


def test_the_outer_boundary_ends_inner_parts():
    mail = (
        b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
        b"--i\nContent-Type: text/plain; name=a\n\nA\n--o\nContent-Type: text/plain; name=b\n\nB\n--i\n"
        b"C\n--o--\n"
    )
    assert decode([mail])[1] == [[b"a", b"A", True], [b"b", b"B\n--i\nC", True]]


def test_a_broken_off_message_leaves_its_file_incomplete():
    message, files = decode([b"Content-Disposition: attachment; filename=x\n\npart"], complete=False)
    assert files == [[b"x", b"part", False]]
    assert message.status == "BODY_STARTED"


def test_a_gap_inside_a_file_is_told():
    files = Files()
    message = Message(MimeOptions(), files)
    message.feed(b"Content-Disposition: attachment; filename=x\n\nabc\n")
    message.gap(5)
    message.feed(b"def\n")
    message.finish()
    assert files.files == [[b"x", b"abc\n?????def", True]]


def test_urls_by_scheme_each_once():
    finder = UrlFinder((b"http://", b"https://", b"mailto:"), keep_scheme=True)
    finder.feed(b"HTTPS://A.b/c http://x.y\thttp://x.y 'mailto:q@r' http:// ftp://no")
    finder.finish()
    assert finder.found == [b"HTTPS://A.b/c", b"http://x.y", b"mailto:q@r"]


@given(st.lists(st.integers(1, 700), min_size=1, max_size=9))
def test_long_urls_are_bounded_and_not_cut_differently(sizes):
    text = b"http://" + b"a" * (MAX_URL + 500) + b"http://b http://c"
    finder, at, step = UrlFinder((b"http://",), keep_scheme=False), 0, 0
    while at < len(text):
        finder.feed(text[at : at + sizes[step % len(sizes)]])
        at += sizes[step % len(sizes)]
        step += 1
    finder.finish()
    assert finder.found == [b"a" * (MAX_URL - 7), b"c"]


def test_line_lengths_do_not_count_their_ends():
    meter = LineMeter()
    for piece in (b"abc", b"\r", b"\n", b"abcd\r\nab", b"\r\n"):
        meter.feed(piece)
    assert meter.longest == 4


def test_options_by_name():
    found = mime_options(
        {"decode-base64": "no", "extract-urls-schemes": ["HTTP", "mailto"], "log-url-scheme": True}
    )
    assert (found.base64, found.schemes, found.log_scheme) == (False, (b"http://", b"mailto:"), True)
    assert mime_options(None) == MimeOptions()
    assert mime_options({"header-value-depth": "x"}).value_depth == 2000
