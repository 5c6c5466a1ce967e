"""PostgreSQL: from the request for encryption to the last answer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols.pgsql import SPEC
from appliance.protocols.pgsql.parser import PgsqlParser, probe_client, probe_server
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def untyped(code: int, body: bytes = b"") -> bytes:
    return struct.pack(">II", 8 + len(body), code) + body


def typed(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">I", 4 + len(body)) + body


SSL = untyped(80877103)
START = untyped(196608, b"user\0ann\0database\0shop\0\0")
READY = typed(b"Z", b"I")
ROW = typed(b"D", b"\0\2\0\0\0\3abc\xff\xff\xff\xff")
ERROR = typed(b"E", b"SERROR\0VERROR\0C42601\0Mno such thing\0\0")
LOGIN = typed(b"R", bytes(4)) + typed(b"S", b"TimeZone\0UTC\0") + typed(b"K", b"\0\0\0\1\0\0\0\2") + READY
TURNS = [
    (0, SSL),
    (1, b"N"),
    (0, START),
    (1, typed(b"R", b"\0\0\0\x05\x88abc")),
    (0, typed(b"p", b"md5secret\0")),
    (1, LOGIN),
    (0, typed(b"Q", b"select 1\0") + typed(b"Q", b"bad\0")),
    (1, typed(b"T", b"\0\2") + ROW * 3 + typed(b"C", b"SELECT 3\0") + READY + ERROR + READY),
    (0, typed(b"P", b"\0select $1\0\0\0") + typed(b"B", b"x") + typed(b"E", b"\0\0\0\0\0") + typed(b"S")),
    (1, typed(b"1") + typed(b"2") + ROW + typed(b"C", b"SELECT 1\0") + READY),
    (0, typed(b"Q", b"copy t from stdin\0")),
    (1, typed(b"G", b"\0\0\2\0\0\0\0")),
    (0, typed(b"d", b"1\t2\n") * 2 + typed(b"c")),
    (1, typed(b"C", b"COPY 2\0") + READY),
    (0, typed(b"X")),
]


def test_a_session():
    pgsql = play(PgsqlParser, TURNS)
    assert all(tx.done and not tx.events for tx in pgsql.transactions)
    logs = [tx.log() for tx in pgsql.transactions]
    assert [log["tx_id"] for log in logs] == list(range(1, 9))
    assert logs[0] == {"tx_id": 1, "request": {"message": "SSL Request"}, "response": {"ssl_accepted": False}}
    assert logs[1]["request"]["startup_parameters"] == {
        "user": "ann",
        "optional_parameters": [{"database": "shop"}],
    }
    assert logs[1]["response"] == {"authentication_md5_password": "\\x88abc"}
    assert logs[2]["request"] == {"password_redacted": True}
    assert pgsql.transactions[2].records({"passwords": True})[0]["request"] == {"password": "md5secret"}
    assert logs[2]["response"] == {
        "message": "authentication_ok",
        "parameter_status": [{"time_zone": "UTC"}],
        "process_id": 1,
        "secret_key": 2,
    }
    assert logs[3]["response"] == {
        "field_count": 2,
        "data_rows": 3,
        "data_size": 9,
        "command_completed": "SELECT 3",
    }
    assert logs[4]["response"]["code"] == "42601"
    assert pgsql.transactions[5].buffer("pgsql.query", 0) == [b"select $1"]
    assert logs[6]["request"]["copy_data_in"] == {"msg_count": 2, "data_size": 8}
    assert logs[7]["request"] == {"message": "termination_message"}


def test_scram():
    sasl = typed(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
    pgsql = play(
        PgsqlParser,
        [
            (0, START),
            (1, sasl),
            (0, typed(b"p", b"SCRAM-SHA-256\0\0\0\0\3n,,")),
            (1, typed(b"R", b"\0\0\0\x0br=1")),
            (0, typed(b"p", b"c=1")),
            (1, typed(b"R", b"\0\0\0\x0cv=1") + LOGIN),
        ],
    )
    logs = [tx.log() for tx in pgsql.transactions]
    assert logs[1]["request"] == {"sasl_authentication_mechanism": "scram_SHA256", "sasl_param": "n,,"}
    assert logs[1]["response"] == {"authentication_sasl_continue": "r=1"}
    assert logs[2]["request"] == {"sasl_response": "c=1"}
    assert logs[2]["response"]["authentication_sasl_final"] == "v=1"
    assert logs[2]["response"]["message"] == "authentication_ok"


def test_encryption_leads_to_tls():
    pgsql = play(PgsqlParser, [(0, SSL), (1, b"S")])
    assert pgsql.upgrade == "tls"
    assert pgsql.transactions[0].done


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(0, untyped(0x00FF00FF))], "malformed_request"),
        ([(0, START), (0, typed(b"?", b"x"))], "malformed_request"),
        ([(0, START), (0, b"Q\0\0\0\1")], "invalid_length"),
        ([(0, b"\0\0\xff\xff\0\3\0\0")], "invalid_length"),
        ([(0, START), (1, typed(b"R", b"\0"))], "malformed_response"),
        ([(0, START), (1, typed(b"!", b""))], "malformed_response"),
        ([(0, START)] + [(0, typed(b"Q", b"x\0"))] * 1024, "too_many_transactions"),
    ],
)
def test_events(turns, event):
    assert event in [name for tx in play(PgsqlParser, turns).transactions for name in tx.events]


def test_long_messages_are_not_kept():
    big = typed(b"Q", b"x" * 500_000)
    pgsql = play(PgsqlParser, [(0, START), (0, big), (0, typed(b"X"))])
    assert len(pgsql.transactions[1].query[0]) == 256 << 10
    assert pgsql.transactions[2].request == {"message": "termination_message"}


@pytest.mark.parametrize(
    ("probe", "data", "answer"),
    [
        (probe_client, SSL, PROBE_YES),
        (probe_client, START[:12], PROBE_YES),
        (probe_client, SSL[:3], PROBE_MAYBE),
        (probe_client, typed(b"Q", b"select\0"), PROBE_YES),
        (probe_client, b"GET / HTTP/1.1\r\n", PROBE_NO),
        (probe_server, b"N", PROBE_YES),
        (probe_server, typed(b"R", bytes(4)), PROBE_YES),
        (probe_server, b":hello", PROBE_NO),
        (probe_server, b"SSH-2.0-x", PROBE_NO),
    ],
)
def test_recognition(probe, data, answer):
    assert probe(data) == answer


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(PgsqlParser, cut(TURNS, sizes))) == picture(play(PgsqlParser, TURNS))


@given(hurt(TURNS))
def test_no_bytes_raise(turns):
    pgsql = play(PgsqlParser, turns)
    exercise(pgsql, SPEC)
    pgsql.gap(0, 5)
    pgsql.end(0)
    exercise(pgsql, SPEC)
