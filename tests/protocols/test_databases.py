"""Redis and MySQL: the commands of clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols import mysql, redis
from appliance.protocols.mysql.parser import MysqlParser, probe_greeting, probe_login
from appliance.protocols.redis.parser import RedisParser, probe
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

REDIS = [
    (0, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n"),
    (1, b"+OK\r\n"),
    (0, b"PING\r\n*0\r\n*1\r\n$4\r\nQUIT\r\n"),
]


def packet(sequence: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


def login(capabilities: int, rest: bytes = b"root\0") -> bytes:
    return packet(1, capabilities.to_bytes(4, "little") + bytes(4) + b"\x2d" + bytes(23) + rest)


GREETING = packet(0, b"\x0a8.0.36\0" + bytes(60))
MYSQL = [
    (1, GREETING),
    (0, login(0x08000200)),
    (1, packet(2, bytes(7))),
    (0, packet(0, b"\3\0\1select 1") + packet(0, b"\x16insert ?") + packet(0, b"\x0e")),
]


def test_redis_commands():
    commands = [tx.buffer("redis.command", 0) for tx in play(RedisParser, REDIS).transactions]
    assert commands == [b"SET k a\r\nb", b"PING", b"QUIT"]


def test_mysql_commands():
    found = play(MysqlParser, MYSQL).transactions
    assert [tx.buffer("mysql.query", 0) for tx in found] == [b"select 1", b"insert ?", None]
    assert found[0].log() == {"command": "query", "query": "select 1", "user": "root"}


def test_mysql_goes_over_to_tls():
    made = play(MysqlParser, [(1, GREETING), (0, login(0x0A00, b"") + b"\x16\3\1")])
    assert (made.upgrade, made.upgrade_data) == ("tls", (b"\x16\3\1", b""))


def test_what_is_long_is_not_kept():
    made = play(
        RedisParser, [(0, b"*2\r\n$3\r\nSET\r\n$900000\r\n"), (0, bytes(900_000)), (0, b"\r\nPING\r\n")]
    )
    assert [len(tx.buffer("redis.command", 0)) for tx in made.transactions] == [64 << 10, 4]
    made = play(MysqlParser, [(0, login(0x200)), (0, packet(0, b"\3" + bytes(900_000)) + packet(0, b"\x0e"))])
    assert [tx.command for tx in made.transactions] == [3, 14]


@pytest.mark.parametrize("said", [b"*1\r\nx\r\n", b"*x\r\n", b"$4\r\n", b"x" * 70_000, b"*1\r\n$-1\r\n"])
def test_what_is_not_redis(said):
    assert play(RedisParser, [(0, said)]).failed


@pytest.mark.parametrize(
    ("ask", "data", "answer"),
    [
        (probe, b"*2\r\n$3\r\nGET\r\n", PROBE_YES),
        (probe, b"*2\r\n$", PROBE_MAYBE),
        (probe, b"*", PROBE_MAYBE),
        (probe, b"* OK ready\r\n", PROBE_NO),
        (probe, b"*2\r\nGET", PROBE_NO),
        (probe, b"*" + b"1" * 40, PROBE_NO),
        (probe_greeting, GREETING, PROBE_YES),
        (probe_greeting, GREETING[:8], PROBE_MAYBE),
        (probe_greeting, packet(0, b"\x0aabc\0" + bytes(60)), PROBE_NO),
        (probe_login, login(0x200), PROBE_YES),
        (probe_login, login(0x200)[:20], PROBE_MAYBE),
        (probe_login, login(0), PROBE_NO),
        (probe_login, b"GET / HTTP/1.1\r\n", PROBE_NO),
    ],
)
def test_recognition(ask, data, answer):
    assert ask(data) == answer


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    for make, turns in ((RedisParser, REDIS), (MysqlParser, MYSQL)):
        assert picture(play(make, cut(turns, sizes))) == picture(play(make, turns))


@given(hurt(REDIS), hurt(MYSQL))
def test_no_bytes_raise(first, second):
    for make, turns, spec in ((RedisParser, first, redis.SPEC), (MysqlParser, second, mysql.SPEC)):
        made = play(make, turns)
        exercise(made, spec)
        made.gap(0, 5)
        made.end(0)
