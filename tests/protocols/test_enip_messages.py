"""EtherNet/IP and CIP: encapsulation, paths, packed messages, pairing."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import SIZES, UDP, cut, exercise, hurt, picture, play

from appliance.protocols.enip import SPEC, cip
from appliance.protocols.enip.parser import EnipParser, probe
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def encapsulated(command: int, body: bytes = b"", status: int = 0, context: bytes = bytes(8)) -> bytes:
    return struct.pack("<HHII", command, len(body), 7, status) + context + bytes(4) + body


def items(*pairs: tuple[int, bytes]) -> bytes:
    return struct.pack("<H", len(pairs)) + b"".join(struct.pack("<HH", k, len(d)) + d for k, d in pairs)


def unit_data(sequence: int, message: bytes) -> bytes:
    connected = struct.pack("<H", sequence) + message
    return encapsulated(0x70, bytes(6) + items((0xA1, bytes(4)), (0xB1, connected)))


IDENTITY = (
    b"\1\0"
    + bytes(16)
    + struct.pack("<HHH", 1, 12, 58)
    + b"\4\3"
    + struct.pack("<HI", 0x30, 0x524D8E)
    + b"\4unit\3"
)
SERVICES = struct.pack("<HH", 1, 0x120) + b"Communications\0\0"
SINGLE = b"\x0e\3\x20\1\x24\2\x30\7"
WIDE = b"\x03\4\x21\0\x34\x12\x25\0\1\0" + struct.pack("<HHH", 2, 5, 6)
PACKED = b"\x0a\2\x20\2\x24\1" + struct.pack("<HHH", 2, 6, 6 + len(SINGLE)) + SINGLE + WIDE
TURNS = [
    (0, encapsulated(0x65, b"\1\0\0\0")),
    (1, encapsulated(0x65, b"\1\0\0\0")),
    (0, encapsulated(0x63) + encapsulated(0x04)),
    (1, encapsulated(0x04, items((0x100, SERVICES))) + encapsulated(0x63, items((0x0C, IDENTITY)))),
    (0, unit_data(1, PACKED) + unit_data(2, SINGLE)),
    (1, unit_data(2, b"\x8e\0\5\1\x34\x12") + unit_data(1, b"\x8a\0\0\0" + b"\1\0\4\0" + b"\x8e\0\0\0")),
    (
        0,
        encapsulated(0x6F, bytes(6) + items((0, b""), (0xB2, b"\x10\4\x91\3abc\0\1\0"))) + encapsulated(0x66),
    ),
]


def test_a_conversation():
    enip = play(EnipParser, TURNS)
    assert [tx.events for tx in enip.transactions] == [[]] * 7
    assert [sorted(tx.log()) for tx in enip.transactions][:5] == [["request", "response"]] * 5
    _, identity, services, packed, single, rr, bye = enip.transactions
    numbers = {"vendor_id": 1, "device_type": 12, "product_code": 58, "revision": 0x403, "serial": 0x524D8E}
    assert {name: identity.compared(f"enip.{name}", 1) for name in numbers} == numbers
    assert (identity.compared("enip.state", 1), identity.compared("enip.identity_status", 1)) == (3, 0x30)
    assert identity.buffer("enip.product_name", 1) == b"unit"
    assert identity.log()["response"]["identity"]["revision"] == "4.3"
    assert services.buffer("enip.service_name", 1) == b"Communications"
    assert services.compared("enip.capabilities", 1) == 0x120
    assert packed.compared("enip.cip_class", 0) == [2, 1, 0x1234]
    assert packed.compared("enip.cip_instance", 0) == [1, 2, 1]
    assert packed.compared("enip.cip_attribute", 0) == [7, 5, 6]
    assert packed.compared("enip.cip_status", 1) == [0, 0]
    assert single.compared("enip.cip_extendedstatus", 1) == [0x1234]
    assert single.log()["request"]["cip"]["path"][0] == {"segment_type": "class_8bit", "value": 1}
    assert rr.log()["request"]["cip"]["path"] == [
        {"segment_type": "symbol", "value": "abc"},
        {"segment_type": "port", "value": 1},
    ]
    assert bye.skip == [False, True]


@pytest.mark.parametrize(
    ("argument", "held"),
    [
        ("14", True),
        ("15", False),
        ("14,1", True),
        ("14,2", False),
        ("14,1,7", True),
        ("14,1,!7", False),
        ("14,1,!8", True),
    ],
)
def test_services_in_rules(argument, held):
    assert cip.is_service((14, [1], [7]), argument) is held


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (encapsulated(0x63), PROBE_YES),
        (encapsulated(0x63)[:9], PROBE_MAYBE),
        (encapsulated(0x62), PROBE_NO),
        (encapsulated(0x63, status=0x99), PROBE_NO),
        (b"GET / HTTP/1.1\r\n\r\n", PROBE_NO),
    ],
)
def test_recognition(data, answer):
    assert probe(data) == answer


@pytest.mark.parametrize(
    "raw", [encapsulated(0x70, b"\1"), unit_data(1, b"\x0e\x30"), encapsulated(0x44, b"1")]
)
def test_messages_out_of_order(raw):
    assert play(EnipParser, [(0, raw)]).transactions[0].events == ["invalid_pdu"]


def test_datagrams_stand_alone():
    enip = play(EnipParser, [(0, encapsulated(0x63)[:10]), (0, encapsulated(0x63))], UDP)
    assert [tx.events for tx in enip.transactions] == [["invalid_pdu"], []]


def test_waiting_requests_are_bounded():
    enip = play(EnipParser, [(0, encapsulated(0x63)) for _ in range(600)])
    assert sum(not tx.done for tx in enip.transactions) == 512


def test_packing_has_a_bound():
    message = SINGLE
    for _ in range(9):
        message = b"\x0a\0" + struct.pack("<HH", 1, 4) + message
    found = cip.parse(message)
    assert found is not None
    assert len(found.all()) == cip.MAX_DEPTH + 1


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(EnipParser, cut(TURNS, sizes))) == picture(play(EnipParser, TURNS))


@given(hurt(TURNS), st.sampled_from((6, UDP)))
def test_no_bytes_raise(turns, proto):
    enip = play(EnipParser, turns, proto)
    for tx in enip.transactions:
        for spec in SPEC.values:
            tx.compared(spec.keyword, 0), tx.compared(spec.keyword, 1)
    exercise(enip, SPEC)
