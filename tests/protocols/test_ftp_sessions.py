"""FTP: commands with their replies, announced data connections, and the files on them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.config.settings import AppSettings
from appliance.protocols.detection import FAILED, UNKNOWN, Detector
from appliance.protocols.ftp import SPECS, FtpDataParser, FtpParser
from appliance.protocols.ftp.commands import extended_port, port_of
from appliance.protocols.ftp.data import Transfer
from appliance.protocols.ftp.transaction import COMMAND, VALUES

CLIENT, SERVER = b"\x0a\0\0\1", b"\x0a\0\0\2"
GREETING = (1, b"220-hello\r\n220 ready\r\n")
LOGIN = [(0, b"USER me\r\n"), (1, b"331 password\r\n"), (0, b"pass secret word\r\n"), (1, b"230 in\r\n")]
SESSION = [
    GREETING,
    *LOGIN,
    (0, b"FEAT\r\n"),
    (1, b"211-Features:\r\n MDTM\r\n230 not the end\r\n211 End\r\n"),
    (0, b"PASV\r\n"),
    (1, b"227 Entering Passive Mode (10,0,0,2,185,13).\r\n"),
    (0, b"RETR a file.txt\r\n"),
    (1, b"150 Opening\r\n226 Done\r\n"),
    (0, b"QUIT\r\n"),
    (1, b"221 bye\r\n"),
]


def ftp(*turns, options=None):
    parser = FtpParser(options or {})
    parser.open(SimpleNamespace(client=CLIENT, server=SERVER), AppSettings(), None)
    for direction, data in turns:
        parser.data(direction, data)
    return parser


def test_each_command_is_a_transaction_and_the_greeting_too():
    parser = ftp(*SESSION)
    assert [tx.command for tx in parser.transactions] == [
        b"",
        b"USER",
        b"PASS",
        b"FEAT",
        b"PASV",
        b"RETR",
        b"QUIT",
    ]
    assert all(tx.done and not tx.events for tx in parser.transactions)
    assert parser.transactions[0].log() == {
        "reply": ["hello", "ready"],
        "completion_code": ["220", "220"],
        "reply_received": "yes",
        "reply_truncated": False,
    }
    assert parser.transactions[2].log() == {
        "command": "PASS",
        "command_data": "secret word",
        "command_truncated": False,
        "reply": ["in"],
        "completion_code": ["230"],
        "reply_received": "yes",
        "reply_truncated": False,
    }
    assert parser.transactions[3].buffer("ftp.reply", 1) == [b"Features:", b" MDTM", b"not the end", b"End"]
    passive = parser.transactions[4].log()
    assert (passive["dynamic_port"], passive["mode"]) == (47373, "passive")
    assert parser.transactions[5].buffer("ftp.completion_code", 1) == [b"150", b"226"]


def test_command_is_seen_before_its_reply():
    tx = ftp(GREETING, (0, b"CWD /tmp\r\n")).transactions[-1]
    assert tx.progress == [COMMAND, 0]
    assert (tx.buffer("ftp.command", 0), tx.buffer("ftp.command_data", 0)) == (b"CWD", b"/tmp")
    assert tx.value("ftp.reply_received") is None


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        (
            [(0, b"PORT 10,0,0,1,1,2\r\n"), (1, b"200 ok\r\n"), (0, b"STOR f\r\n")],
            (CLIENT, 258, b"STOR", b"f"),
        ),
        (
            [(0, b"EPRT |1|10.0.0.1|300|\r\n"), (1, b"200 ok\r\n"), (0, b"LIST\r\n")],
            (CLIENT, 300, b"LIST", b""),
        ),
        ([(0, b"PASV\r\n"), (1, b"227 (1,2,3,4,1,2)\r\n"), (0, b"RETR g\r\n")], (SERVER, 258, b"RETR", b"g")),
        ([(0, b"EPSV\r\n"), (1, b"229 (|||301|)\r\n")], (SERVER, 301, b"", b"")),
        ([(0, b"PORT 10,0,0,1,1,2\r\n"), (1, b"200 ok\r\n")], None),
        ([(0, b"PASV\r\n"), (1, b"502 no\r\n"), (0, b"RETR g\r\n")], None),
    ],
)
def test_data_connections_are_announced_between_the_two_ends_only(turns, wanted):
    found = [(address, port, item.command, item.name) for address, port, _, item in ftp(*turns).expect]
    assert found == ([wanted] if wanted else [])


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (b"227 at (10,0,0,1,0,21).", 21),
        (b"=10,0,0,1,255,255", 65535),
        (b"PORT 10,0,0,1,256,1", 0),
        (b"1,2,3", 0),
        (b"1234,0,0,1,2,3", 0),
        (b"", 0),
    ],
)
def test_ports(text, port):
    assert port_of(text) == port


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (b"|2|::1|1234|", 1234),
        (b"Entering (!!!65535!)", 65535),
        (b"(|||65536|)", 0),
        (b"|1|x|", 0),
        (b"", 0),
        (b"(", 0),
    ],
)
def test_extended_ports(text, port):
    assert extended_port(text) == port


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(0, b"RETR f\r\n")], "file_before_port"),
        ([(0, b"RETR " + b"f" * 5000)], "request_command_too_long"),
        ([(0, b"NOOP\r\n"), (1, b"200 " + b"f" * 5000 + b"\r\n")], "response_command_too_long"),
        ([(0, b"NOOP\r\n" * 1025)], "too_many_transactions"),
    ],
)
def test_events(turns, event):
    assert any(event in tx.events for tx in ftp(GREETING, *turns).transactions)


def test_truncated_lines_are_marked_and_the_next_is_read():
    parser = ftp(GREETING, (0, b"RETR " + b"f" * 5000 + b"\r\nNOOP\r\n"))
    long, noop = parser.transactions[1:]
    assert (long.log()["command_truncated"], len(long.data)) == (True, 4091)
    assert (noop.command, noop.cut) == (b"NOOP", False)


def test_limits_of_the_options():
    parser = ftp(GREETING, (0, b"A\r\nB\r\nC\r\n"), options={"max-tx": "2", "max-line-length": 10})
    assert parser.failed
    assert [tx.command for tx in parser.transactions] == [b"", b"A", b"B"]
    assert parser.transactions[-1].events == ["too_many_transactions"]
    assert ftp((0, b"LONGER THAN TEN\r\n"), options={"max-line-length": 10}).transactions[0].cut


def test_tls_takes_over_when_the_server_agrees():
    parser = ftp(GREETING, (0, b"AUTH TLS\r\n"), (1, b"234 go\r\n"))
    assert parser.upgrade == "tls"
    assert not ftp(GREETING, (0, b"AUTH TLS\r\n"), (1, b"534 no\r\n")).upgrade


@pytest.mark.parametrize(
    ("keyword", "argument", "wanted"),
    [
        ("ftp.mode", "passive", True),
        ("ftp.mode", "active", False),
        ("ftp.reply_received", "yes", True),
        ("ftp.reply_received", "off", False),
    ],
)
def test_values(keyword, argument, wanted):
    tx = ftp(*SESSION).transactions[4]
    (spec,) = (item for item in VALUES if item.keyword == keyword)
    assert spec.test(tx.value(keyword), argument) is wanted


def data_connection(transfer):
    parser = FtpDataParser({})
    parser.open(SimpleNamespace(), AppSettings(force_hashes=frozenset(("md5",))), transfer)
    return parser


def test_a_transfer_is_a_file_whose_name_may_come_later():
    transfer = Transfer(20, active=False)
    parser = data_connection(transfer)
    transfer.command, transfer.name = b"RETR", b"dir/x.txt"
    for piece in (b"ab", b"cd"):
        parser.data(1, piece)
    parser.data(0, b"noise")
    parser.end(1)
    (tx,) = parser.transactions
    (file,) = tx.files
    assert (file.name, bytes(file.data), file.state, file.direction) == (b"dir/x.txt", b"abcd", "CLOSED", 1)
    assert tx.done
    assert tx.value("ftpdata_command") == "retr"
    assert tx.records({}) == [{"filename": "dir/x.txt", "command": "RETR"}]


def test_uploads_and_downloads_belong_to_a_direction():
    tests = {spec.directions: spec.test for spec in SPECS[1].values}
    assert [tests[0,]("stor", "stor"), tests[0,]("retr", "retr"), tests[0,]("stor", "retr")] == [
        True,
        False,
        False,
    ]
    assert [tests[1,]("retr", "retr"), tests[1,]("stor", "stor")] == [True, False]


def test_listings_are_no_files_and_a_gap_is_told():
    listing = Transfer(20, active=True)
    listing.command = b"NLST"
    parser = data_connection(listing)
    parser.data(0, b"a\r\nb\r\n")
    parser.end(0)
    parser.end(1)
    assert parser.transactions[0].files == []
    assert parser.transactions[0].records({}) == [{"command": "NLST"}]
    transfer = Transfer(20, active=True)
    transfer.command = b"STOR"
    parser = data_connection(transfer)
    parser.data(1, b"ab")
    parser.gap(1, 4)
    parser.end(1)
    assert (parser.transactions[0].files[0].size, parser.transactions[0].files[0].state) == (6, "TRUNCATED")


@given(SIZES)
def test_any_chunking_gives_the_same(sizes):
    whole = ftp(*SESSION)
    pieces = ftp(*cut(SESSION, sizes))
    assert picture(pieces) == picture(whole)
    assert [item[:3] for item in pieces.expect] == [item[:3] for item in whole.expect]


@settings(max_examples=200)
@given(hurt(SESSION), SIZES)
def test_damaged_sessions_never_raise(turns, sizes):
    parser = ftp(*turns)
    exercise(parser, SPECS[0])
    assert picture(ftp(*cut(turns, sizes))) == picture(parser)
    parser.gap(0, 3)
    parser.gap(1, 3)
    parser.end(0)
    parser.end(1)
    assert all(tx.done for tx in parser.transactions)
    exercise(parser, SPECS[0])


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200)), max_size=8))
def test_arbitrary_bytes_never_raise(turns):
    exercise(ftp(*turns), SPECS[0])
    exercise(play(FtpDataParser, turns), SPECS[1])


@pytest.mark.parametrize(
    ("direction", "data", "port", "wanted"),
    [
        (0, b"USER me\r\n", 2121, "ftp"),
        (0, b"use", 2121, UNKNOWN),
        (0, b"GET / HTTP/1.0\r\n", 21, FAILED),
        (1, b"220 hello\r\n", 21, "ftp"),
        (1, b"220-hel", 21, UNKNOWN),
        (1, b"220 hello\r\n", 2121, FAILED),
        (1, b"SSH-2.0\r\n", 21, FAILED),
    ],
)
def test_recognition(direction, data, port, wanted):
    assert Detector(SPECS, "tcp").recognise(direction, data, port, 40000) == wanted


@pytest.mark.parametrize(("finish", "state"), [("end", "CLOSED"), ("cut", "TRUNCATED")])
def test_a_transfer_that_is_not_looked_at_to_its_end_is_truncated(finish, state):
    transfer = Transfer(20, active=True)
    transfer.command = b"STOR"
    parser = data_connection(transfer)
    parser.data(1, b"ab")
    getattr(parser, finish)(1)
    assert parser.transactions[0].files[0].state == state
