"""From the text of a rule file to its rules as lines, each with the places its characters came from."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.rulelang.tree import Position

MAX_RULE = 1 << 16  # characters of one rule, continuation lines joined
ENCODING, ERRORS = "utf-8", "surrogateescape"


def decode_rules(data: bytes) -> str:
    """Decode a rule file so that every byte comes back in a ``content``, valid UTF-8 or not."""
    return data.decode(ENCODING, ERRORS)


def encode(text: str) -> bytes:
    """Give back the bytes that :func:`decode_rules` read; text made elsewhere becomes UTF-8."""
    return text.encode(
        ENCODING, "surrogateescape" if text.isprintable() or not _lone(text) else "surrogatepass"
    )


def _lone(text: str) -> bool:
    """Tell whether there are surrogates that did not come from undecodable bytes."""
    return any("\ud800" <= char <= "\udfff" and not "\udc80" <= char <= "\udcff" for char in text)


class Source:
    """One rule's text and where its pieces lie: a piece for each continuation line."""

    __slots__ = ("column", "file", "line", "pieces", "text")

    def __init__(self, text: str, file: str, line: int, column: int = 1) -> None:
        """Take a rule that begins at ``line`` and ``column``."""
        self.text = text
        self.file = file
        self.line = line
        self.column = column
        self.pieces: list[tuple[int, int, int]] | None = None  # (offset in text, line, column)

    def at(self, offset: int) -> Position:
        """Say where the character at ``offset`` stands in the file."""
        if self.pieces is None:
            return Position(self.file, self.line, self.column + offset)
        line, column = self.line, self.column + offset
        for start, number, first in self.pieces:
            if start > offset:
                break
            line, column = number, first + offset - start
        return Position(self.file, line, column)


def rules_of(text: str, file: str) -> Iterator[Source]:
    """Yield each rule of a file: comments and blank lines are gone, continuation lines are joined.

    A line ends with LF, CRLF or CR LF mixed; a byte order mark is skipped. A backslash as the last
    character of a line (blanks after it are forgiven) continues the rule on the next line. A comment
    line is never continued.
    """
    held: list[tuple[str, int, int]] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not held and (not line or line[0] == "#"):
            continue
        column = 1 + len(raw) - len(raw.lstrip())
        if line.endswith("\\"):
            held.append((line[:-1], number, column))
        elif held:
            held.append((line, number, column))
            yield _join(held, file)
            held = []
        else:
            yield Source(line, file, number, column)
    if held:
        yield _join(held, file)


def _join(lines: list[tuple[str, int, int]], file: str) -> Source:
    """Make one rule of its lines."""
    source = Source("".join(line for line, _, _ in lines), file, lines[0][1], lines[0][2])
    pieces = []
    offset = 0
    for line, number, column in lines:
        pieces.append((offset, number, column))
        offset += len(line)
    source.pieces = pieces
    return source
