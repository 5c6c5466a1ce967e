"""DCE/RPC: fragments, contexts, byte orders, datagrams, holes and noise."""

from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.app import COMPLETE
from appliance.model.flow import Flow
from appliance.protocols.dcerpc import calls
from appliance.protocols.dcerpc.parser import DcerpcParser, probe, probe_datagram
from appliance.protocols.dcerpc.rules import interface_test
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

SVCCTL = "367abb81-9844-35f1-ad32-98f038001003"
EPM = "e1af8308-5d1f-11c9-91a4-08002b14a0fa"
NDR = bytes(16)


def pdu(kind, call, body, *, flags=3, end="<"):
    drep = 0x10000000 if end == "<" else 0
    head = struct.pack("BBBB", 5, 0, kind, flags) + drep.to_bytes(4, "big")
    return head + struct.pack(end + "HHI", 16 + len(body), 0, call) + body


def bind(*interfaces, call=1, kind=11, flags=3, end="<"):
    body = struct.pack(end + "HHI", 4280, 4280, 0) + bytes((len(interfaces), 0, 0, 0))
    for number, name in enumerate(interfaces):
        raw = uuid.UUID(name)
        body += struct.pack(end + "H", number) + b"\1\0" + (raw.bytes_le if end == "<" else raw.bytes)
        body += struct.pack(end + "I", 2) + NDR + bytes(4)
    return pdu(kind, call, body, flags=flags, end=end)


def ack(*results, call=1, kind=12, end="<"):
    body = struct.pack(end + "HHIH", 4280, 4280, 7, 4) + b"135\0" + bytes(2) + bytes((len(results), 0, 0, 0))
    for result in results:
        body += struct.pack(end + "HH", result, 0) + NDR + bytes(4)
    return pdu(kind, call, body, end=end)


def request(opnum, stub, *, context=0, call=2, flags=3, end="<"):
    return pdu(0, call, struct.pack(end + "IHH", len(stub), context, opnum) + stub, flags=flags, end=end)


def response(stub, *, call=2, flags=3, end="<"):
    return pdu(2, call, struct.pack(end + "IHH", len(stub), 0, 0) + stub, flags=flags, end=end)


def play(*turns, proto=6):
    made = DcerpcParser()
    made.open(Flow(proto, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 135), None, None)
    for direction, raw in turns:
        made.data(direction, raw)
    return made


SESSION = (
    (0, bind(EPM, SVCCTL)),
    (1, ack(2, 0)),
    (0, request(15, b"stub", context=1)),
    (1, response(b"done")),
)


@pytest.mark.parametrize("end", ["<", ">"])
def test_call_bears_interface_opnum_and_stubs(end):
    made = play(
        (0, bind(EPM, SVCCTL, end=end)),
        (1, ack(2, 0, end=end)),
        (0, request(15, b"stub", context=1, end=end)),
        (1, response(b"done", end=end)),
    )
    first, call = made.transactions
    assert [row["ack_result"] for row in first.log()["interfaces"]] == [2, 0]
    assert call.log()["interfaces"][0]["uuid"] == SVCCTL
    assert call.log()["req"] == {"opnum": 15, "frag_cnt": 1, "stub_data_size": 4}
    assert call.value("dcerpc.opnum") == 15
    assert call.value("dcerpc.iface") == [(SVCCTL, 2, True)]
    assert call.value("dcerpc.endian") == ("little" if end == "<" else "big")
    assert call.buffer("dcerpc.stub_data", 0) == b"stub"
    assert call.buffer("dcerpc.stub_data", 1).endswith(b"done")
    assert call.progress == [COMPLETE, COMPLETE]


def test_rejected_context_is_no_interface():
    made = play(*SESSION[:2], (0, request(3, b"", context=0)))
    assert made.transactions[-1].value("dcerpc.iface") == []


def test_altered_context_is_added():
    made = play(
        (0, bind(EPM)), (1, ack(0)), (0, bind(EPM, SVCCTL, kind=14, call=5)), (1, ack(0, 0, kind=15, call=5))
    )
    made.data(0, request(1, b"", context=1, call=6))
    assert made.transactions[1].log()["request"] == "ALTER_CONTEXT"
    assert made.transactions[2].value("dcerpc.iface")[0][0] == SVCCTL


def test_bind_without_first_fragment_binds_nothing():
    made = play((0, bind(SVCCTL, flags=2)), (0, request(1, b"")))
    assert [tx.log()["request"] for tx in made.transactions] == ["REQUEST"]
    assert made.transactions[0].value("dcerpc.iface") == []


def test_fragments_are_joined():
    made = play(
        (0, request(1, b"aa", flags=1)),
        (0, request(1, b"bb", flags=0)),
        (0, request(9, b"other", call=3)),
        (0, request(1, b"cc", flags=2)),
    )
    first, other = made.transactions
    assert first.buffer("dcerpc.stub_data", 0) == b"aabbcc"
    assert first.log()["req"] == {"opnum": 1, "frag_cnt": 3, "stub_data_size": 6}
    assert other.buffer("dcerpc.stub_data", 0) == b"other"


