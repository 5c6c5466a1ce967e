"""NFS: calls and replies of all versions, files in pieces, records of streams."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import SIZES, UDP, cut, exercise, hurt, picture, play

from appliance.protocols.nfs import SPEC, rpc
from appliance.protocols.nfs.parser import NfsParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

H2 = bytes(range(32))
H3 = b"handle-3"


def word(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


CREDS = bytes(4) + word(b"host") + struct.pack(">III", 10, 20, 0)


def call(xid: int, version: int, procedure: int, args: bytes = b"") -> bytes:
    head = struct.pack(">IIIIII", xid, 0, 2, 100003, version, procedure)
    return head + struct.pack(">I", 1) + word(CREDS) + bytes(8) + args


def reply(xid: int, results: bytes = bytes(4)) -> bytes:
    return struct.pack(">IIIIII", xid, 1, 0, 0, 0, 0) + results


def record(message: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(message)) + message


def write3(offset: int, data: bytes) -> bytes:
    return word(H3) + struct.pack(">QII", offset, len(data), 2) + word(data)


READ3 = bytes(8) + struct.pack(">II", 4, 1) + word(b"read")
SEQUENCE = struct.pack(">I", 53) + bytes(32)
PUTFH = struct.pack(">I", 22) + word(b"fh4")
WRITE4 = struct.pack(">I", 38) + bytes(16) + struct.pack(">QI", 0, 2) + word(b"four")
READ4 = struct.pack(">I", 25) + bytes(16) + struct.pack(">QI", 0, 99)


def compound(*operations: bytes) -> bytes:
    return word(b"tag") + struct.pack(">II", 1, len(operations)) + b"".join(operations)


READ4_REPLY = bytes(4) + word(b"") + struct.pack(">IIIIIII", 2, 22, 0, 25, 0, 1, 3) + b"abc\0"
TURNS = [
    (0, record(call(1, 3, 0)) + record(call(2, 3, 3, word(b"dir") + word(b"name.txt")))),
    (1, record(reply(1, b"")) + record(reply(2, bytes(4) + word(H3)))),
    (0, record(call(3, 3, 7, write3(0, b"hello "))) + record(call(4, 3, 7, write3(6, b"world")))),
    (1, record(reply(4)) + record(reply(3))),
    (0, record(call(5, 3, 21, word(H3) + bytes(12))) + record(call(6, 3, 6, word(H3) + bytes(12)))),
    (1, record(reply(5)) + record(reply(6, READ3))),
    (0, record(call(7, 4, 1, compound(SEQUENCE, PUTFH, WRITE4)))),
    (1, record(reply(7))),
    (0, record(call(8, 4, 1, compound(PUTFH, READ4)))),
    (1, record(reply(8, READ4_REPLY))),
]


def test_files_are_put_together():
    nfs = play(NfsParser, TURNS)
    files = [(f.name, bytes(f.data), f.direction, f.state) for tx in nfs.transactions for f in tx.files]
    assert files == [
        (b"name.txt", b"hello world", 0, "CLOSED"),
        (b"name.txt", b"read", 1, "CLOSED"),
        (b"", b"four", 0, "OPEN"),
        (b"", b"abc", 1, "CLOSED"),
    ]
    nfs.end(0)
    assert nfs.transactions[4].files[0].state == "OPEN"
    nfs.end(1)
    assert nfs.transactions[4].files[0].state == "CLOSED"


def test_records():
    lookup, write, *_ = (tx.log() for tx in play(NfsParser, TURNS).transactions)
    assert lookup == {
        "version": 3,
        "procedure": "LOOKUP",
        "filename": "name.txt",
        "id": 1,
        "file_tx": False,
        "hhash": lookup["hhash"],
        "type": "response",
        "status": "OK",
        "rpc": {
            "xid": 2,
            "auth_type": "UNIX",
            "status": "ACCEPTED",
            "creds": {"machine_name": "host", "uid": 10, "gid": 20},
        },
    }
    assert write["write"] == {"first": True, "last": True, "last_xid": 3, "chunks": 2}
    assert write["rpc"]["auth_type"] == "NULL"


@pytest.mark.parametrize(
    ("version", "procedure", "args", "wanted"),
    [
        (
            2,
            11,
            H2 + word(b"old") + H2 + word(b"new"),
            {"procedure": "RENAME", "filename": "old", "rename": "new"},
        ),
        (2, 14, H2 + word(b"dir"), {"procedure": "MKDIR", "filename": "dir"}),
        (3, 14, word(H3) + word(b"old") + word(H3) + word(b"new"), {"procedure": "RENAME", "rename": "new"}),
        (3, 99, word(H3), {"procedure": "99"}),
    ],
)
def test_calls(version, procedure, args, wanted):
    nfs = play(NfsParser, [(0, call(1, version, procedure, args)), (1, reply(1, b"\0\0\0\x11"))], UDP)
    (tx,) = nfs.transactions
    assert wanted.items() <= tx.log().items()
    assert tx.log()["status"] == "ERR_EXIST"
    assert (tx.value("nfs_version"), tx.value("nfs_procedure")) == (version, procedure)
    assert tx.done


def test_attributes_are_not_recorded():
    (tx,) = play(NfsParser, [(0, call(1, 3, 1, word(H3)))], UDP).transactions
    assert tx.records({}) == []


def test_pieces_out_of_place():
    turns = [(0, call(1, 3, 7, write3(0, b"abc"))), (0, call(2, 3, 7, write3(2, b"cd")))]
    (tx,) = play(NfsParser, [*turns, (0, call(3, 3, 7, write3(6, b"gh")))], UDP).transactions
    assert bytes(tx.files[0].data) == b"abcd\0\0gh"
    assert tx.files[0].gaps


def test_arguments_that_end_too_soon():
    (tx,) = play(NfsParser, [(0, call(1, 3, 3, word(H3) + b"\0\0\1\0x"))], UDP).transactions
    assert tx.events == ["malformed_data"]


def test_everything_is_bounded():
    nfs = play(
        NfsParser, [(0, call(i, 3, 7, word(bytes([i % 251, i >> 8])) + bytes(20))) for i in range(1500)], UDP
    )
    assert sum(not tx.done for tx in nfs.transactions) == 64
    records = rpc.Records()
    assert records.feed(struct.pack(">I", 0xFFFFFFFF) + bytes(5000)) == []
    assert records.feed(bytes(5000)) == []
    assert len(records._held) == 0


def test_records_in_fragments_and_after_a_hole():
    message = call(1, 3, 0)
    records = rpc.Records()
    parts = (
        struct.pack(">I", 20)
        + message[:20]
        + struct.pack(">I", 0x80000000 | len(message) - 20)
        + message[20:]
    )
    assert records.feed(parts) == [message]
    records.gap(1)
    assert records.feed(b"rubbish") == []
    assert records.feed(record(message)) == [message]


@pytest.mark.parametrize(
    ("probe", "data", "answer"),
    [
        (rpc.probe_stream_call, record(call(1, 3, 0)), PROBE_YES),
        (rpc.probe_stream_call, record(call(1, 3, 0))[:10], PROBE_MAYBE),
        (rpc.probe_stream_call, b"GET / HTTP/1.1\r\n\r\n", PROBE_NO),
        (rpc.probe_call, call(1, 2, 0), PROBE_YES),
        (rpc.probe_call, b"abcd", PROBE_NO),
        (rpc.probe_reply, reply(1), PROBE_YES),
        (rpc.probe_stream_reply, record(reply(1)), PROBE_YES),
        (rpc.probe_stream_reply, b"SSH-2.0-server\r\n", PROBE_NO),
    ],
)
def test_recognition(probe, data, answer):
    assert probe(data) == answer


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(NfsParser, cut(TURNS, sizes))) == picture(play(NfsParser, TURNS))


@given(hurt(TURNS), st.sampled_from((6, UDP)))
def test_no_bytes_raise(turns, proto):
    nfs = play(NfsParser, turns, proto)
    exercise(nfs, SPEC)
    nfs.gap(0, 5)
    nfs.end(0)
    nfs.end(1)
    exercise(nfs, SPEC)
