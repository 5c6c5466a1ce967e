"""DHCP: options as they are logged and compared, and options that are cut off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import dhcp
from appliance.protocols.spec import PROBE_NO, PROBE_YES


def option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def message(operation: int, *options: bytes, end: bytes = b"\xff") -> bytes:
    head = bytes((operation, 1, 6, 0)) + b"\0\0\0\x09" + bytes(4)
    addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4))
    hardware = bytes.fromhex("020000000001").ljust(16, b"\0")
    return head + addresses + hardware + bytes(192) + b"\x63\x82\x53\x63" + b"".join(options) + end


ACK = message(
    2,
    option(53, b"\x05"),
    b"\0",
    option(51, (3600).to_bytes(4, "big")),
    option(58, (1800).to_bytes(4, "big")),
    option(59, (3150).to_bytes(4, "big")),
    option(1, b"\xff\xff\0\0"),
    option(6, b"\x08\x08\x08\x08\x08\x08\x04\x04"),
)


def parse(raw: bytes) -> dhcp.DhcpTransaction:
    parser = dhcp.DhcpParser()
    parser.data(1, raw)
    (tx,) = parser.transactions
    assert isinstance(tx, dhcp.DhcpTransaction)
    return tx


def test_acknowledgement() -> None:
    tx = parse(ACK)
    plain = {
        "type": "reply",
        "id": 9,
        "client_mac": "02:00:00:00:00:01",
        "assigned_ip": "10.0.0.2",
        "dhcp_type": "ack",
    }
    assert tx.records({}) == [plain]
    assert tx.records({"extended": True}) == [
        plain
        | {
            "client_ip": "10.0.0.1",
            "relay_ip": "10.0.0.4",
            "next_server_ip": "10.0.0.3",
            "lease_time": 3600,
            "renewal_time": 1800,
            "rebinding_time": 3150,
            "subnet_mask": "255.255.0.0",
            "dns_servers": ["8.8.8.8", "8.8.4.4"],
        }
    ]
    times = [tx.value(f"dhcp.{name}") for name in ("leasetime", "renewal_time", "rebinding_time")]
    assert times == [3600, 1800, 3150]


def test_request() -> None:
    options = (
        option(53, b"\x03"),
        option(61, b"\x01\x02\0\0\0\0\x01"),
        option(12, b"host\0"),
        option(55, bytes((1, 121, 3, 15))),
        option(60, b"MSFT 5.0"),
        option(50, b"\x0a\0\0\x05"),
    )
    tx = parse(message(1, *options))
    assert tx.records({}) == []
    (body,) = tx.records({"extended": True})
    assert body["params"] == ["subnet_mask", "router", "domain"]
    assert body["client_id"] == "02:00:00:00:00:01"
    assert (body["hostname"], body["requested_ip"]) == ("host\0", "10.0.0.5")
    assert "relay_ip" not in body
    assert tx.value("dhcp.leasetime") is None


@pytest.mark.parametrize(
    ("options", "events"),
    [
        ((option(53, b"\x05"), b"\x0c\x20ab"), ["truncated_options"]),
        ((b"\x35",), ["truncated_options"]),
        ((option(51, b"\1"), option(1, b"")), ["malformed_options"]),
        ((), []),
    ],
)
def test_wrong_options_are_events(options: tuple[bytes, ...], events: list[str]) -> None:
    assert parse(message(1, *options, end=b"")).events == events


def test_probe() -> None:
    assert dhcp.probe(ACK) == PROBE_YES
    assert dhcp.probe(ACK.replace(b"\x63\x82\x53\x63", b"\0\0\0\0")) == PROBE_NO
    assert dhcp.probe(ACK[:236]) == PROBE_NO
    assert dhcp.probe(b"\x03" + ACK[1:]) == PROBE_NO


@given(st.binary(max_size=80))
def test_never_raises(options: bytes) -> None:
    tx = parse(message(1, options, end=b""))
    tx.log()
    tx.value("dhcp.leasetime")
    dhcp.DhcpParser().data(0, options)
