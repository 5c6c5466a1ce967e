"""SMB: files that are read and written, in order and out of it, with holes, within bounds."""

from __future__ import annotations

import hashlib

import smb_tools as tools
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols.smb import nbss
from appliance.protocols.smb.state import MAX_TRANSFERS
from appliance.protocols.smb.transfer import size_option

CONTENT = bytes(range(256)) * 40


def written_file(turns, options=None, **fields):
    made = tools.play([*tools.opened("dir\\a.exe"), *turns], options, **fields)
    (tx,) = [tx for tx in made.transactions if tx.files]
    return tx, tx.files[0]


def test_written_file_is_whole():
    turns = [(0, tools.write(CONTENT[at : at + 4096], at, 3 + at)) for at in range(0, len(CONTENT), 4096)]
    turns += [(1, tools.written(3)), (0, tools.close(90))]
    tx, file = written_file(turns, force_hashes=frozenset(("sha256",)))
    assert (file.name, file.state, file.size, file.direction) == (b"dir\\a.exe", "CLOSED", len(CONTENT), 0)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert tx.buffer("file.data", 0) == [CONTENT]
    assert tx.buffer("file.data", 1) is None
    assert tx.buffer("file.name", 0) == [b"dir\\a.exe"]
    assert tx.log()["status"] == "STATUS_SUCCESS"
    assert tx.log()["share"] == "\\\\s\\data"
    assert tx.done


def test_read_file_ends_with_the_answer_to_close():
    turns = [(0, tools.read(64, 0, 3)), (1, tools.data(CONTENT[:64], 3)), (0, tools.close(4))]
    tx, file = written_file(turns)
    assert (file.direction, file.state) == (1, "OPEN")
    assert tx.log()["command"] == "SMB2_COMMAND_READ"
    tx, file = written_file([*turns, (1, tools.closed(4))])
    assert (file.state, bytes(file.data)) == ("CLOSED", CONTENT[:64])


def test_read_behind_the_end_completes_the_file():
    turns = [(0, tools.read(64, 0, 3)), (1, tools.data(CONTENT[:64], 3))]
    turns += [(0, tools.read(64, 64, 4)), (1, tools.failed(8, 4, 0xC0000011))]
    assert written_file(turns)[1].state == "CLOSED"


def test_pieces_are_put_in_order():
    turns = [(0, tools.write(CONTENT[at : at + 1000], at, at)) for at in (2000, 0, 3000, 1000)]
    tx, file = written_file(turns)
    assert bytes(file.data) == CONTENT[:4000]
    assert tx.events == []


def test_overlap_is_told_and_the_first_bytes_stay():
    tx, file = written_file([(0, tools.write(b"AAAA", 0, 3)), (0, tools.write(b"BBBBBB", 2, 4))])
    assert tx.events == ["file_overlap"]
    assert bytes(file.data) == b"AAAABBBB"


def test_lost_bytes_leave_a_gap():
    raw = tools.write(CONTENT[:2000], 0, 3)
    made = tools.play(tools.opened("x"))
    made.data(0, raw[:500])
    made.gap(0, 700)
    made.data(0, raw[1200:] + tools.write(CONTENT[2000:3000], 2000, 4) + tools.close(5))
    file = next(tx.files[0] for tx in made.transactions if tx.files)
    assert (file.size, file.gaps, file.state) == (3000, True, "TRUNCATED")
    assert bytes(file.data[-1000:]) == CONTENT[2000:3000]


def test_hole_over_message_borders_is_survived():
    made = tools.play(tools.opened("x"))
    made.data(0, tools.write(CONTENT[:2000], 0, 3)[:100])
    made.gap(0, 3000)
    made.data(0, b"rest of something" + tools.create("later", 9))
    assert made.transactions[-1].log()["filename"] == "later"


def test_queue_is_bounded_by_size_and_count():
    far = [(0, tools.write(b"x" * 600, 1000 * at, at)) for at in range(1, 9)]
    tx, file = written_file(far, {"max-write-queue-size": 2000})
    assert "write_queue_size_exceeded" in tx.events
    assert file.gaps
    tx, _ = written_file(far, {"max-write-queue-cnt": 3})
    assert tx.events == ["write_queue_cnt_exceeded"]


def test_distant_offset_costs_no_memory():
    _, file = written_file([(0, tools.write(b"end", 1 << 60, 3)), (0, tools.close(4))])
    assert file.size == (1 << 60) + 3
    assert len(file.data) <= 100 << 10


def test_too_large_requests_are_told():
    tx, _ = written_file([(0, tools.write(b"x" * 200, 0, 3))], {"max-write-size": 100})
    made = tools.play([*tools.opened("x"), (0, tools.read(500, 0, 3))], {"max-read-size": "0.1kb"})
    assert tx is not None
    assert not made.transactions[-1].events
    made = tools.play([*tools.opened("x"), (0, tools.read(5000, 0, 3))], {"max-read-size": "4 kb"})
    assert made.transactions[-1].events == ["read_request_too_large"]


def test_length_beyond_the_message_is_told():
    raw = bytearray(tools.write(b"short", 0, 3))
    raw[4 + 68 : 4 + 72] = (1 << 20).to_bytes(4, "little")
    made = tools.play([*tools.opened("x"), (0, bytes(raw)), (0, tools.close(4))])
    assert next(tx.files[0] for tx in made.transactions if tx.files).data == b"short"
    told = [*made.events, *(event for tx in made.transactions for event in tx.events)]
    assert "record_overflow" in told


def test_transfers_are_bounded():
    made = tools.parser()
    for number in range(MAX_TRANSFERS + 20):
        made.data(0, tools.write(b"data", 0, number, fid=number.to_bytes(16, "little")))
    states = [tx.files[0].state for tx in made.transactions]
    assert states.count("OPEN") == MAX_TRANSFERS


def test_large_payload_is_not_held():
    made = tools.play(tools.opened("big"))
    raw = tools.write(bytes(8 << 20), 0, 3)
    for at in range(0, len(raw), 1 << 16):
        made.data(0, raw[at : at + (1 << 16)])
        assert len(made._readers[0]._held) < 4096
    assert made.transactions[-1].files[0].size == 8 << 20


def test_long_record_is_passed_over():
    made = tools.play([(0, tools.framed(tools.smb2(14, bytes(nbss.MAX_HELD * 2), 1)))])
    made.data(0, tools.create("after", 2))
    assert [tx.log()["command"] for tx in made.transactions] == ["SMB2_COMMAND_FIND", "SMB2_COMMAND_CREATE"]


def test_end_of_flow_truncates():
    made = tools.play([*tools.opened("x"), (0, tools.write(b"abc", 0, 3))])
    made.end(0)
    made.end(1)
    assert made.transactions[-1].files[0].state == "TRUNCATED"
    assert all(tx.done for tx in made.transactions)


def test_size_options():
    assert [size_option(value, 7) for value in (5, "64kb", "16 MB", "1gb", None, "x", "-1")] == [
        5,
        65536,
        16 << 20,
        1 << 30,
        7,
        7,
        7,
    ]


@settings(max_examples=60)
@given(st.permutations(range(8)), st.integers(1, 900))
def test_any_order_and_any_cutting_give_the_same_file(order, step):
    turns = [(0, tools.write(CONTENT[at * 100 : at * 100 + 100], at * 100, at + 3)) for at in order]
    made = tools.play([*tools.opened("x"), *turns, (0, tools.close(50))], step=step)
    file = next(tx.files[0] for tx in made.transactions if tx.files)
    assert (bytes(file.data), file.state) == (CONTENT[:800], "CLOSED")
