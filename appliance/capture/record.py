"""Writes frames as pcapng (draft-ietf-opsawg-pcapng): nanoseconds, interface names, a comment each."""

from __future__ import annotations

import struct
from typing import BinaryIO

from appliance.capture.frame import Frame

_SECTION = 0x0A0D0D0A
_INTERFACE = 1
_PACKET = 6
_END = 0
_COMMENT = 1
_IF_NAME = 2
_IF_RESOLUTION = 9
_NANOSECONDS = b"\x09"
_MOST_COMMENT = 0xFFFF


class Recorder:
    """Writes one section to a binary stream; the caller opens and closes the stream.

    ``frames`` and ``bytes`` count what was written.
    """

    def __init__(self, stream: BinaryIO, application: str = "Eastwall", snaplen: int = 0) -> None:
        """Begin the section. At most ``snaplen`` bytes of each frame are kept, 0 for all of it.

        Raises:
            OSError: the stream cannot be written to; so in all other calls.
        """
        self._stream = stream
        self._snaplen = snaplen
        self._interfaces: dict[tuple[str | None, int], int] = {}
        self.frames = 0
        self.bytes = 0
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(_SECTION, body + _options((4, application.encode())))

    def write(self, frame: Frame, comment: str = "") -> None:
        """Write a frame as of the interface it names; ``comment`` says for instance what became of it."""
        number = self._interface(frame.interface, frame.linktype)
        data = frame.data[: self._snaplen] if self._snaplen else frame.data
        now = max(0, frame.now)
        head = struct.pack(
            "<IIIII",
            number,
            now >> 32 & 0xFFFFFFFF,
            now & 0xFFFFFFFF,
            len(data),
            max(frame.wirelen, len(data)),
        )
        text = comment.encode()[:_MOST_COMMENT]
        options = _options((_COMMENT, text)) if text else b""
        self._block(_PACKET, head + data + bytes(-len(data) % 4) + options)
        self.frames += 1

    def _interface(self, name: str | None, linktype: int) -> int:
        """Give the number of an interface, described in the file when it is first seen."""
        key = (name, linktype)
        found = self._interfaces.get(key)
        if found is None:
            found = self._interfaces[key] = len(self._interfaces)
            options = [(_IF_NAME, name.encode()[:_MOST_COMMENT])] if name else []
            body = struct.pack("<HHI", linktype, 0, self._snaplen)
            self._block(_INTERFACE, body + _options(*options, (_IF_RESOLUTION, _NANOSECONDS)))
        return found

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", len(body) + 12)
        block = struct.pack("<I", kind) + size + body + size
        self._stream.write(block)
        self.bytes += len(block)


def _options(*options: tuple[int, bytes]) -> bytes:
    out = b"".join(
        struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
    )
    return out + struct.pack("<HH", _END, 0)
