"""Modbus: units, what is wrong with them, and the keyword."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols.modbus import SPEC
from appliance.protocols.modbus.parser import ModbusParser, probe
from appliance.protocols.modbus.rules import matches
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def unit(body: bytes, tid: int = 1, protocol: int = 0, unit_id: int = 9) -> bytes:
    return struct.pack(">HHHB", tid, protocol, len(body) + 1, unit_id) + body


READ = b"\3" + struct.pack(">HH", 100, 2)
WRITE_REGS = b"\x10" + struct.pack(">HHB", 50, 2, 4) + b"\0\1\1\0"
WRITE_COILS = b"\x0f" + struct.pack(">HHB", 10, 10, 2) + b"\x05\x02"
BOTH = b"\x17" + struct.pack(">HHHHB", 1, 2, 3, 1, 2) + b"\0\7"
TURNS = [
    (0, unit(READ) + unit(WRITE_REGS, 2)),
    (1, unit(b"\3\4\0\1\0\2") + unit(b"\x10\0\x32\0\2", 2)),
    (0, unit(WRITE_COILS, 3) + unit(b"\5\0\1\xff\0", 4) + unit(BOTH, 5) + unit(b"\x08\0\4\0\0", 6)),
    (1, unit(b"\x8f\2", 3) + unit(b"\5\0\1\xff\0", 4) + unit(b"\x17\4abcd", 5)),
]


def test_exchanges():
    modbus = play(ModbusParser, TURNS)
    assert [tx.events for tx in modbus.transactions] == [[]] * 6
    assert [tx.done for tx in modbus.transactions] == [True] * 5 + [False]
    body = modbus.transactions[0].log()
    assert body["id"] == 1
    assert body["request"]["function_code"] == "RdHoldRegs"
    assert body["request"]["access_type"] == "READ | HOLDING"
    assert body["request"]["read"] == {"address": 100, "quantity": 2}
    assert body["response"]["category"] == "PUBLIC_ASSIGNED"
    assert modbus.transactions[1].log()["request"]["write"]["data"] == [1, 256]
    assert modbus.transactions[2].log()["response"]["exception"] == {"raw": 2, "code": "IllegalDataAddr"}
    assert modbus.transactions[5].log()["request"]["diagnostic"] == {"raw": 4, "data": "0000"}


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(0, unit(READ, protocol=1))], "invalid_protocol_id"),
        ([(1, unit(b"\3\0"))], "unsolicited_response"),
        ([(0, struct.pack(">HHHB", 1, 0, 1, 1) + b"\1")], "invalid_length"),
        ([(0, unit(b"\3\0"))], "invalid_length"),
        ([(0, unit(b"\0"))], "invalid_function_code"),
        ([(0, unit(b"\3\0\1\0\0"))], "invalid_value"),
        ([(0, unit(b"\5\0\1\1\1"))], "invalid_value"),
        ([(0, unit(READ)), (1, unit(b"\x83\x63"))], "invalid_exception_code"),
        ([(0, unit(READ)), (1, unit(b"\3\2\0\1"))], "value_mismatch"),
        ([(0, unit(READ, tid)) for tid in range(501)], "flooded"),
    ],
)
def test_events(turns, event):
    assert event in play(ModbusParser, turns).transactions[0].events


def rule(**changes):
    blank = dict.fromkeys(("function", "subfunction", "unit", "address", "value"))
    return SimpleNamespace(
        **(blank | {"category": "", "negated": False, "access": "", "access_type": ""} | changes)
    )


EQ = "="


@pytest.mark.parametrize(
    ("body", "changes", "held"),
    [
        (READ, {"function": 3}, True),
        (READ, {"function": 3, "negated": True}, False),
        (READ, {"unit": (EQ, 9, 0)}, True),
        (READ, {"unit": (">", 9, 0), "function": 3}, False),
        (b"\x08\0\4\0\0", {"function": 8, "subfunction": 4}, True),
        (b"\x08\0\4\0\0", {"function": 8, "subfunction": 5}, False),
        (READ, {"category": "assigned"}, True),
        (b"\x41", {"category": "user"}, True),
        (b"\x09", {"category": "public", "negated": True}, True),
        (b"\x09", {"category": "all"}, True),
        (b"\x08\0\x13", {"category": "reserved"}, True),
        (READ, {"access": "read"}, True),
        (READ, {"access": "write"}, False),
        (READ, {"access": "read", "access_type": "coils"}, False),
        (READ, {"access": "read", "access_type": "holding", "address": (EQ, 101, 0)}, True),
        (READ, {"access": "read", "address": (EQ, 102, 0)}, False),
        (READ, {"access": "read", "address": ("range", 90, 101)}, True),
        (READ, {"access": "read", "address": ("range", 101, 110)}, False),
        (READ, {"access": "read", "address": ("<", 100, 0)}, False),
        (WRITE_REGS, {"access": "write", "address": (EQ, 51, 0), "value": (EQ, 256, 0)}, True),
        (WRITE_REGS, {"access": "write", "address": (EQ, 50, 0), "value": (EQ, 256, 0)}, False),
        (
            WRITE_COILS,
            {"access": "write", "address": (EQ, 12, 0), "value": (EQ, 1, 0)},
            True,
        ),
        (WRITE_COILS, {"access": "write", "address": (EQ, 11, 0), "value": (EQ, 1, 0)}, False),
        (WRITE_COILS, {"access": "write", "address": (EQ, 19, 0), "value": (">", 0, 0)}, True),
        (BOTH, {"access": "write", "address": (EQ, 3, 0), "value": (EQ, 7, 0)}, True),
    ],
)
def test_the_keyword(body, changes, held):
    request = play(ModbusParser, [(0, unit(body))]).transactions[0].value("modbus")
    assert matches(request, rule(**changes)) is held


def test_recognition():
    assert probe(unit(READ)) == PROBE_YES
    assert probe(unit(READ)[:5]) == PROBE_MAYBE
    assert probe(unit(READ, protocol=3)) == PROBE_NO
    assert probe(b"GET / HTTP/1.1") == PROBE_NO


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(ModbusParser, cut(TURNS, sizes))) == picture(play(ModbusParser, TURNS))


@given(hurt(TURNS))
def test_no_bytes_raise(turns):
    modbus = play(ModbusParser, turns)
    modbus.gap(0, 5)
    modbus.end(0)
    exercise(modbus, SPEC)
