"""Header compression (RFC 7541) that reads what is sound, names what is not, and is bounded.

Tables and Huffman code are those of the ``hpack`` library; the representations are read here, because
records and rules want size updates and errors one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

MAX_LIST = 256 << 10  # decoded bytes of one block: a byte of it may stand for thousands
MAX_FIELDS = 2048  # of one block
_MAX_SHIFT = 28


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or in its place a change of the table's size (``update`` >= 0) or an ``error``."""

    name: bytes = b""
    value: bytes = b""
    update: int = -1
    error: str = ""


class _Cut(Exception):  # noqa: N818 - it ends one block, it is not an error of ours
    """The block ends inside a representation, or a number is too large; ``args[0]`` is the event."""


class _Block:
    """Cursor over one block."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self, bits: int) -> int:
        """Read an integer with a prefix of ``bits`` (section 5.1)."""
        if self.at >= len(self.data):
            raise _Cut("invalid_header")
        mask = (1 << bits) - 1
        value = self.data[self.at] & mask
        self.at += 1
        if value < mask:
            return value
        shift = 0
        while True:
            if self.at >= len(self.data):
                raise _Cut("invalid_header")
            byte = self.data[self.at]
            self.at += 1
            value += (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7
            if shift > _MAX_SHIFT:
                raise _Cut("header_integer_overflow")

    def text(self) -> bytes:
        """Read a string (section 5.2); HPACKError when its Huffman code is none."""
        coded = self.at < len(self.data) and self.data[self.at] & 0x80
        size = self.number(7)
        if size > len(self.data) - self.at:
            raise _Cut("invalid_header")
        raw = self.data[self.at : self.at + size]
        self.at += size
        return bytes(decode_huffman(raw)) if coded else raw


class Decoder:
    """The decoding state of one direction."""

    def __init__(self, max_table: int) -> None:
        """Never let the table grow beyond ``max_table`` bytes, whatever the ends agree on."""
        self._table = HeaderTable()
        self._max_table = max_table

    def decode(self, data: bytes) -> tuple[list[Field], list[str]]:
        """Read a whole block.

        Returns:
            The fields, and events: "invalid_header", "header_integer_overflow", "reassembly_limit_reached"
            when the fields were more than is kept.
        """
        fields: list[Field] = []
        events: list[str] = []
        block, size = _Block(data), 0
        try:
            while block.at < len(data):
                field = self._next(block)
                size += len(field.name) + len(field.value)
                if field.error and "invalid_header" not in events:
                    events.append("invalid_header")
                if size <= MAX_LIST and len(fields) < MAX_FIELDS:
                    fields.append(field)
                elif "reassembly_limit_reached" not in events:
                    events.append("reassembly_limit_reached")
        except _Cut as cut:
            events.append(str(cut.args[0]))
            fields.append(Field(error="HTTP2HeaderDecodeError"))
        return fields, events

    def _next(self, block: _Block) -> Field:
        """Read one representation (section 6)."""
        first = block.data[block.at]
        try:
            if first & 0x80:
                name, value = self._table.get_by_index(block.number(7))
                return Field(bytes(name), bytes(value))
            if first & 0xC0 == 0x40:
                return self._literal(block, 6, keep=True)
            if first & 0xE0 == 0x20:
                return self._resize(block.number(5))
            return self._literal(block, 4, keep=False)
        except HPACKError:
            return Field(error="HTTP2HeaderDecodeError")

    def _literal(self, block: _Block, bits: int, *, keep: bool) -> Field:
        index = block.number(bits)
        problem: HPACKError | None = None
        name = b""
        if index:
            try:
                name = bytes(self._table.get_by_index(index)[0])
            except HPACKError as error:
                problem = error  # the value has to be passed over all the same
        else:
            name = block.text()
        value = block.text()
        if problem is not None:
            raise problem
        if keep:
            self._table.add(name, value)
        return Field(name, value)

    def _resize(self, size: int) -> Field:
        if size > self._max_table:
            return Field(update=size, error="HTTP2HeaderDecodeError")
        self._table.maxsize = size
        return Field(update=size)
