"""Read Suricata's YAML: every scalar is text, ``!include`` and ``include:`` bring in other files.

Files are untrusted: size, depth, number of values (aliases count each time) and of files are bounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from appliance.config.errors import ConfigError, one_line
from appliance.config.node import OWN, Node, Place

MAX_BYTES = 8 << 20
MAX_DEPTH = 40
MAX_VALUES = 200_000
MAX_FILES = 64
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EMPTY = frozenset(("", "~", "null", "Null", "NULL"))
# Names below these are the user's own and keep their underscores.
_NAMED_BY_USER = frozenset(("address-groups", "port-groups", "datasets"))


class _BadFileError(Exception):
    """A file that cannot be read; carries the error to report."""

    def __init__(self, error: ConfigError) -> None:
        super().__init__(error.message)
        self.error = error


class _Open:
    """A container being filled."""

    __slots__ = ("anchor", "is_map", "key", "name", "node", "size")

    def __init__(self, node: Node, is_map: bool, name: str, anchor: str | None) -> None:
        self.node = node
        self.is_map = is_map
        self.name = name
        self.anchor = anchor
        self.key: str | None = None
        self.size = 1


class Reader:
    """Reads a configuration and all it includes; counts over all of them."""

    def __init__(self, main: Path) -> None:
        """Prepare to read ``main``; includes that are not beside their file are looked for beside it."""
        self._main = main
        self._values = 0
        self._files = 0

    def read(self, path: Path) -> Node:
        """Read one file into a tree.

        Raises:
            _BadFileError: it cannot be read or is beyond a bound.
        """
        self._files += 1
        if self._files > MAX_FILES:
            self._fail(str(path), None, f"more than {MAX_FILES} files are included")
        return self.parse(_content(path), str(path))

    def parse(self, content: bytes, file: str, own: bool = False) -> Node:
        """Parse the text of one file; ``own`` marks values as defaults of ours."""
        builder = _Builder(self, file, own)
        try:
            for event in yaml.parse(content, Loader=_Loader):
                builder.take(event)
        except yaml.MarkedYAMLError as error:
            self._fail(file, error.problem_mark, f"YAML: {error.problem or error}")
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self._fail(file, None, f"not readable as YAML: {one_line(error)}")
        if not builder.root.items and builder.root.text is not None:
            self._fail(file, None, "a configuration must be a mapping")
        return builder.root

    def count(self, size: int, file: str, mark: Any) -> None:
        """Count values against the bound."""
        self._values += size
        if self._values > MAX_VALUES:
            self._fail(file, mark, f"more than {MAX_VALUES} values, aliases counted each time")

    def include(self, name: str, file: str, mark: Any) -> Node:
        """Read a file that another one names."""
        beside = Path(file).parent / name
        path = beside if beside.is_file() else self._main.parent / name
        if not path.is_file():
            self._fail(file, mark, f"the included file {name!r} is not there")
        return self.read(path)

    @staticmethod
    def _fail(file: str, mark: Any, message: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _BadFileError(ConfigError(file, line, column, "", message))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _BadFileError(ConfigError(str(path), 0, 0, "", f"cannot be read: {error.strerror}")) from error
    if len(content) > MAX_BYTES:
        raise _BadFileError(ConfigError(str(path), 0, 0, "", f"larger than {MAX_BYTES >> 20} MiB"))
    return content


class _Builder:
    """Makes nodes out of the events of one file."""

    def __init__(self, reader: Reader, file: str, own: bool) -> None:
        self.reader = reader
        self.file = file
        self.own = own
        self.root = Node(self._place(None))
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}

    def _place(self, mark: Any) -> Place:
        if self.own:
            return OWN
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)

    def take(self, event: Any) -> None:
        """Act on one event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def scalar(self, event: Any) -> None:
        self.reader.count(1, self.file, event.start_mark)
        if event.tag == "!include":
            self.add(self.reader.include(event.value, self.file, event.start_mark), 1, event)
            return
        empty = event.implicit[0] and not event.style and event.value in _EMPTY
        node = Node(self._place(event.start_mark), None if empty else event.value)
        if event.anchor:
            self.anchors[event.anchor] = (node, 1)
        self.add(node, 1, event)

    def alias(self, event: Any) -> None:
        node, size = self.anchors.get(event.anchor, (Node(self._place(event.start_mark)), 1))
        self.reader.count(size, self.file, event.start_mark)
        self.add(node, size, event)

    def open_map(self, event: Any) -> None:
        self._open(event, is_map=True)

    def open_list(self, event: Any) -> None:
        self._open(event, is_map=False)

    def _open(self, event: Any, is_map: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.reader._fail(self.file, event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        self.reader.count(1, self.file, event.start_mark)
        node = Node(self._place(event.start_mark), None, not is_map)
        name = (self.stack[-1].key or "") if self.stack else ""
        self.stack.append(_Open(node, is_map, name, event.anchor))

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.node, done.size)
        self.add(done.node, done.size, event)

    def add(self, node: Node, size: int, event: Any) -> None:
        """Put a finished node where it belongs."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += size
        if not top.is_map:
            top.node.items[str(len(top.node.items))] = node
        elif top.key is None:
            top.key = self._key(node, top)
        else:
            key, top.key = top.key, None
            self._member(top.node, key, node, event)

    @staticmethod
    def _key(node: Node, top: _Open) -> str:
        key = node.text or ""
        return key if top.name in _NAMED_BY_USER else key.replace("_", "-")

    def _member(self, parent: Node, key: str, node: Node, event: Any) -> None:
        """Store a member; a later one of the same name replaces the earlier, as in Suricata."""
        if key != "include":
            parent.items.pop(key, None)
            parent.items[key] = node
            return
        for name in node.texts():
            merge(parent, self.reader.include(name, self.file, event.start_mark))


_HANDLERS = {
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.MappingStartEvent: _Builder.open_map,
    yaml.SequenceStartEvent: _Builder.open_list,
    yaml.MappingEndEvent: _Builder.close,
    yaml.SequenceEndEvent: _Builder.close,
}


def merge(into: Node, other: Node) -> None:
    """Take over the members of ``other``; they replace those of the same name."""
    into.items.update(other.items)


def read_foreign(path: Path) -> tuple[Node | None, list[ConfigError]]:
    """Read a Suricata configuration with its includes."""
    try:
        return Reader(path).read(path), []
    except _BadFileError as bad:
        return None, [bad.error]


def parse_own(content: bytes, name: str) -> Node:
    """Parse a configuration that is part of this package."""
    return Reader(Path(name)).parse(content, name, own=True)
