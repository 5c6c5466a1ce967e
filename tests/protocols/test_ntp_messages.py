"""NTP: time messages, control messages, replies to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import ntp
from appliance.protocols.spec import PROBE_NO, PROBE_YES


def message(mode: int, version: int = 4, stratum: int = 2, length: int = 48) -> bytes:
    head = bytes((version << 3 | mode, stratum)) + bytes(10) + b"LOCL"
    return head.ljust(length, b"\0")[:length]


def test_question_and_answer() -> None:
    parser = ntp.NtpParser()
    parser.data(0, message(3, stratum=0))
    parser.data(1, message(4))
    parser.data(1, message(4))
    first, second, third = parser.transactions
    assert first.log()["stratum"] == 0
    assert second.log() == {"version": 4, "mode": 4, "stratum": 2, "reference_id": "4c:4f:43:4c"}
    assert second.buffer("ntp.reference_id", 1) == b"LOCL"
    assert [tx.events for tx in (first, second, third)] == [[], [], ["unsolicited_response"]]


def test_control_messages_have_no_stratum() -> None:
    parser = ntp.NtpParser()
    parser.data(0, message(6, version=2, length=12))
    (tx,) = parser.transactions
    assert tx.log() == {"version": 2, "mode": 6}
    assert tx.value("ntp.stratum") is None
    assert tx.buffer("ntp.reference_id", 0) is None


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (message(3), PROBE_YES),
        (message(7, length=8), PROBE_YES),
        (message(3, length=47), PROBE_NO),
        (message(0), PROBE_NO),
        (message(3, version=5), PROBE_NO),
        (b"", PROBE_NO),
    ],
)
def test_probe(raw: bytes, answer: int) -> None:
    assert ntp.probe(raw) == answer


@given(st.binary(max_size=60))
def test_never_raises(data: bytes) -> None:
    parser = ntp.NtpParser()
    parser.data(1, data)
    (tx,) = parser.transactions
    assert ("malformed_data" in tx.events) == (tx.records({}) == [])
    for name in ("ntp.version", "ntp.mode", "ntp.stratum"):
        tx.value(name)
