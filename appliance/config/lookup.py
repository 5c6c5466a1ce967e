"""Reading typed values out of a foreign tree, with defaults of ours behind it and errors collected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from appliance.config.errors import ConfigError
from appliance.config.node import COMMAND_LINE, Node
from appliance.config.values import is_true, parse_duration, parse_int, parse_size, split_list

ValueT = TypeVar("ValueT")
MAX_ERRORS = 200


class Lookup:
    """A configuration to be translated: ``tree`` is what the user wrote, ``builtin`` what holds else."""

    def __init__(self, tree: Node, builtin: Node, cwd: str, prevent: bool) -> None:
        self.tree = tree
        self.builtin = builtin
        self.cwd = cwd
        self.prevent = prevent
        self.dns_version = ""  # of EVE records, where the environment asks for one
        self.errors: list[ConfigError] = []

    def node(self, path: str) -> Node | None:
        """Give the node at a path: the user's, or else the built-in one."""
        return self.tree.take(path) or self.builtin.take(path)

    def text(self, path: str) -> str | None:
        """Give the text at a path; None when nothing is set."""
        node = self.node(path)
        return node.text.strip() if node is not None and node.text is not None else None

    def error(self, path: str, message: str, hint: str = "") -> None:
        """Report what is wrong with the value at a path."""
        node = self.tree.find(path)
        place = node.place if node is not None else COMMAND_LINE
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(ConfigError(place.file, place.line, place.column, path, message, hint))

    def _parsed(self, path: str, parse: Callable[[str], ValueT | None], what: str) -> ValueT | None:
        text = self.text(path)
        if text is None:
            return None
        value = parse(text)
        if value is None:
            self.error(path, f"{text!r} is not {what}")
        return value

    def size(self, path: str) -> int | None:
        """Read bytes."""
        return self._parsed(path, parse_size, "a size such as 64mb or 100 KiB")

    def duration(self, path: str) -> int | None:
        """Read a time; a bare number is seconds."""
        return self._parsed(path, parse_duration, "a time in seconds")

    def number(self, path: str) -> int | None:
        """Read a whole number of at least 0."""
        return self._parsed(path, _natural, "a whole number")

    def truth(self, path: str) -> bool | None:
        """Read yes or no."""
        text = self.text(path)
        return None if text is None else is_true(text)

    def choice(self, path: str, known: tuple[str, ...]) -> str | None:
        """Read one of several words, in any case."""
        text = self.text(path)
        if text is None:
            return None
        if text.lower() in known:
            return text.lower()
        self.error(path, f"{text!r} is not known here", f"one of {', '.join(known)}")
        return None

    def words(self, path: str) -> list[str] | None:
        """Read a list, written as one or with commas in one text."""
        node = self.node(path)
        if node is None:
            return None
        node.mark()
        if node.items:
            return node.texts()
        return split_list(node.text or "")

    def file(self, path: str) -> str | None:
        """Read a file name; a relative one is beside the configuration, or else in the working folder."""
        node = self.node(path)
        return None if node is None or node.text is None else self.resolve(node.text, node)

    def resolve(self, name: str, node: Node) -> str:
        """Make a file name absolute, as seen from where it was written."""
        if not name or Path(name).is_absolute():
            return name
        here = Path(self.cwd or ".")
        if node.place.file and node.place is not COMMAND_LINE:
            beside = Path(node.place.file).parent / name
            if beside.exists() or not (here / name).exists():
                return str(beside)
        return str(here / name)


def _natural(text: str) -> int | None:
    value = parse_int(text)
    return value if value is not None and value >= 0 else None


Row = tuple[str, str, Callable[[Lookup, str], Any]]


def fields_of(found: Lookup, table: tuple[Row, ...]) -> dict[str, Any]:
    """Read the rows of a table: field name to value, without those that are not set."""
    values = {name: read(found, path) for name, path, read in table}
    return {name: value for name, value in values.items() if value is not None}
