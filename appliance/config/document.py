"""YAML documents into plain values, with the place of every key kept for messages.

Scalars follow the YAML 1.2 core schema: ``10:20:30`` is text (a MAC address, a time), not a number
in base sixty, and ``yes``, ``no``, ``on``, ``off`` are text that a boolean field understands.
A document is untrusted: its size, depth and number of values (aliases counted as often as they
are used) are bounded, and nothing here recurses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from appliance.config.errors import ConfigError, one_line

MAX_BYTES = 16 << 20
MAX_DEPTH = 50
MAX_VALUES = 2_000_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS.update({"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False})
_BASES = {"0x": 16, "0o": 8}
_MAX_DIGITS = 20
Steps = tuple[Any, ...]


class Document:
    """A parsed document: ``data`` are plain values; :meth:`locate` finds where one was written."""

    def __init__(self, file: str, data: Any, places: dict[int, Any]) -> None:
        """Keep values and, per container (by identity), the place of each of its members."""
        self.file = file
        self.data = data
        self._places = places

    def locate(self, path: Steps) -> tuple[int, int, Steps]:
        """Give line, column and the part of ``path`` that exists in the document.

        Steps that the document does not have (names a validator put in) are left out.
        """
        value, place, found = self.data, (1, 1), []
        for step in path:
            if not _holds(value, step):
                continue
            places = self._places.get(id(value))
            place = places[step] if places else place
            value = value[step]
            found.append(step)
        return place[0], place[1], tuple(found)

    def error(self, path: Steps, message: str, hint: str = "") -> ConfigError:
        """Make an error about the value at ``path``; a last step that is missing stays in the name."""
        line, column, _ = self.locate(path)
        return ConfigError(self.file, line, column, ".".join(str(step) for step in path), message, hint)


def _holds(value: Any, step: Any) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and 0 <= step < len(value)
    return isinstance(value, dict) and step in value


class _RefusedError(Exception):
    """The document is beyond a bound; carries the mark and the message."""

    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.line = mark.line + 1
        self.column = mark.column + 1


class _Frame:
    """A container being filled; ``key`` waits for its value, ``size`` counts what is inside."""

    __slots__ = ("anchor", "at", "key", "places", "size", "value")

    def __init__(self, value: Any, places: Any, anchor: str | None) -> None:
        self.value = value
        self.places = places
        self.anchor = anchor
        self.key: Any = _NO_KEY
        self.at = (1, 1)
        self.size = 1


_NO_KEY = object()


class _Builder:
    """Makes values out of the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.stack: list[_Frame] = []
        self.places: dict[int, Any] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.total = 0
        self.documents = 0
        self.root: Any = None
        self.errors: list[ConfigError] = []

    def take(self, event: Any) -> None:
        """Act on one event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def scalar(self, event: Any) -> None:
        plain = event.implicit[0] and not event.style
        value = resolve(event.value) if plain else event.value
        if (value is None or isinstance(value, bool)) and self.at_key():
            value = event.value  # a key called null, yes or true is that word
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.add(value, 1, event.start_mark)

    def at_key(self) -> bool:
        """Tell whether the next value is a key of a mapping."""
        frame = self.stack[-1] if self.stack else None
        return frame is not None and isinstance(frame.value, dict) and frame.key is _NO_KEY

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _RefusedError(
                event.start_mark, f"alias *{event.anchor} stands before or inside what it names"
            )
        value, size = self.anchors[event.anchor]
        self.add(value, size, event.start_mark)

    def open_list(self, event: Any) -> None:
        self.open(event, [], [])

    def open_map(self, event: Any) -> None:
        self.open(event, {}, {})

    def open(self, event: Any, value: Any, places: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _RefusedError(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if self.at_key():
            raise _RefusedError(event.start_mark, "a key must be plain text or a number")
        self.count(1, event.start_mark)
        frame = _Frame(value, places, event.anchor)
        frame.at = _at(event.start_mark)
        self.places[id(value)] = places
        self.stack.append(frame)

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.value, frame.size)
        self.put(frame.value, frame.size, frame.at, event)

    def add(self, value: Any, size: int, mark: Any) -> None:
        self.count(size, mark)
        self.put(value, size, _at(mark), mark)

    def put(self, value: Any, size: int, at: tuple[int, int], mark: Any) -> None:
        """Store a finished value in the container that is open."""
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.size += size
        if isinstance(frame.value, list):
            frame.value.append(value)
            frame.places.append(at)
        elif frame.key is _NO_KEY:
            self.set_key(frame, value, at, mark)
        else:
            frame.value[frame.key] = value
            frame.places[frame.key] = frame.at
            frame.key = _NO_KEY

    def set_key(self, frame: _Frame, key: Any, at: tuple[int, int], mark: Any) -> None:
        if isinstance(key, (list, dict)):
            raise _RefusedError(mark, "a key must be plain text or a number")
        if key in frame.value:
            first = frame.places[key][0]
            self.errors.append(
                ConfigError(self.file, *at, str(key), "key is given twice", f"first in line {first}")
            )
        frame.key = key
        frame.at = at

    def count(self, size: int, mark: Any) -> None:
        self.total += size
        if self.total > MAX_VALUES:
            raise _RefusedError(mark, f"more than {MAX_VALUES} values, aliases counted each time")

    def start(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _RefusedError(event.start_mark, "a file holds one document")


_HANDLERS = {
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.SequenceStartEvent: _Builder.open_list,
    yaml.MappingStartEvent: _Builder.open_map,
    yaml.SequenceEndEvent: _Builder.close,
    yaml.MappingEndEvent: _Builder.close,
    yaml.DocumentStartEvent: _Builder.start,
}


def _at(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def resolve(text: str) -> Any:
    """Give the value of a plain scalar by the YAML 1.2 core schema (section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS or text[0] not in "+-.0123456789":
        return text
    digits = text[1:] if text[0] in "+-" else text
    if digits.isascii() and digits.isdigit():
        return int(text)
    base = _BASES.get(text[:2])
    if base and text[2:].isalnum():
        return _number(text[2:], base, text)
    if digits.count(".") == 1 and digits.replace(".", "").isdigit() and digits.isascii():
        return float(text)
    return text


def _number(digits: str, base: int, text: str) -> Any:
    try:
        return int(digits, base)
    except ValueError:
        return text


def parse_document(text: bytes, file: str) -> tuple[Document | None, list[ConfigError]]:
    """Parse YAML bytes. The document is None when it could not be read at all."""
    if len(text) > MAX_BYTES:
        return None, [ConfigError(file, 1, 1, "", f"larger than {MAX_BYTES >> 20} MB")]
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        return None, [*builder.errors, _syntax_error(file, error)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"not readable as YAML: {one_line(error)}"
        return None, [*builder.errors, ConfigError(file, 1, 1, "", message)]
    except _RefusedError as refused:
        return None, [*builder.errors, ConfigError(file, refused.line, refused.column, "", str(refused))]
    return Document(file, builder.root, builder.places), builder.errors


def _syntax_error(file: str, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, column = _at(mark) if mark else (1, 1)
    return ConfigError(file, line, column, "", f"YAML: {error.problem or error}", error.context or "")


def read_document(path: Path) -> tuple[Document | None, list[ConfigError]]:
    """Read and parse a file; one that cannot be read is an error like any other."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [ConfigError(str(path), 0, 0, "", f"cannot be read: {error.strerror}")]
    return parse_document(text, str(path))
