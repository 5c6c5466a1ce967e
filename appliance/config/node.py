"""A foreign (Suricata) configuration as a tree of texts that remembers places and what was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from appliance.config.values import plain

MAX_UNUSED = 1000
_MAX_STEPS = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: line and column count from 1; ``file`` "" is our own default."""

    file: str = ""
    line: int = 0
    column: int = 0


OWN = Place()
COMMAND_LINE = Place("--set")


class Node:
    """One value: a text, or named members; a list has members "0", "1", ... as Suricata numbers them.

    A list member that is a mapping is known by its first key (``- alert: {...}``).
    """

    __slots__ = ("is_list", "items", "place", "text", "used")

    def __init__(self, place: Place = OWN, text: str | None = None, is_list: bool = False) -> None:
        self.place = place
        self.text = text
        self.is_list = is_list
        self.items: dict[str, Node] = {}
        self.used = False

    def find(self, path: str) -> Node | None:
        """Give the node at a dotted path below this one, without marking it as read."""
        node: Node | None = self
        for step in path.split("."):
            node = node.items.get(step) if node is not None else None
        return node

    def take(self, path: str) -> Node | None:
        """Give the node at a dotted path and mark it as read; None for nothing or an empty value."""
        node = self.find(path)
        if node is None:
            return None
        node.used = True
        return node if node.text is not None or node.items else None

    def take_all(self, path: str) -> Node | None:
        """Like :meth:`take`, for the node with everything below it."""
        node = self.find(path)
        if node is not None:
            node.mark()
        return node

    def mark(self) -> None:
        """Mark everything from here down as read."""
        waiting, seen = [self], {id(self)}
        while waiting:
            node = waiting.pop()
            node.used = True
            fresh = [item for item in node.items.values() if id(item) not in seen]
            seen.update(id(item) for item in fresh)
            waiting.extend(fresh)

    def put(self, path: str, text: str, place: Place = COMMAND_LINE) -> bool:
        """Set a value, making what is missing on the way; False when the path is no path."""
        steps = path.split(".")
        if not all(steps) or len(steps) > _MAX_STEPS:
            return False
        node = self
        for step in steps:
            if step not in node.items:
                node.items[step] = Node(place)
                node.is_list = node.is_list or (len(node.items) == 1 and node is not self and step == "0")
            node = node.items[step]
        node.text, node.items, node.place, node.used, node.is_list = text, {}, place, False, False
        return True

    @property
    def name(self) -> str:
        """What a list member is called: its text, or its first key."""
        return self.text if self.text is not None else next(iter(self.items), "")

    def body(self) -> Node:
        """Give the options of a list member: what its name leads to, or the member itself."""
        return self.items.get(self.name, self) if self.items else self

    def texts(self) -> list[str]:
        """Give the texts of a list; a single text is a list of one."""
        if not self.items:
            return [] if self.text is None else [self.text]
        return [item.text for item in self.items.values() if item.text is not None]

    def plain(self) -> Any:
        """Give plain values, undeclared types guessed (see :func:`values.plain`). Depth is bounded."""
        if not self.items:
            return [] if self.is_list else plain(self.text)
        if self.is_list:
            return [item.plain() for item in self.items.values()]
        return {key: item.plain() for key, item in self.items.items()}


def unread(root: Node) -> Iterator[str]:
    """Give the dotted paths of foreign values that nobody read, in the order of the file."""
    waiting: list[tuple[str, Node]] = [("", root)]
    count = 0
    while waiting and count < MAX_UNUSED:
        path, node = waiting.pop()
        if node.used and not node.items:
            continue
        if node.items:
            prefix = f"{path}." if path else ""
            waiting.extend((prefix + key, item) for key, item in reversed(list(node.items.items())))
        elif path and node.place.file:
            count += 1
            yield path
