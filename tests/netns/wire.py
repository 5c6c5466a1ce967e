"""Raw frames: put together by hand, sent and caught on the devices of a lab."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import struct
import time

from lab import Guest, Lab

_ALL = 3  # ETH_P_ALL
BROADCAST = b"\xff" * 6
SENTINEL = 0x88B5  # of the IEEE for experiments; the labs' policies let it through


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ether(target: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    return target + source + struct.pack("!H", kind) + payload


def ip4(source: str, target: str, proto: int, payload: bytes, frag: int = 0, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    fields = (0x40 | words, 0, words * 4 + len(payload), 1, frag, 64, proto)
    head = struct.pack("!BBHHHBB", *fields) + b"\0\0" + packed(source) + packed(target) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source: str, target: str, following: int, payload: bytes) -> bytes:
    return (
        struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + packed(source) + packed(target) + payload
    )


def udp(sport: int, dport: int, payload: bytes = b"payload of udp") -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(
    sport: int,
    dport: int,
    flags: int,
    payload: bytes = b"",
    options: bytes = b"",
    numbers: tuple[int, int] = (1, 1),
    reserved: int = 0,
) -> bytes:
    first = (5 + len(options) // 4) << 4 | reserved
    head = struct.pack("!HHIIBBHHH", sport, dport, *numbers, first, flags, 60000, 0, 0)
    return head + options + payload


def icmp6(source: str, target: str, kind: int, body: bytes) -> bytes:
    head = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = packed(source) + packed(target) + struct.pack("!II", len(head), 58)
    return head[:2] + struct.pack("!H", checksum(pseudo + head)) + head[4:]


def arp(
    sender: bytes, address: str, target: str, op: int = 1, form: tuple[int, int, int, int] = (1, 0x800, 6, 4)
):
    head = struct.pack("!HHBBH", *form, op)
    return head + sender + packed(address) + bytes(6) + packed(target) + bytes(18)


class Wire:
    """Sends and catches frames on the devices inside guests."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._sockets: dict[str, socket.socket] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *details: object) -> None:
        for one in self._sockets.values():
            one.close()

    def socket(self, guest: Guest) -> socket.socket:
        """Give the raw socket of a guest; it sees all that its device receives."""
        if guest.name not in self._sockets:
            with self._lab.inside(guest):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
            made.bind((guest.device, 0))
            made.setsockopt(
                263, 1, struct.pack("iHH8s", made_index(made), 1, 0, b"")
            )  # SOL_PACKET: promiscuous
            self._sockets[guest.name] = made
        return self._sockets[guest.name]

    def send(self, guest: Guest, frame: bytes) -> None:
        self.socket(guest).send(frame)

    def crosses(self, sender: Guest, frame: bytes, receiver: Guest) -> bool:
        """Tell whether a frame that one guest sends comes out at another.

        A frame that surely passes follows it: once that has come, the other one would have come, too.
        """
        catching = self.socket(receiver)
        self._drain(catching)
        self.send(sender, frame)
        mark = b"sentinel" + struct.pack("!II", os.getpid(), next(self._numbers))
        self.send(sender, ether(receiver.address, sender.address, SENTINEL, mark + bytes(40)))
        arrived = False
        end = time.monotonic() + 5
        while time.monotonic() < end:
            catching.settimeout(max(end - time.monotonic(), 0.01))
            seen, where = catching.recvfrom(65536)
            if where[2] == 4:  # PACKET_OUTGOING
                continue
            if mark in seen:
                return arrived
            arrived = arrived or frame[-20:] in seen
        raise AssertionError("the sentinel did not arrive")

    @staticmethod
    def _drain(catching: socket.socket) -> None:
        catching.setblocking(False)
        try:
            while True:
                catching.recv(65536)
        except BlockingIOError:
            return


def made_index(one: socket.socket) -> int:
    """Give the number of the device that a raw socket is bound to, in the socket's own namespace."""
    request = struct.pack("16s16x", one.getsockname()[0].encode())
    return struct.unpack_from("i", fcntl.ioctl(one, 0x8933, request), 16)[0]  # SIOCGIFINDEX
