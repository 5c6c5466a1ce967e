"""SMB1 messages taken apart: header, and the chain of command blocks (MS-CIFS sections 2.2.3 and 2.2.3.4)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.protocols.smb.state import Header
from appliance.protocols.smb.text import number, text_at

HEADER_LEN = 32
NEGOTIATE, SESSION_SETUP, TREE_CONNECT, LOGOFF, TREE_DISCONNECT = 0x72, 0x73, 0x75, 0x74, 0x71
OPEN_ANDX, READ_ANDX, WRITE_ANDX, NT_CREATE, LOCKING = 0x2D, 0x2E, 0x2F, 0xA2, 0x24
ANDX = frozenset((LOCKING, OPEN_ANDX, READ_ANDX, WRITE_ANDX, SESSION_SETUP, LOGOFF, TREE_CONNECT, NT_CREATE))
NO_MORE = 0xFF
MAX_BLOCKS = 16
_REPLY = 0x80
_NT_STATUS, _UNICODE = 0x4000, 0x8000


@dataclass(slots=True)
class Block:
    """A command: its parameter words, and its data with the place of that in the message."""

    command: int
    words: bytes
    data: bytes
    place: int
    raw: bytes
    chained: bool

    def number(self, at: int, size: int = 2) -> int:
        """Read a number from the words."""
        return number(self.words, at, size)

    def text(self, at: int, *, wide: bool) -> tuple[str, int]:
        """Read text from the data at ``at``; UTF-16 lies at even places of the message."""
        if wide and (self.place + at) % 2:
            at += 1
        return text_at(self.data, at, wide=wide)


def header(raw: bytes) -> Header:
    """Read the header."""
    flags2 = number(raw, 10, 2)
    return Header(
        version=1,
        command=raw[4],
        status=number(raw, 5, 4),
        response=bool(raw[9] & _REPLY),
        session=number(raw, 28, 2),
        tree=number(raw, 24, 2),
        message=number(raw, 30, 2) | number(raw, 26, 2) << 16,
        dos=not flags2 & _NT_STATUS and number(raw, 5, 4) != 0,
        wide=bool(flags2 & _UNICODE),
    )


def chain(raw: bytes) -> tuple[list[Block], bool]:
    """Give the blocks of a message and whether they are sound; offsets have to go forward."""
    found: list[Block] = []
    command, at = raw[4], HEADER_LEN
    while len(found) < MAX_BLOCKS:
        if at >= len(raw):
            return found, False
        count = raw[at] * 2
        words = raw[at + 1 : at + 1 + count]
        place = at + 3 + count
        size = number(raw, place - 2, 2)
        # The bulk of a large READ or WRITE does not fit the 16 bits of its size.
        data = raw[place:] if command in {READ_ANDX, WRITE_ANDX} else raw[place : place + size]
        found.append(Block(command, words, data, place, raw, bool(found)))
        if len(words) < count or place > len(raw):
            return found, False
        if command not in ANDX or count < 4 or words[0] == NO_MORE:
            return found, True
        command, following = words[0], number(words, 2, 2)
        if following <= at:
            return found, following == 0
        at = following
    return found, False
