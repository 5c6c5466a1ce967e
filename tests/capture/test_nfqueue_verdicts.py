"""Verdicts as netlink messages: as few as can be, and never one for a packet that was not judged."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.config import Queue, QueueConfig, bind
from appliance.capture.nfqueue.link import parse_proc
from appliance.capture.nfqueue.verdicts import ACCEPT, DROP, Outbox, code_of
from appliance.model.mark import BLOCKED, SETTLED
from appliance.model.verdict import Decision, Verdict


def read(data):
    """Take messages apart: (batch?, verdict, number, mark)."""
    out = []
    while data:
        size, kind, flags = struct.unpack_from("=IHH", data)
        assert flags == nl.NLM_F_REQUEST
        assert struct.unpack_from("=HH", data, 20) == (12, nl.VERDICT_HDR)
        verdict, number = struct.unpack_from(">II", data, 24)
        mark = 0
        if size == 40:
            assert struct.unpack_from("=HH", data, 32) == (8, nl.MARK)
            mark = struct.unpack_from(">I", data, 36)[0]
        out.append((kind == nl.VERDICT_BATCH, verdict, number, mark))
        data = data[size:]
    return out


def box(*numbers, **more):
    made = Outbox(3, DROP, **more)
    for number in numbers:
        made.received(number)
    return made


def kernel(held, messages):
    """Do what the kernel does with messages: number -> (verdict, mark)."""
    done = {}
    for batch, verdict, number, mark in messages:
        hit = [n for n in sorted(held) if n <= number] if batch else [n for n in held if n == number]
        for n in hit:
            done[n] = (verdict, mark)
            held.discard(n)
    return done


def test_one_verdict():
    out = box(8)
    out.judged(8, ACCEPT | 0x10001)
    data = out.take()
    assert data[18:20] == b"\0\x03"
    assert read(data) == [(False, nl.NF_ACCEPT, 8, 0x10001)]
    assert out.take() == b""
    assert out.sent == 1


def test_runs_of_equal_verdicts_are_one_message_each():
    out = box(*range(1, 8))
    for number, code in enumerate((ACCEPT, ACCEPT, ACCEPT, ACCEPT | 5, ACCEPT | 5, DROP, ACCEPT), 1):
        out.judged(number, code)
    assert read(out.take()) == [(True, 1, 3, 0), (True, 1, 5, 5), (False, 0, 6, 0), (False, 1, 7, 0)]


def test_no_run_passes_a_packet_that_is_still_judged():
    out = box(1, 2, 3)
    out.judged(1, ACCEPT)
    out.judged(3, ACCEPT)
    assert read(out.take()) == [(False, 1, 1, 0), (False, 1, 3, 0)]
    out.judged(2, DROP)
    assert read(out.take()) == [(False, 0, 2, 0)]


def test_runs_of_those_judged_in_order_go_on_before_the_rest():
    out = box(*range(5, 13))
    for first in (5, 8, 11):
        assert out.take() == b""  # another queue's verdicts were due: nothing is forgotten
        for number in range(first, min(first + 3, 13)):
            out.judged(number, ACCEPT)
        assert read(out.take()) == [(True, 1, min(first + 2, 12), 0)]
    out.received(13)
    out.received(14)
    out.judged(14, ACCEPT)
    assert read(out.take()) == [(False, 1, 14, 0)]
    out.judged(13, DROP)
    assert read(out.take()) == [(False, 0, 13, 0)]


def test_a_number_left_out_is_never_accepted_by_a_run():
    out = box(1, 2, 4, 5)
    for number in (1, 2, 4, 5):
        out.judged(number, ACCEPT)
    held = {1, 2, 3, 4, 5}
    assert kernel(held, read(out.take())) == {1: (1, 0), 2: (1, 0), 3: (0, 0), 4: (1, 0), 5: (1, 0)}
    assert not held
    out.received(6)
    out.received(7)
    out.judged(6, ACCEPT)
    out.judged(7, ACCEPT)
    assert read(out.take()) == [(True, 1, 7, 0)]


def test_an_adopted_queue_is_swept_once():
    out = box(10, adopted=True)
    out.judged(10, ACCEPT)
    assert read(out.take()) == [(False, 1, 10, 0), (True, 0, 10, 0)]


@given(st.data())
def test_every_packet_gets_its_own_verdict(data):
    numbers = sorted(data.draw(st.sets(st.integers(1, 40), min_size=1)))
    codes = {n: data.draw(st.sampled_from([ACCEPT, ACCEPT | 7, DROP])) for n in numbers}
    out = box()
    held, done, pending = set(range(numbers[0], numbers[-1] + 1)), {}, []
    for number in numbers:
        out.received(number)
        pending.append(number)
        while pending and data.draw(st.booleans()):
            chosen = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
            out.judged(chosen, codes[chosen])
        if data.draw(st.booleans()):
            arrived = {n for n in held if n <= number}
            done |= kernel(arrived, read(out.take()))
            held = {n for n in held if n > number} | arrived
    for number in pending:
        out.judged(number, codes[number])
    done |= kernel(held, read(out.take()))
    assert not held
    for number in range(numbers[0], numbers[-1] + 1):
        expected = codes.get(number, DROP)
        assert done[number] == (expected >> 32, expected & 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("verdict", "mark", "code"),
    [
        (Verdict.ACCEPT, 0, ACCEPT),
        (Verdict.BYPASS, SETTLED | 1 << 16, ACCEPT | SETTLED | 1 << 16),
        (Verdict.DROP, 0, DROP),
        (Verdict.REJECT, 0, DROP),
        (Verdict.DROP, SETTLED | 1 << 16, DROP),
        (Verdict.DROP, BLOCKED | 1 << 16, ACCEPT | BLOCKED | 1 << 16),
        (Verdict.REJECT, BLOCKED | 1 << 16, ACCEPT | BLOCKED | 1 << 16),
    ],
)
def test_a_remembered_drop_is_an_acceptance_with_the_mark(verdict, mark, code):
    assert code_of(Decision(verdict), mark) == code


def test_settings_are_one_message():
    data = bind(Queue(0x1234, fail_open=True), 1000)
    assert struct.unpack_from("=IHH", data) == (len(data), nl.CONFIG, nl.NLM_F_REQUEST | nl.NLM_F_ACK)
    assert data[18:20] == b"\x12\x34"
    found, at = {}, 20
    while at < len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        found[kind] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    assert found == {
        nl.CFG_CMD: b"\x01\0\0\0",
        nl.CFG_PARAMS: b"\0\0\xff\xff\x02",
        nl.CFG_MAXLEN: b"\0\0\x03\xe8",
        nl.CFG_MASK: b"\0\0\0\x05",
        nl.CFG_FLAGS: b"\0\0\0\x05",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"queues": ()},
        {"queues": (Queue(1), Queue(1))},
        {"queues": (Queue(65536),)},
        {"queues": (Queue(-1),)},
        {"queues": (Queue(1),), "length": 0},
        {"queues": (Queue(1),), "batch": 0},
    ],
)
def test_settings_that_cannot_be(fields):
    with pytest.raises(ValueError, match=r"must be|numbers are"):
        QueueConfig(**fields)


def test_the_kernels_list_of_queues():
    text = "    0  31234     5 2 65531     7     8     1234  1\n   12 -4211 0 2 65531 0 0 1 1\nrubbish\n"
    assert parse_proc(text) == {0: (5, 7, 8)}
    assert parse_proc("    2  4194304311     5 2 65531     7     8     1234  1\n") == {2: (5, 7, 8)}
