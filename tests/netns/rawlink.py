"""Frames put on a guest's wire and taken off another's, byte by byte."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.netns.lab import Guest, Lab

_ALL = 0x0003


class Wire:
    """A raw socket on a guest's interface."""

    def __init__(self, lab: Lab, guest: Guest) -> None:
        """Open it inside of the guest's namespace."""
        with lab.inside(guest):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.bind((guest.device, _ALL))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *what: object) -> None:
        self._socket.close()

    def send(self, *frames: Packet) -> None:
        """Send frames."""
        for frame in frames:
            self._socket.send(bytes(frame))

    def wait(self, wanted: Callable[[bytes], bool], patience: float = 2.0) -> bytes | None:
        """Give the first frame received that is wanted; None when none comes in time."""
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, address = self._socket.recvfrom(70_000)
            except TimeoutError:
                return None
            if address[2] != socket.PACKET_OUTGOING and wanted(data):
                return data
        return None


def between(source: Guest, target: Guest, version: int = 4) -> Packet:
    """Begin a frame from one guest to another, up to the IP header."""
    frame = Ether(src=source.mac, dst=target.mac)
    ends = ("10.9.0.1", "10.9.0.2") if version == 4 else ("fd09::1", "fd09::2")
    return frame / (IP(src=ends[0], dst=ends[1]) if version == 4 else IPv6(src=ends[0], dst=ends[1]))
