"""The pcapng format (draft-ietf-opsawg-pcapng): blocks, sections, several interfaces."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.capture.classic import MAX_FRAME, Record, linktype_of
from appliance.capture.stream import ByteStream

MAGIC = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION, _INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_KEPT = frozenset((_INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET))
_OPT_END, _OPT_NAME, _OPT_TSRESOL, _OPT_TSOFFSET = 0, 2, 9, 14
_MAX_BODY = MAX_FRAME + (64 << 10)  # a frame and its options
_MAX_INTERFACES = 4096
_MAX_TIME = (1 << 63) - 1
_SECOND = 1_000_000_000


@dataclass(slots=True)
class Interface:
    """What an interface description block says; ``resolution`` is units in a second."""

    linktype: int
    snaplen: int
    name: str | None = None
    resolution: int = 1_000_000
    offset: int = 0

    def time(self, high: int, low: int) -> int:
        """Turn a timestamp of this interface into nanoseconds, kept within 63 bits."""
        units = (high << 32) | low
        now = units * _SECOND // self.resolution + self.offset * _SECOND
        return min(max(now, 0), _MAX_TIME)


def options(body: bytes, pos: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Give (code, value) of the options from ``pos`` on; stops at the first that does not fit."""
    unpack = struct.Struct(order + "HH").unpack_from
    while pos + 4 <= len(body):
        code, length = unpack(body, pos)
        if code == _OPT_END or pos + 4 + length > len(body):
            return
        yield code, body[pos + 4 : pos + 4 + length]
        pos += 4 + (length + 3) // 4 * 4


def interface_of(body: bytes, order: str) -> Interface:
    """Read an interface description block; ``body`` is at least 8 bytes."""
    linktype, _, snaplen = struct.unpack_from(order + "HHI", body)
    made = Interface(linktype_of(linktype), snaplen)
    for code, value in options(body, 8, order):
        if code == _OPT_NAME:
            made.name = value.rstrip(b"\0").decode("utf-8", "backslashreplace")[:64]
        elif code == _OPT_TSRESOL and len(value) >= 1:
            exponent = value[0] & 0x7F
            made.resolution = 1 << exponent if value[0] & 0x80 else 10**exponent
        elif code == _OPT_TSOFFSET and len(value) >= 8:
            made.offset = struct.unpack_from(order + "q", value)[0]
    return made


class NgReader:
    """Reads the packets of one pcapng file; ``problem`` says why it stopped before the end."""

    def __init__(self, stream: ByteStream) -> None:
        """Read from ``stream``, which stands at the first section header block."""
        self._stream = stream
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._last = 0
        self.problem = ""

    def __iter__(self) -> Iterator[Record]:
        """Give the packets up to the end or to the first damage."""
        readers = {
            _OBSOLETE_PACKET: self._obsolete,
            _SIMPLE_PACKET: self._simple,
            _ENHANCED_PACKET: self._enhanced,
        }
        while not self.problem:
            block = self._next_block()
            if block is None:
                return
            kind, body = block
            reader = readers.get(kind)
            if reader is None:
                continue
            record = reader(body)
            if record is not None:
                yield record

    def _next_block(self) -> tuple[int, bytes] | None:
        """Read a block, interpret sections and interfaces; None at the end or at damage."""
        stream = self._stream
        if not stream.fill(8):
            self._note_end("a block header is cut short")
            return None
        if stream.buffer[stream.pos : stream.pos + 4] == MAGIC:
            return self._section()
        kind, length = struct.unpack_from(self._order + "II", stream.buffer, stream.pos)
        if length < 12 or length % 4:
            self.problem = f"a block claims {length} bytes"
            return None
        if kind not in _KEPT:
            return self._skip(kind, length)
        if length - 12 > _MAX_BODY:
            self.problem = f"a packet block claims {length} bytes"
            return None
        return self._body(kind, length)

    def _body(self, kind: int, length: int) -> tuple[int, bytes] | None:
        stream = self._stream
        if not stream.fill(length):
            self._note_end("the last block is cut short")
            return None
        start, stop = stream.pos + 8, stream.pos + length - 4
        if struct.unpack_from(self._order + "I", stream.buffer, stop)[0] != length:
            self.problem = "the two lengths of a block differ"
            return None
        body = stream.buffer[start:stop]
        if kind == _INTERFACE and not self._add_interface(body):
            return None
        stream.pos += length
        return kind, body

    def _skip(self, kind: int, length: int) -> tuple[int, bytes] | None:
        if self._stream.skip(length):
            return kind, b""
        self.problem = self._stream.problem or "the last block is cut short"
        return None

    def _section(self) -> tuple[int, bytes] | None:
        """Begin a section: its own byte order and its own interfaces."""
        stream = self._stream
        if not stream.fill(16):
            self._note_end("a section header is cut short")
            return None
        order = _ORDERS.get(stream.buffer[stream.pos + 8 : stream.pos + 12])
        if order is None:
            self.problem = "a section header has no byte-order magic"
            return None
        length, _, major = struct.unpack_from(order + "IIH", stream.buffer, stream.pos + 4)
        if length < 28 or length % 4 or major != 1:
            self.problem = f"a section header claims {length} bytes and version {major}"
            return None
        self._order = order
        self._interfaces = []
        return self._skip(_SECTION, length)

    def _add_interface(self, body: bytes) -> bool:
        if len(body) < 8:
            self.problem = "an interface description is too short"
        elif len(self._interfaces) >= _MAX_INTERFACES:
            self.problem = f"more than {_MAX_INTERFACES} interfaces"
        else:
            self._interfaces.append(interface_of(body, self._order))
        return not self.problem

    def _interface(self, index: int) -> Interface | None:
        if index < len(self._interfaces):
            return self._interfaces[index]
        self.problem = f"a packet names interface {index}, which was not described"
        return None

    def _enhanced(self, body: bytes) -> Record | None:
        if len(body) < 20:
            self.problem = "a packet block is too short"
            return None
        index, high, low, caplen, wirelen = struct.unpack_from(self._order + "IIIII", body)
        return self._packet(body, index, (high, low), caplen, wirelen)

    def _obsolete(self, body: bytes) -> Record | None:
        if len(body) < 20:
            self.problem = "a packet block is too short"
            return None
        index, _, high, low, caplen, wirelen = struct.unpack_from(self._order + "HHIIII", body)
        return self._packet(body, index, (high, low), caplen, wirelen)

    def _packet(
        self, body: bytes, index: int, stamp: tuple[int, int], caplen: int, wirelen: int
    ) -> Record | None:
        interface = self._interface(index)
        if interface is None:
            return None
        if caplen > MAX_FRAME or caplen > len(body) - 20:
            self.problem = f"a packet claims {caplen} bytes"
            return None
        self._last = interface.time(*stamp)
        return body[20 : 20 + caplen], interface.linktype, self._last, max(wirelen, caplen), interface.name

    def _simple(self, body: bytes) -> Record | None:
        """A block without a timestamp: it has that of the packet before it."""
        interface = self._interface(0)
        if interface is None or len(body) < 4:
            self.problem = self.problem or "a packet block is too short"
            return None
        wirelen = struct.unpack_from(self._order + "I", body)[0]
        caplen = min(wirelen, interface.snaplen or wirelen, len(body) - 4)
        return body[4 : 4 + caplen], interface.linktype, self._last, wirelen, interface.name

    def _note_end(self, what: str) -> None:
        stream = self._stream
        self.problem = stream.problem or (what if len(stream.buffer) > stream.pos else "")
