"""POP3: commands, responses of one line and of many, sign-in, TLS."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols import ftp
from appliance.protocols.detection import FAILED, UNKNOWN, Detector
from appliance.protocols.pop3 import SPEC, Pop3Parser

SESSION = [
    (1, b"+OK ready\r\n"),
    (0, b"user me\r\nPASS a b\r\n"),
    (1, b"+OK\r\n-ERR wrong\r\n"),
    (0, b"LIST\r\nLIST 1\r\nRETR 1\r\n"),
    (1, b"+OK 1 3\r\n1 3\r\n.\r\n+OK 1 3\r\n+OK 3 octets\r\n..dot\r\n+OK text\r\n.\r\n"),
    (0, b"QUIT\r\n"),
    (1, b"+OK bye\r\n"),
]


def test_commands_and_responses():
    pop3 = play(Pop3Parser, SESSION)
    told = [tx.log() for tx in pop3.transactions]
    assert told[0] == {"response": {"success": True, "status": "OK", "header": "ready", "data": []}}
    assert told[2] == {
        "request": {"command": "PASS", "args": ["a", "b"]},
        "response": {"success": False, "status": "ERR", "header": "wrong", "data": []},
    }
    commands = [row["request"]["command"] for row in told[1:]]
    assert commands == ["USER", "PASS", "LIST", "LIST", "RETR", "QUIT"]
    assert [row["response"]["data"] for row in told[3:6]] == [["1 3"], [], [".dot", "+OK text"]]
    assert all(tx.done and not tx.events for tx in pop3.transactions)


def test_answers_to_challenges_are_no_commands():
    pop3 = play(
        Pop3Parser,
        [(0, b"AUTH PLAIN\r\n"), (1, b"+ \r\n"), (0, b"AG1l\r\n"), (1, b"+OK in\r\n"), (0, b"STAT\r\n")],
    )
    assert [tx.command for tx in pop3.transactions] == [b"AUTH", b"STAT"]
    assert pop3.transactions[0].done


def test_tls_takes_over():
    pop3 = play(Pop3Parser, [(0, b"STLS\r\n"), (1, b"+OK go\r\nrest")])
    assert (pop3.upgrade, pop3.upgrade_data) == ("tls", (b"", b"rest"))
    assert not play(Pop3Parser, [(0, b"STLS\r\n"), (1, b"-ERR no\r\n")]).upgrade


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(0, b"X" * 5000 + b"\r\n")], "command_too_long"),
        ([(0, b"STAT\r\n"), (1, b"+OK " + b"X" * 5000 + b"\r\n")], "response_too_long"),
        ([(0, b"STAT\r\n"), (1, b"250 ok\r\n")], "unknown_status"),
        ([(0, b"STAT\r\n" * 300)], "too_many_transactions"),
    ],
)
def test_events(turns, event):
    assert any(event in tx.events for tx in play(Pop3Parser, turns).transactions)


def test_long_responses_are_bounded():
    pop3 = play(Pop3Parser, [(0, b"RETR 1\r\n"), (1, b"+OK\r\n" + b"line\r\n" * 5000 + b".\r\n")])
    assert len(pop3.transactions[0].lines) == 256
    assert pop3.transactions[0].done


@given(SIZES)
def test_any_chunking_gives_the_same(sizes):
    assert picture(play(Pop3Parser, cut(SESSION, sizes))) == picture(play(Pop3Parser, SESSION))


@settings(max_examples=150)
@given(hurt(SESSION), SIZES)
def test_damaged_sessions_never_raise(turns, sizes):
    pop3 = play(Pop3Parser, turns)
    exercise(pop3, SPEC)
    assert picture(play(Pop3Parser, cut(turns, sizes))) == picture(pop3)
    pop3.gap(0, 2)
    pop3.gap(1, 2)
    pop3.end(0)
    pop3.end(1)
    assert all(tx.done for tx in pop3.transactions)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200)), max_size=8))
def test_arbitrary_bytes_never_raise(turns):
    exercise(play(Pop3Parser, turns), SPEC)


@pytest.mark.parametrize(
    ("direction", "data", "port", "wanted"),
    [
        (1, b"+OK hi\r\n", 1110, "pop3"),
        (0, b"USER me\r\n", 110, "pop3"),
        (0, b"USER me\r\n", 1110, "ftp"),
        (0, b"ca", 110, UNKNOWN),
        (0, b"LISTEN\r\n", 110, FAILED),
    ],
)
def test_recognition(direction, data, port, wanted):
    assert Detector([*ftp.SPECS, SPEC], "tcp").recognise(direction, data, port, 40000) == wanted
