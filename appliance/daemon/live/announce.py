"""Tell switches where an interface is that has moved here, as hypervisors do: by RARP with its MAC.

A hypervisor announces a machine as soon as it runs; whatever of that comes before the interface may pass is
dropped. A machine that only listens would then be looked for at its old host until tables forget it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable

_BROADCAST = b"\xff" * 6
_RARP = 0x8035
_HEAD = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 3)  # RFC 903: request reverse
_LEAST = 60  # bytes of a frame without its checksum


def announcement(mac: bytes) -> bytes:
    """Make the frame for a MAC."""
    frame = _BROADCAST + mac + struct.pack(">H", _RARP) + _HEAD + (mac + bytes(4)) * 2
    return frame.ljust(_LEAST, b"\0")


def announce(mac: bytes, uplinks: Iterable[str]) -> int:
    """Send it out of devices, past the bridge; gives how many took it. What fails is left to the guest."""
    sent = 0
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as end:
        end.setblocking(False)
        for device in uplinks:
            with contextlib.suppress(OSError):
                end.sendto(announcement(mac), (device, 0))
                sent += 1
    return sent