def test_response_alone_tells_that_the_request_is_lost():
    made = play((1, response(b"x", call=77)))
    assert made.transactions[0].log()["request"] == "REQUEST_LOST"


def test_stub_is_bounded_and_counted():
    made = DcerpcParser()
    piece = request(1, bytes(60_000), flags=0)
    made.data(0, request(1, b"", flags=1))
    for _ in range(20):
        made.data(0, piece)
    call = made.transactions[0].call
    assert call.sizes[0] == 1_200_000
    assert len(call.stubs[0]) == calls.MAX_STUB


def test_open_calls_are_bounded():
    made = DcerpcParser()
    for number in range(calls.MAX_CALLS + 10):
        made.data(0, request(1, b"x", call=number))
    assert len(made._association.calls) == calls.MAX_CALLS


def test_hole_inside_a_call_is_survived():
    whole = request(4, b"z" * 500)
    made = DcerpcParser()
    made.data(0, whole[:100])
    made.gap(0, 300)
    made.data(0, whole[400:] + request(8, b"next", call=9))
    assert [tx.value("dcerpc.opnum") for tx in made.transactions] == [4, 8]


def test_noise_is_an_event_and_calls_are_found_again():
    made = play((0, request(4, b"a")), (0, b"GET / HTTP/1.0\r\n\r\n" + request(8, b"b", call=9)))
    assert "malformed_data" in made.transactions[0].events
    assert made.transactions[-1].value("dcerpc.opnum") == 8


def datagram(kind, *, sequence=1, flags=0, fragment=0, stub=b"", end="<"):
    head = bytes((4, kind, flags, 0, 0x10 if end == "<" else 0, 0, 0, 0)) + bytes(16)
    head += uuid.UUID(SVCCTL).bytes_le + uuid.UUID(EPM).bytes_le
    head += struct.pack(end + "IIIHHHHHBB", 0, 2, sequence, 7, 0, 0, len(stub), fragment, 0, 0)
    return head + stub


def test_datagrams_of_an_activity_belong_together():
    made = play(
        (0, datagram(0, flags=4, stub=b"ab")), (0, datagram(0, flags=6, fragment=1, stub=b"cd")), proto=17
    )
    made.data(1, datagram(2, stub=b"yes"))
    (tx,) = made.transactions
    assert tx.buffer("dcerpc.stub_data", 0) == b"abcd"
    assert tx.done
    body = tx.log()
    assert body["activityuuid"] == EPM
    assert body["rpc_version"] == "4.0"
    assert body["req"] == {"opnum": 7, "frag_cnt": 2, "stub_data_size": 4}


@pytest.mark.parametrize(
    ("argument", "holds"),
    [
        (SVCCTL, True),
        (SVCCTL.upper(), True),
        (EPM, False),
        (f"{SVCCTL},>1", True),
        (f"{SVCCTL},<2", False),
        (f"{SVCCTL},=2", True),
        (f"{SVCCTL},!2", False),
        (f"{SVCCTL},=2,any_frag", True),
        (f"{SVCCTL},=x", False),
    ],
)
def test_interface_condition(argument, holds):
    assert interface_test((SVCCTL, 2, True), argument) is holds


def test_later_fragment_needs_any_frag():
    assert not interface_test((SVCCTL, 2, False), SVCCTL)
    assert interface_test((SVCCTL, 2, False), f"{SVCCTL},any_frag")


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (request(1, b""), PROBE_YES),
        (b"\5\0", PROBE_MAYBE),
        (b"\5\0\x63" + bytes(20), PROBE_NO),
        (b"\5\0\0\3\x10\0\0\0\1\0\0\0" + bytes(8), PROBE_NO),
        (b"HTTP", PROBE_NO),
    ],
)
def test_probe(raw, answer):
    assert probe(raw) == answer


def test_datagram_probe_wants_the_length_to_fit():
    assert probe_datagram(datagram(0, stub=b"abc")) == PROBE_YES
    assert probe_datagram(datagram(0, stub=b"abc")[:-1]) == PROBE_NO


@given(st.lists(st.integers(1, 60), max_size=30))
def test_any_cutting_gives_the_same(steps):
    stream = b"".join(raw for direction, raw in SESSION if direction == 0)
    whole, cut = play((0, stream)), DcerpcParser()
    at = 0
    for step in (*steps, len(stream)):
        cut.data(0, stream[at : at + step])
        at += step
    assert [tx.log() for tx in whole.transactions] == [tx.log() for tx in cut.transactions]


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=120), st.integers(0, 200)), max_size=8))
def test_nothing_raises(turns):
    for proto in (6, 17):
        made = play(proto=proto)
        for direction, raw, hole in turns:
            made.data(direction, b"\5\0" + raw if hole % 3 else raw)
            made.gap(direction, hole)
        made.end(0)
        made.end(1)
        for tx in made.transactions:
            tx.log()


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_mutations_do_not_raise(place, junk):
    for direction, raw in SESSION:
        place %= len(raw)
        made = play(*SESSION[:2], (direction, raw[:place] + junk + raw[place + len(junk) :]))
        assert all(isinstance(tx.log(), dict) for tx in made.transactions)
