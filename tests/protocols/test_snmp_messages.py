"""SNMP: the three versions, traps, what is wrong, any bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import snmp
from appliance.protocols.snmp.parser import SnmpParser
from appliance.protocols.spec import PROBE_NO, PROBE_YES


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, 0x81, len(body))) + body


def number(value: int) -> bytes:
    return tlv(0x02, bytes((value,)))


def binding(oid: bytes) -> bytes:
    return tlv(0x30, tlv(0x06, oid), tlv(0x05))


def pdu(kind: int, *oids: bytes, error: int = 0) -> bytes:
    bindings = tlv(0x30, *(binding(oid) for oid in oids))
    return tlv(0xA0 | kind, number(1), number(error), number(0), bindings)


def community(version: int, body: bytes) -> bytes:
    return tlv(0x30, number(version), tlv(0x04, b"public"), body)


def secured(flags: int, data: bytes, model: int = 3) -> bytes:
    common = tlv(0x30, number(1), number(2), tlv(0x04, bytes((flags,))), number(model))
    user = tlv(0x30, tlv(0x04, b"id"), number(0), number(0), tlv(0x04, b"admin"), tlv(0x04), tlv(0x04))
    return tlv(0x30, number(3), common, tlv(0x04, user), data)


def scoped(body: bytes) -> bytes:
    return tlv(0x30, tlv(0x04, b"id"), tlv(0x04), body)


TRAP = tlv(
    0xA4,
    tlv(0x06, b"\x2b\x06\x01"),
    tlv(0x40, b"\x0a\0\0\1"),
    number(3),
    number(0),
    tlv(0x43, b"\1"),
    tlv(0x30, binding(b"\x2b\x06\x02")),
)


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (
            community(0, pdu(0, b"\x2b\x06\x01")),
            {"version": 1, "pdu_type": "get_request", "vars": ["1.3.6.1"], "community": "public"},
        ),
        (
            community(1, pdu(2, error=2)),
            {"version": 2, "pdu_type": "response", "error": "NoSuchName", "community": "public"},
        ),
        (
            community(1, pdu(5, error=9)),
            {"version": 2, "pdu_type": "get_bulk_request", "community": "public"},
        ),
        (
            community(0, TRAP),
            {
                "version": 1,
                "pdu_type": "trap_v1",
                "trap_type": "LinkUp",
                "trap_oid": "1.3.6.1",
                "trap_address": "10.0.0.1",
                "vars": ["1.3.6.2"],
                "community": "public",
            },
        ),
        (secured(0, scoped(pdu(8))), {"version": 3, "pdu_type": "report", "usm": "admin"}),
        (secured(3, tlv(0x04, b"xxxx")), {"version": 3, "pdu_type": "encrypted", "usm": "admin"}),
    ],
)
def test_records(raw: bytes, record: dict[str, Any]) -> None:
    assert snmp.probe(raw) == PROBE_YES
    parser = SnmpParser()
    parser.data(0, raw)
    (tx,) = parser.transactions
    assert tx.log() == record
    assert tx.events == []
    assert tx.value("snmp.version") == record["version"]
    assert tx.buffer("snmp.usm", 0) == (b"admin" if "usm" in record else None)


def test_version_changes_within_a_flow() -> None:
    parser = SnmpParser()
    parser.data(0, community(1, pdu(0)))
    parser.data(1, community(0, pdu(2)))
    assert [tx.events for tx in parser.transactions] == [[], ["version_mismatch"]]
    assert parser.transactions[1].skip == [True, False]


def test_other_security_models() -> None:
    parser = SnmpParser()
    parser.data(0, secured(0, scoped(pdu(0)), model=9))
    assert parser.transactions[0].events == ["unknown_security_model"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x30\x00",
        community(2, pdu(0)),
        community(0, tlv(0x30)),
        community(0, tlv(0xBE)),
        secured(0, scoped(b"")),
        community(1, tlv(0xA0, number(1), number(0), number(0), tlv(0x30, tlv(0x02, b"\1")))),
    ],
)
def test_malformed(raw: bytes) -> None:
    parser = SnmpParser()
    parser.data(0, raw)
    assert parser.transactions[0].events == ["malformed_data"]
    assert parser.transactions[0].records({}) == []


def test_probe_wants_the_whole_datagram() -> None:
    assert snmp.probe(community(1, pdu(0)) + b"x") == PROBE_NO


@given(st.sampled_from((community(0, TRAP), secured(0, scoped(pdu(8, b"\x2b"))))), st.data())
def test_never_raises_on_mutated_messages(message: bytes, data: st.DataObject) -> None:
    raw = bytearray(message)
    for _ in range(3):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    snmp.probe(bytes(raw))
    parser = SnmpParser()
    parser.data(0, bytes(raw))
    parser.transactions[0].log()
