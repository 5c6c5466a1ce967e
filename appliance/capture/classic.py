"""The classic pcap format (draft-ietf-opsawg-pcap): one link type, fixed record headers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from appliance.capture.stream import ByteStream

# libpcap refuses longer records too (MAXIMUM_SNAPLEN): a longer one is a damaged file.
MAX_FRAME = 262_144
HEADER = 24
_LINKTYPE_MASK = 0x03FF_FFFF  # the bits above say how long the frame check sequence is
_RAW_IP = 101
# DLT_RAW as it is on Linux and on OpenBSD, found in files of programs that do not translate it.
_LINKTYPE_ALIASES = {12: _RAW_IP, 14: _RAW_IP}


class Dialect(NamedTuple):
    """Byte order ("<" or ">"), nanoseconds per fraction unit, length of a record header."""

    order: str
    unit: int
    record: int


# The modified form (a2cd34) comes from a Linux patch: 8 more bytes in each record header.
_MAGICS = {0xA1B2C3D4: (1000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1000, 24)}
DIALECTS = {
    struct.pack(order + "I", magic): Dialect(order, unit, record)
    for order in "<>"
    for magic, (unit, record) in _MAGICS.items()
}

Record = tuple[bytes, int, int, int, str | None]  # data, linktype, now (ns), wirelen, interface


def linktype_of(field: int) -> int:
    """Give the LINKTYPE number in a header field, aliases of raw IP brought to one."""
    number = field & _LINKTYPE_MASK
    return _LINKTYPE_ALIASES.get(number, number)


class ClassicReader:
    """Reads the records of one classic capture; ``problem`` says why it stopped before the end."""

    def __init__(self, stream: ByteStream) -> None:
        """Read from ``stream``, which stands at the magic number."""
        self._stream = stream
        self.problem = ""

    def __iter__(self) -> Iterator[Record]:
        """Give the records up to the end or to the first damage."""
        header = self._stream.take(HEADER)
        if len(header) < HEADER:
            self.problem = "the file header is cut short"
            return
        dialect = DIALECTS[header[:4]]
        linktype = linktype_of(struct.unpack_from(dialect.order + "I", header, 20)[0])
        yield from self._records(dialect, linktype)

    def _records(self, dialect: Dialect, linktype: int) -> Iterator[Record]:
        stream, head, unit = self._stream, dialect.record, dialect.unit
        unpack = struct.Struct(dialect.order + "IIII").unpack_from
        while stream.fill(head):
            buffer, pos, end, caplen = stream.buffer, stream.pos, len(stream.buffer), 0
            while end - pos >= head:
                seconds, fraction, caplen, wirelen = unpack(buffer, pos)
                if caplen > MAX_FRAME:
                    stream.pos = pos
                    self.problem = f"a record claims {caplen} bytes"
                    return
                start = pos + head
                stop = start + caplen
                if stop > end:
                    break
                pos = stop
                now = seconds * 1_000_000_000 + fraction * unit
                yield buffer[start:stop], linktype, now, max(wirelen, caplen), None
            stream.pos = pos
            if end - pos >= head and not self._whole(head, caplen):
                return
        self._note_tail()

    def _whole(self, head: int, caplen: int) -> bool:
        """Read on until the record at hand is complete."""
        if self._stream.fill(head + caplen):
            return True
        self.problem = self._stream.problem or "the last record is cut short"
        return False

    def _note_tail(self) -> None:
        stream = self._stream
        if len(stream.buffer) > stream.pos:
            self.problem = stream.problem or "the last record header is cut short"
        else:
            self.problem = stream.problem
