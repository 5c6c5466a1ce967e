"""Where the payload of a READ or WRITE goes when it is not, or not surely, that of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.protocols.dcerpc.pdu import HEADER_LEN, plausible
from appliance.protocols.smb import nbss
from appliance.protocols.smb.state import Header, OpenFile

if TYPE_CHECKING:
    from appliance.protocols.smb.parser import SmbParser


class PipeSink:
    """Collects what is read from or written to a pipe, within a bound."""

    __slots__ = ("_data", "_file", "_header", "_parser", "_side")

    def __init__(self, parser: SmbParser, header: Header, file: OpenFile, side: int) -> None:
        """Hand the data on as those of ``file``."""
        self._parser, self._header, self._file, self._side = parser, header, file, side
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data += data[: nbss.MAX_HELD - len(self._data)]

    def gap(self, length: int) -> None:
        """Take note of missing bytes: the call with the hole is dropped, later ones are found again."""
        self.finish()
        self._data.clear()
        for pdu in self._file.readers[self._side].gap(length):
            self._parser.pdu(self._header, self._file, pdu)

    def finish(self) -> None:
        """Read the calls."""
        if self._data:
            self._parser.pipe(self._header, self._file, self._side, bytes(self._data))


class UndecidedSink:
    """Payload of something that was opened unseen: RPC shows itself by its header, all else is a file."""

    __slots__ = ("_data", "_file", "_header", "_offset", "_parser", "_side", "_sink")

    def __init__(self, parser: SmbParser, header: Header, file: OpenFile, side: int, offset: int) -> None:
        """Decide what ``file`` is."""
        self._parser, self._header, self._file, self._side = parser, header, file, side
        self._offset = offset
        self._data = bytearray()
        self._sink: nbss.Sink | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._sink is None:
            self._data += data
            if len(self._data) < HEADER_LEN:
                return
            data = bytes(self._data)
            self._decide()
        if self._sink is not None:
            self._sink.feed(data)

    def _decide(self) -> nbss.Sink:
        rpc = len(self._data) >= HEADER_LEN and plausible(self._data)
        self._file.is_pipe = rpc
        self._sink = self._parser.sink(self._header, self._file, self._side, self._offset)
        return self._sink

    def gap(self, length: int) -> None:
        """Take note of missing bytes."""
        if self._sink is None:
            self._decide().feed(bytes(self._data))
        if self._sink is not None:
            self._sink.gap(length)

    def finish(self) -> None:
        """There are no more."""
        if self._sink is None and self._data:
            self._decide().feed(bytes(self._data))
        if self._sink is not None:
            self._sink.finish()
