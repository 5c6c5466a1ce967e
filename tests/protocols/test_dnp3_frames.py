"""DNP3: checksums, segments, objects of all shapes, floods."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols.dnp3 import SPEC, link, objects, points
from appliance.protocols.dnp3.parser import Dnp3Parser, is_object, probe
from appliance.protocols.reader import Reader
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def sealed(data: bytes) -> bytes:
    return data + link.crc(data).to_bytes(2, "little")


def frame(data: bytes, control: int = 0xC4) -> bytes:
    out = sealed(b"\x05\x64" + bytes([5 + len(data), control]) + b"\x0a\0\1\0")
    return out + b"".join(sealed(data[i : i + 16]) for i in range(0, len(data), 16))


def fragment(data: bytes, control: int = 0xC4) -> bytes:
    return frame(b"\xc0" + data, control)


READ = fragment(b"\xc1\1\x3c\2\6\x3c\3\6")
BITS = b"\1\1\0\0\x09\xff\3"
FLAGS = b"\1\2\0\0\1\x81\2"
COUNTER = b"\x16\1\x28\2\0" + b"\1\0\1" + struct.pack("<I", 7) + b"\2\0\1" + struct.pack("<I", 8)
FLOAT = b"\x1e\5\0\0\1\1" + struct.pack("<f", 1.5) + b"\1" + struct.pack("<f", float("nan"))
STATUS = b"\x46\4\x5b\1\x0d\0" + struct.pack("<IIHHB", 9, 100, 1024, 7, 0)
CROB = b"\x0c\1\x28\1\0\1\0\x03\1" + struct.pack("<IIB", 100, 100, 0)
RESPONSE = fragment(b"\xe1\x81\x90\0" + BITS + FLAGS + COUNTER + FLOAT + STATUS, 0x44)
LONG = b"\xc2\x81\0\0" + b"\x6e\xc8\0\0\1" + bytes(400)
TURNS = [
    (0, READ + fragment(b"\xc3\3" + CROB)),
    (1, RESPONSE),
    (1, frame(b"\x41" + LONG[:200], 0x44) + frame(b"\x82" + LONG[200:400], 0x44)),
    (1, frame(b"\x03" + LONG[:5], 0x44) + b"noise\x05" + fragment(b"\xd0\x82\x80\0", 0x44)),
    (0, frame(b"", 0xC9)),
]


def test_the_checksum():
    # The example frame of IEEE 1815: link reset from 0x0400 to 1.
    assert link.header_fits(bytes.fromhex("056405c001000004e921"))


def test_messages():
    read, select, response, joined, unsolicited = play(Dnp3Parser, TURNS).transactions
    assert [tx.events for tx in (read, select, response, joined, unsolicited)] == [
        [],
        [],
        [],
        ["malformed"],
        [],
    ]
    assert read.value("dnp3_obj") == [(60, 2), (60, 3)]
    assert read.log()["request"]["type"] == "request"
    crob = select.records({})[0]["application"]["objects"][0]["points"][0]
    assert crob == {
        "prefix": 1,
        "index": 1,
        "op_type": 3,
        "qu": 0,
        "cr": 0,
        "tcc": 0,
        "count": 1,
        "ontime": 100,
        "offtime": 100,
        "status_code": 0,
        "reserved": 0,
    }
    assert response.value("dnp3_ind") == 0x9000
    body = response.records({})[0]
    assert body["iin"] == {"indicators": ["need_time", "device_restart"]}
    assert body["application"]["complete"]
    bits, flags, counter, floats, status = body["application"]["objects"]
    assert [point["state"] for point in bits["points"]] == [1] * 10
    assert (flags["points"][0]["online"], flags["points"][0]["state"]) == (1, 1)
    assert [(p["index"], p["count"]) for p in counter["points"]] == [(1, 7), (2, 8)]
    assert [p["value"] for p in floats["points"]] == [1.5, "nan"]
    assert status["points"][0] | {"optional_text": ""} == status["points"][0]
    assert status["points"][0]["file_handle"] == 9
    assert unsolicited.records({})[0]["type"] == "unsolicited_response"
    assert response.buffer("dnp3_data", 1) == b"\xe1\x81\x90\0" + BITS + FLAGS + COUNTER + FLOAT + STATUS


def test_segments_are_joined_in_order():
    dnp3 = play(Dnp3Parser, [(1, frame(b"\x41" + LONG[:200], 0x44) + frame(b"\x82" + LONG[200:], 0x44))])
    (tx,) = dnp3.transactions
    assert tx.buffer("dnp3_data", 1) == LONG
    dnp3 = play(Dnp3Parser, [(1, frame(b"\x41" + LONG[:200], 0x44) + frame(b"\x83" + LONG[200:], 0x44))])
    assert dnp3.transactions == []


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (READ[:8] + b"xx" + READ[10:], "bad_link_crc"),
        (READ[:-1] + b"x", "bad_transport_crc"),
        (sealed(b"\x05\x64\4\xc4\1\0\2\0"), "len_too_small"),
        (frame(b""), "len_too_small"),
        (fragment(b"\xc1"), "len_too_small"),
        (fragment(b"\xc1\2\xfe\1\7\1xxxx"), "unknown_object"),
        (fragment(b"\xc1\2\1\2\7\x09x"), "malformed"),
        (fragment(b"\xc1\2\1\2\0\5\1x"), "malformed"),
        (fragment(b"\xc1\2\1\1\2" + struct.pack("<II", 0, 1 << 31)), "too_many_points"),
        (fragment(b"\xc1\1" + b"\x3c\2\6" * 80), "too_many_objects"),
    ],
)
def test_events(data, event):
    dnp3 = play(Dnp3Parser, [(0, data)], options={"max-objects": 70})
    assert dnp3.transactions[0].events == [event]


def test_a_fragment_without_end():
    parts = [frame(bytes([(0x40 if i == 0 else 0) | i % 64]) + bytes(240)) for i in range(40)]
    events = [tx.events for tx in play(Dnp3Parser, [(0, b"".join(parts))]).transactions]
    assert events == [["too_long_reassembly"]]


def test_a_flood_is_one_event_and_few_records():
    dnp3 = play(Dnp3Parser, [(0, READ * 40)])
    assert [tx.events for tx in dnp3.transactions if tx.events] == [["flooded"]]
    assert sum(len(tx.records({})) for tx in dnp3.transactions) == 33
    assert len(dnp3.transactions) == 40


def test_objects_in_rules():
    assert is_object((22, 1), "22,01")
    assert not is_object((22, 1), "22,2")


@pytest.mark.parametrize(
    ("data", "answer"),
    [(READ, PROBE_YES), (READ[:6], PROBE_MAYBE), (b"\x05\x65", PROBE_NO), (READ[:9] + b"x", PROBE_NO)],
)
def test_recognition(data, answer):
    assert probe(data) == answer


@given(st.sampled_from(sorted(points.FIELDS)), st.binary(max_size=80))
def test_layouts_read_as_many_bytes_as_they_say(key, data):
    reader = Reader(data)
    points.read(points.FIELDS[key], reader)
    size = points.SIZES[key]
    assert reader.failed or size < 0 or reader.at == size


@given(st.binary(max_size=300), st.integers(0, 255))
def test_objects_of_any_bytes(data, function):
    for one in objects.parse(data, 0, function, 100, 5000).found:
        one.log()


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(Dnp3Parser, cut(TURNS, sizes))) == picture(play(Dnp3Parser, TURNS))


@given(hurt(TURNS))
def test_no_bytes_raise(turns):
    dnp3 = play(Dnp3Parser, turns)
    dnp3.gap(0, 5)
    dnp3.end(0)
    exercise(dnp3, SPEC)
