"""One DNS message: bytes in, fields out (RFC 1035 section 4). Bounded in names, records and jumps."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_HEADER = struct.Struct(">HHHHHH")
_QUESTION = struct.Struct(">HH")
_RECORD = struct.Struct(">HHIH")
HEADER_LEN = 12

MAX_NAME = 1025  # bytes of a name in text; longer ones are cut
MAX_LABELS = 255
MAX_JUMPS = 255
MAX_RECORDS = 4096  # of one section
MAX_WORK = 16_384  # labels and pointers followed in one message

_POINTER = 0xC0


class Malformed(Exception):  # noqa: N818 - it ends one message, it is not an error of ours
    """The message ends before its fields do, or a field contradicts itself."""


@dataclass(slots=True)
class Question:
    """What is asked: a name (text with dots, no last dot), type and class."""

    name: bytes
    type: int
    cls: int


@dataclass(slots=True)
class Record:
    """A resource record; ``start`` is the offset of its data in the message."""

    name: bytes
    type: int
    cls: int
    ttl: int
    data: bytes
    start: int


class Names:
    """Reads the names of one message. ``budget`` bounds the labels looked at in all of them together.

    Without it a message of 64 KB with thousands of pointers into one long name costs a second.
    """

    __slots__ = ("_known", "budget", "events", "raw")

    def __init__(self, raw: bytes) -> None:
        """Read names out of ``raw``; ``events`` collects what was wrong."""
        self.raw = raw
        self.budget = MAX_WORK
        self.events: list[str] = []
        self._known: dict[int, tuple[bytes, int] | None] = {}

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)

    def read(self, at: int) -> tuple[bytes, int]:
        """Read a possibly compressed name at ``at``: its text, and the offset after it.

        Raises:
            Malformed: it runs out of the message, jumps in circles or goes beyond a bound.
        """
        raw, whole = self.raw, len(self.raw)
        labels: list[bytes] = []
        after, jumps, size = -1, 0, 0
        while at < whole:
            self.budget -= 1
            length = raw[at]
            if length == 0:
                return b".".join(labels), at + 1 if after < 0 else after
            if length & _POINTER == _POINTER:
                after = at + 2 if after < 0 else after
                at = self._jump(at, jumps)
                jumps += 1
                continue
            if length & _POINTER or at + 1 + length > whole:
                raise Malformed
            self._bound(len(labels))
            size = self._keep(labels, raw[at + 1 : at + 1 + length], size)
            at += 1 + length
        raise Malformed

    def again(self, at: int) -> tuple[bytes, int]:
        """Read a name that rules and logs ask for any number of times: it is paid for once.

        Raises:
            Malformed: as :meth:`read`, each time.
        """
        if at not in self._known:
            self._known[at] = None
            self._known[at] = self.read(at)
        found = self._known[at]
        if found is None:
            raise Malformed
        return found

    def _jump(self, at: int, jumps: int) -> int:
        if at + 1 >= len(self.raw):
            raise Malformed
        if jumps >= MAX_JUMPS:
            self.note("infinite_loop")
            raise Malformed
        return ((self.raw[at] & 0x3F) << 8) | self.raw[at + 1]

    def _bound(self, labels: int) -> None:
        if labels >= MAX_LABELS or self.budget < 0:
            self.note("too_many_labels")
            raise Malformed

    def _keep(self, labels: list[bytes], label: bytes, size: int) -> int:
        """Add as much of a label as the bound on names leaves room for; give the name's size so far."""
        room = MAX_NAME - size - (1 if labels else 0)
        if len(label) > room:
            self.note("name_too_long")
            label = label[: max(room, 0)]
        if not label:
            return size
        labels.append(label)
        return size + len(label) + (1 if len(labels) > 1 else 0)


@dataclass(slots=True)
class Message:
    """A parsed message; ``names.events`` says what was wrong though it could be read."""

    raw: bytes
    names: Names
    id: int = 0
    flags: int = 0
    questions: list[Question] = field(default_factory=list)
    answers: list[Record] = field(default_factory=list)
    authorities: list[Record] = field(default_factory=list)
    additionals: list[Record] = field(default_factory=list)

    @property
    def is_response(self) -> bool:
        """Tell whether the QR bit is set."""
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        """Give the kind of query."""
        return (self.flags >> 11) & 0xF

    @property
    def rcode(self) -> int:
        """Give the response code of the header."""
        return self.flags & 0xF


def _questions(names: Names, at: int, count: int, into: list[Question]) -> int:
    for _ in range(min(count, MAX_RECORDS)):
        name, at = names.read(at)
        if at + 4 > len(names.raw):
            raise Malformed
        kind, cls = _QUESTION.unpack_from(names.raw, at)
        into.append(Question(name, kind, cls))
        at += 4
    return at


def _records(names: Names, at: int, count: int, into: list[Record]) -> int:
    for _ in range(min(count, MAX_RECORDS)):
        name, at = names.read(at)
        if at + 10 > len(names.raw):
            raise Malformed
        kind, cls, ttl, length = _RECORD.unpack_from(names.raw, at)
        at += 10
        if at + length > len(names.raw):
            raise Malformed
        into.append(Record(name, kind, cls, ttl, names.raw[at : at + length], at))
        at += length
    return at


def parse(raw: bytes) -> Message | None:
    """Read a message; None when there is no header.

    A fault in questions or answers gives ``malformed_data``; one in the authority or additional
    section leaves what came before it.
    """
    if len(raw) < HEADER_LEN:
        return None
    ident, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(raw)
    names = Names(raw)
    message = Message(raw, names, ident, flags)
    fault = "malformed_data"
    try:
        at = _questions(names, HEADER_LEN, questions, message.questions)
        at = _records(names, at, answers, message.answers)
        fault = "invalid_authorities"
        at = _records(names, at, authorities, message.authorities)
        fault = "invalid_additionals"
        _records(names, at, additionals, message.additionals)
    except Malformed:
        names.note(fault)
    return message
