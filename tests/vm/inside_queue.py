"""A small reader of the kernel's queues, for tests: what each attribute holds, nothing else.

Made from linux/netfilter/nfnetlink_queue.h and independent of the appliance's own reader.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass, field

NETLINK_NETFILTER = 12
QUEUE = 3 << 8
PACKET, VERDICT, CONFIG, BATCH = 0, 1, 2, 3
DROP, ACCEPT = 0, 1
GSO, FAIL_OPEN, CONNTRACK = 4, 1, 2
HEADER, MARK, PHYSINDEV, PHYSOUTDEV, HWADDR, PAYLOAD, CT, INFO, VLAN, L2HDR = (
    1,
    3,
    7,
    8,
    9,
    10,
    11,
    14,
    19,
    20,
)


@dataclass
class Packet:
    """One packet: ``attributes`` by number, the rest read from them."""

    number: int
    protocol: int
    attributes: dict[int, bytes] = field(repr=False)

    @property
    def l2(self) -> bytes:
        """The link layer's header, empty if the kernel gave none."""
        return self.attributes.get(L2HDR, b"")

    @property
    def payload(self) -> bytes:
        """What follows the link layer's header."""
        return self.attributes.get(PAYLOAD, b"")

    @property
    def mark(self) -> int:
        """The packet's mark."""
        return int.from_bytes(self.attributes.get(MARK, b""), "big")

    @property
    def vlan(self) -> tuple[int, int] | None:
        """Protocol and tag of an accelerated VLAN tag."""
        nested = self.attributes.get(VLAN)
        if nested is None:
            return None
        parts = _attributes(nested)
        return int.from_bytes(parts[1], "big"), int.from_bytes(parts[2], "big")

    def device(self, way: int) -> str:
        """Name the device of ``PHYSINDEV`` or ``PHYSOUTDEV``."""
        return socket.if_indextoname(int.from_bytes(self.attributes[way], "big"))


class Queue:
    """One queue, bound in the namespace of the caller; a context manager."""

    def __init__(self, number: int = 0, flags: int = GSO, length: int = 1024) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self._config(_attribute(1, struct.pack(">BBH", 1, 0, 0)))  # bind
        self._config(_attribute(2, struct.pack(">IB", 0xFFFF, 2)))  # whole packets
        self._config(_attribute(3, struct.pack(">I", length)))
        if flags:
            self._config(_attribute(4, struct.pack(">I", flags)) + _attribute(5, struct.pack(">I", flags)))

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _send(self, kind: int, attributes: bytes, flags: int) -> None:
        size = 20 + len(attributes)
        head = struct.pack("=IHHII", size, QUEUE | kind, flags, 0, 0) + struct.pack(">BBH", 0, 0, self.number)
        self.socket.send(head + attributes)

    def _config(self, attributes: bytes) -> None:
        self._send(CONFIG, attributes, 5)
        answer = self.socket.recv(1 << 16)
        code = struct.unpack_from("=i", answer, 16)[0]
        if code:
            raise OSError(-code, f"queue {self.number}")

    def packets(self, seconds: float = 5.0, most: int = 1) -> list[Packet]:
        """Wait for up to ``most`` packets.

        What the machines' own stacks say to IPv6 groups at times of their own (reports of multicast
        listeners) passes and is left out.
        """
        found: list[Packet] = []
        end = time.monotonic() + seconds
        while len(found) < most and (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            for packet in _packets(self.socket.recv(1 << 17)):
                if packet.l2.startswith(b"\x33\x33"):
                    self.verdict(packet)
                else:
                    found.append(packet)
        return found

    def verdict(self, packet: Packet, verdict: int = ACCEPT, mark: int | None = None) -> None:
        """Decide on one packet."""
        self._decide(VERDICT, packet, verdict, mark)

    def batch(self, packet: Packet, verdict: int = ACCEPT, mark: int | None = None) -> None:
        """Decide on all packets up to this one."""
        self._decide(BATCH, packet, verdict, mark)

    def _decide(self, kind: int, packet: Packet, verdict: int, mark: int | None) -> None:
        attributes = _attribute(2, struct.pack(">II", verdict, packet.number))
        if mark is not None:
            attributes += _attribute(MARK, struct.pack(">I", mark))
        self._send(kind, attributes, 1)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += size + (-size % 4)
    return found


def _packets(data: bytes) -> list[Packet]:
    found = []
    at = 0
    while at + 20 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if kind == QUEUE | PACKET:
            attributes = _attributes(data[at + 20 : at + size])
            number, protocol = struct.unpack_from(">IH", attributes[HEADER])
            found.append(Packet(number, protocol, attributes))
        at += size + (-size % 4)
    return found
