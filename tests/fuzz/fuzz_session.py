"""Saved inputs: what was said, as text that can be read, compared and changed by hand.

The first line tells how it was said, each further one a turn; ``#`` begins a comment::

    tcp 40000 80                    transport, port of the client, port of the server
    > b'GET / HTTP/1.1\\r\\n\\r\\n'      the client's bytes, as a literal of Python
    < 000102ff                      the server's bytes, in hexadecimal
    < gap 100                       bytes of the server that were lost
    > end                           the client says no more

``tcp 40000 20 as ftp-data`` starts a flow that another one announced. ``frames 1`` holds frames of a
link type, ``text`` pieces of a document; for both every turn goes the same way.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

SAVED = Path(__file__).resolve().parent / "saved"
DATA, GAP, END = "data", "gap", "end"
_READABLE = frozenset(range(32, 127)) | {9, 10, 13}


@dataclass(frozen=True)
class Turn:
    """Bytes of one direction (0: the client's), a hole of ``length`` bytes in them, or their end."""

    direction: int
    data: bytes = b""
    kind: str = DATA
    length: int = 0


@dataclass(frozen=True)
class Session:
    """A conversation, a row of frames or a document. ``ports`` are the client's and the server's."""

    transport: str
    ports: tuple[int, int]
    turns: tuple[Turn, ...]
    expected: str = ""

    @property
    def size(self) -> int:
        """Number of bytes in all turns."""
        return sum(len(turn.data) for turn in self.turns)


def _payload(text: str) -> bytes:
    if text.startswith(("b'", 'b"')):
        value = ast.literal_eval(text)
        assert isinstance(value, bytes)
        return value
    return bytes.fromhex(text)


def _turn(line: str) -> Turn:
    direction, _, rest = line.partition(" ")
    if direction not in {"<", ">"}:
        raise ValueError(f"no direction: {line[:60]}")
    side = int(direction == "<")
    if rest == END:
        return Turn(side, kind=END)
    if rest.startswith("gap "):
        return Turn(side, kind=GAP, length=int(rest[4:]))
    return Turn(side, _payload(rest))


def read(text: str) -> Session:
    """Read a saved input.

    Raises:
        ValueError: a line says nothing that we know.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    words = lines[0].split()
    expected = words.pop() if "as" in words else ""
    numbers = [int(word) for word in words[1:] if word.isdigit()] + [0, 0]
    turns = tuple(_turn(line) for line in lines[1:])
    return Session(words[0], (numbers[0], numbers[1]), turns, expected)


def _said(turn: Turn) -> str:
    if turn.kind != DATA:
        return END if turn.kind == END else f"gap {turn.length}"
    readable = sum(byte in _READABLE for byte in turn.data)
    return repr(turn.data) if not turn.data or readable * 4 > len(turn.data) * 3 else turn.data.hex()


def write(session: Session, comment: str = "") -> str:
    """Give the text of a session; :func:`read` gives the session again."""
    head = f"{session.transport} {session.ports[0]} {session.ports[1]}"
    lines = [f"# {line}" for line in comment.splitlines()]
    lines.append(f"{head} as {session.expected}" if session.expected else head)
    lines += [f"{'<' if turn.direction else '>'} {_said(turn)}" for turn in session.turns]
    return "\n".join(lines) + "\n"


def saved(target: str) -> dict[str, Session]:
    """Give the saved inputs of a target by the names of their files, seeds and regressions alike."""
    return {path.stem: read(path.read_text("ascii")) for path in sorted((SAVED / target).glob("*.txt"))}
