"""Messages as the kernel writes them, for tests."""

from __future__ import annotations

import struct

from appliance.capture.nfqueue import numbers as nl


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def be32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def netlink(kind: int, body: bytes, queue: int = 0, size: int | None = None) -> bytes:
    head = struct.pack("=IHHIIBB", len(body) + 20 if size is None else size, kind, 0, 0, 0, 2, 0)
    return head + queue.to_bytes(2, "big") + body


def head(number: int, protocol: int = 0x0800) -> bytes:
    return attribute(nl.PACKET_HDR, struct.pack(">IHB", number, protocol, 2))


def hardware(mac: bytes) -> bytes:
    return attribute(nl.HWADDR, struct.pack(">HH", len(mac), 0) + mac.ljust(8, b"\0"))


def vlan(tci: int, protocol: int = 0x8100) -> bytes:
    inner = attribute(nl.VLAN_PROTO, protocol.to_bytes(2, "big"))
    return attribute(nl.VLAN | 0x8000, inner + attribute(nl.VLAN_TCI, tci.to_bytes(2, "big")))


def packet(number: int, payload: bytes, *attributes: bytes, queue: int = 0, protocol: int = 0x0800) -> bytes:
    body = head(number, protocol) + b"".join(attributes) + attribute(nl.PAYLOAD, payload)
    return netlink(nl.PACKET, body, queue)


def error(number: int, kind: int = nl.VERDICT) -> bytes:
    return struct.pack("=IHHII", 36, nl.NLMSG_ERROR, 0, 0, 0) + struct.pack(
        "=iIHHII", -number, 32, kind, 1, 0, 0
    )
