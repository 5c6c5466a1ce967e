"""SMTP: envelopes, replies in order, the ends of messages, and sessions that go wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.model.app import COMPLETE
from appliance.protocols.detection import FAILED, UNKNOWN, Detector
from appliance.protocols.smtp import SPEC
from appliance.protocols.smtp.content import DotReader
from appliance.protocols.smtp.parser import SmtpParser
from appliance.protocols.smtp.transaction import HEADER, SENDER

HELLO = [
    (1, b"220 mx.example ESMTP\r\n"),
    (0, b"EHLO me.example\r\n"),
    (1, b"250-mx.example\r\n250 HELP\r\n"),
]
MAIL = (
    b'From: A <a@x>\r\nTo: b@y, "c,d" <e@z>\r\nCc:\r\nSubject: hi\r\n'
    b"X-Mailer: m\r\nReceived: r1\r\nReceived: r2\r\n"
    b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=f.txt\r\n\r\n"
    b"..dotted\r\n...\r\nhttp://u.example\r\n.\r\n"
)  # fmt: skip
ENVELOPE = [
    (0, b"MAIL FROM:<a@x> SIZE=1\r\n"),
    (1, b"250 ok\r\n"),
    (0, b"rcpt to: <b@y>\r\n"),
    (1, b"250 ok\r\n"),
]
SEND = [(0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, MAIL), (1, b"250 queued\r\n")]
BYE = [(0, b"QUIT\r\n"), (1, b"221 bye\r\n")]
SESSION = [*HELLO, *ENVELOPE, *SEND, *ENVELOPE, *SEND, *BYE]


def session(*turns, options=None):
    return play(SmtpParser, [*HELLO, *turns], options=options)


def test_each_mail_is_a_transaction():
    smtp = play(SmtpParser, SESSION)
    assert len(smtp.transactions) == 2
    for tx in smtp.transactions:
        assert tx.progress == [COMPLETE, COMPLETE]
        assert tx.events == []
        assert tx.log() == {
            "helo": "me.example",
            "mail_from": "<a@x>",
            "rcpt_to": ["<b@y>"],
            "email": {
                "status": "PARSE_DONE",
                "from": "A <a@x>",
                "to": ["b@y", '"c,d" <e@z>'],
                "attachment": ["f.txt"],
            },
        }
        assert [(bytes(file.data), file.state) for file in tx.files] == [
            (b".dotted\r\n..\r\nhttp://u.example", "CLOSED")
        ]


def test_buffers_of_rules():
    tx = session(*ENVELOPE, *SEND).transactions[0]
    wanted = {
        "smtp.helo": b"me.example",
        "smtp.mail_from": b"<a@x>",
        "smtp.rcpt_to": [b"<b@y>"],
        "email.subject": b"hi",
        "email.from": b"A <a@x>",
        "email.x_mailer": b"m",
        "email.received": [b"r1", b"r2"],
        "email.date": None,
    }
    assert {name: tx.buffer(name, 0) for name in wanted} == wanted
    assert all(tx.buffer(name, 1) is None for name in wanted)


def test_steps_follow_the_dialogue():
    smtp = session(*ENVELOPE, (0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, b"A: b\r\n\r\nbody"))
    assert smtp.transactions[0].progress == [HEADER, 0]
    assert session(*ENVELOPE).transactions[0].progress[0] == SENDER


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"extended": True}, {"subject", "x_mailer"}),
        ({"custom": ["received", "X-Mailer", "nonsense"]}, {"received", "x_mailer"}),
        ({"md5": ["subject", "body"]}, {"subject_md5", "body_md5"}),
        ({"md5": []}, set()),
        ({"extended": []}, set()),
    ],
)
def test_options_of_the_record(options, wanted):
    smtp = session(*ENVELOPE, *SEND, options={"mime": {"body-md5": True}})
    (body,) = smtp.transactions[0].records(options)
    assert set(body["email"]) - {"status", "from", "to", "attachment"} == wanted


def test_message_may_be_kept_raw():
    options = {"raw-extraction": True, "mime": {"decode-mime": False}}
    tx = session(*ENVELOPE, *SEND, options=options).transactions[0]
    assert tx.files[0].name == b"rawmsg"
    assert bytes(tx.files[0].data) == MAIL[:-3].replace(b"\n..", b"\n.")
    assert "email" not in tx.log()


def test_chunks_are_counted_not_read():
    text = b"Subject: x\r\n\r\n.\r\nQUIT\r\n"
    smtp = session(
        *ENVELOPE,
        (
            0,
            b"BDAT 10\r\n"
            + text[:10]
            + b"BDAT %d LAST\r\n" % (len(text) - 10)
            + text[10:]
            + b"MAIL FROM:<n>\r\n",
        ),
        (1, b"250 1\r\n250 2\r\n250 3\r\n"),
    )
    first, second = smtp.transactions
    assert first.buffer("email.subject", 0) == b"x"
    assert first.progress == [COMPLETE, COMPLETE]
    assert second.mail_from == b"<n>"
    assert smtp.transactions[0].events == second.events == []


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(0, b"BDAT 5 X\r\n")], "invalid_bdat"),
        ([(0, b"BDAT -1\r\n")], "invalid_bdat"),
        ([(0, b"BDAT 99999999999\r\n")], "bdat_chunk_len_exceeded"),
        ([(0, b"STARTTLS\r\n"), (1, b"454 no\r\n")], "tls_rejected"),
        ([(0, b"DATA\r\n"), (1, b"503 no\r\n")], "data_command_rejected"),
        ([(0, b"DATA\r\nNOOP\r\n")], "invalid_pipelined_sequence"),
        ([(0, b"DATA\r\nDATA\r\n")], "unparsable_content"),
        ([*ENVELOPE, (0, b"MAIL FROM:<x>\r\n")], "duplicate_fields"),
        ([(0, b"HELO again\r\n")], "duplicate_fields"),
        ([(0, b"X" * 5000 + b"\r\n")], "max_command_line_len_exceeded"),
        ([(0, b"X" * 5000)], "truncated_line"),
        ([(1, b"250-" + b"X" * 5000)], "max_reply_line_len_exceeded"),
        ([(1, b"250 what\r\n")], "unable_to_match_reply_with_request"),
        ([(0, b"NOOP\r\n"), (1, b"472 what\r\n")], "invalid_reply"),
        ([(0, b"NOOP\r\n"), (1, b"x\r\n")], "invalid_reply"),
    ],
)
def test_events(turns, event):
    smtp = session(*turns)
    assert any(event in tx.events for tx in smtp.transactions)


def test_no_welcome_and_wrong_welcome():
    assert "no_server_welcome_message" in play(SmtpParser, [(0, b"EHLO x\r\n")]).transactions[0].events
    assert "invalid_reply" in play(SmtpParser, [(1, b"554 go away\r\n")]).transactions[0].events


@pytest.mark.parametrize("reset", [b"RSET", b"EHLO other", b"HELO other"])
def test_beginning_anew_ends_the_mail(reset):
    smtp = session(*ENVELOPE, (0, reset + b"\r\n"), (1, b"250 ok\r\n"), *ENVELOPE, *SEND)
    first, second = smtp.transactions
    assert (first.message, first.progress) == (None, [COMPLETE, COMPLETE])
    assert second.message.status == "PARSE_DONE"


def test_a_pipelined_reset_takes_its_own_reply():
    smtp = session(
        *ENVELOPE,
        (0, b"DATA\r\n"),
        (1, b"354 go\r\n"),
        (0, MAIL),
        (0, b"RSET\r\nMAIL FROM:<n>\r\nRCPT TO:<m>\r\nDATA\r\n"),
        (1, b"250 queued\r\n250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (0, MAIL),
    )
    first, second = smtp.transactions
    assert first.progress == [COMPLETE, COMPLETE]
    assert second.progress == [COMPLETE, 0]
    assert second.message.status == "PARSE_DONE"


def test_refused_data_leaves_commands_commands():
    smtp = play(
        SmtpParser,
        [
            *HELLO[:2],
            (1, b"250-mx\r\n250-PIPELINING\r\n250 HELP\r\n"),
            (0, b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
            (1, b"553 no\r\n503 no\r\n503 no\r\n"),
            (0, b"RSET\r\n"),
            (1, b"250 ok\r\n"),
            *ENVELOPE,
            *SEND,
        ],
    )
    assert [tx.events for tx in smtp.transactions] == [["data_command_rejected"], []]
    assert smtp.transactions[1].message.status == "PARSE_DONE"


def test_starttls_hands_over():
    smtp = session((0, b"STARTTLS\r\n"), (1, b"220 ready\r\nrest"))
    assert (smtp.upgrade, smtp.upgrade_data) == ("tls", (b"", b"rest"))
    assert smtp.transactions[0].progress == [COMPLETE, COMPLETE]


def test_a_gap_in_a_message_marks_its_file():
    smtp = session(*ENVELOPE, (0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, MAIL[:-30]))
    smtp.gap(0, 10)
    smtp.data(0, MAIL[-10:])
    (file,) = smtp.transactions[0].files
    assert (file.state, file.gaps) == ("TRUNCATED", True)
    assert smtp.transactions[0].progress[0] == COMPLETE


def test_a_gap_in_replies_completes_what_waits():
    smtp = session(*ENVELOPE, *SEND[:3])
    smtp.gap(1, 30)
    assert smtp.transactions[0].progress == [COMPLETE, COMPLETE]


def test_the_end_of_the_connection_completes_everything():
    smtp = session(*ENVELOPE, (0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, MAIL[:-20]))
    smtp.end(0)
    smtp.end(1)
    tx = smtp.transactions[0]
    assert tx.done
    assert tx.files[0].state == "TRUNCATED"


@given(st.lists(st.sampled_from([b".", b"\r", b"\n", b"a", b"\r\n.\r\n"]), max_size=30), SIZES)
def test_the_lone_dot_is_found_whatever_the_cuts(tokens, sizes):
    def read(pieces):
        reader, buffer, out = DotReader(), bytearray(), b""
        for piece in pieces:
            buffer += piece
            content, over = reader.take(buffer)
            out += content
            if over:
                return out, True
        return out + bytes(buffer), False

    whole = b"".join(tokens)
    assert read([data for _, data in cut([(0, whole)], sizes)]) == read([whole])


@given(SIZES)
def test_any_chunking_gives_the_same(sizes):
    assert picture(play(SmtpParser, cut(SESSION, sizes))) == picture(play(SmtpParser, SESSION))


@settings(max_examples=200)
@given(hurt(SESSION), SIZES)
def test_damaged_sessions_never_raise(turns, sizes):
    smtp = play(SmtpParser, turns)
    exercise(smtp, SPEC)
    assert picture(play(SmtpParser, cut(turns, sizes))) == picture(smtp)
    smtp.gap(0, 3)
    smtp.gap(1, 3)
    smtp.end(0)
    smtp.end(1)
    exercise(smtp, SPEC)
    assert all(tx.done for tx in smtp.transactions)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200)), max_size=8))
def test_arbitrary_bytes_never_raise(turns):
    exercise(play(SmtpParser, turns), SPEC)


@pytest.mark.parametrize(
    ("direction", "data", "port", "wanted"),
    [
        (0, b"EHLO x\r\n", 2525, "smtp"),
        (0, b"helo x\r\n", 25, "smtp"),
        (1, b"220 mx.example ESMTP\r\n", 25, "smtp"),
        (1, b"220 mx.exam", 25, UNKNOWN),
        (1, b"220 (weird)\r\n", 25, FAILED),
        (1, b"220 mx.example ESMTP\r\n", 2525, FAILED),
        (1, b"421 no\r\n", 25, FAILED),
    ],
)
def test_recognition(direction, data, port, wanted):
    assert Detector([SPEC], "tcp").recognise(direction, data, port, 40000) == wanted
