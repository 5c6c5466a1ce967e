"""Sets of integers as sorted, disjoint, inclusive ranges, and the list syntax that makes them.

Addresses and ports share one grammar: ``any``, ``!x``, ``[x,y,!z]``, ``$NAME`` and single items.
A list is the union of what it names without ``!`` (everything, when all is negated) less the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.rulelang.errors import Refused, did_you_mean, shown

Range = tuple[int, int]
Ranges = tuple[Range, ...]

MAX_DEPTH = 16  # nesting of lists and variables
MAX_TEXT = 1 << 20  # characters of one expression


def merge(ranges: list[Range]) -> Ranges:
    """Sort and join ranges that touch or overlap."""
    out: list[Range] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            if high > out[-1][1]:
                out[-1] = (out[-1][0], high)
        else:
            out.append((low, high))
    return tuple(out)


def subtract(whole: Ranges, hole: Ranges) -> Ranges:
    """Take ``hole`` out of ``whole``; both sorted and disjoint."""
    out: list[Range] = []
    start = 0
    for first, high in whole:
        low = first
        while start < len(hole) and hole[start][1] < low:
            start += 1
        index = start
        while index < len(hole) and hole[index][0] <= high:
            if hole[index][0] > low:
                out.append((low, hole[index][0] - 1))
            low = hole[index][1] + 1
            index += 1
        if low <= high:
            out.append((low, high))
    return tuple(out)


def split_list(text: str) -> list[str]:
    """Split at the commas outside brackets; every item is stripped.

    Raises:
        Refused: brackets do not pair up.
    """
    if "[" not in text:
        if "]" in text:
            raise Refused("']' without '['")
        return [item.strip() for item in text.split(",")]
    items, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth < 0:
                raise Refused("']' without '['")
        elif char == "," and depth == 0:
            items.append(text[start:index].strip())
            start = index + 1
    if depth:
        raise Refused("'[' is never closed")
    return [*items, text[start:].strip()]


@dataclass(slots=True)
class SetGrammar:
    """The list syntax over one kind of item.

    ``what`` is "address" or "port" for messages, ``atom`` reads one item into a range, ``universe`` is what
    ``any`` means, ``variables`` maps names to expressions. Every variable is resolved once.
    """

    what: str
    atom: Callable[[str], Range]
    universe: Ranges
    variables: Mapping[str, str]
    resolved: dict[str, Ranges] = field(default_factory=dict)

    def parse(self, text: str) -> Ranges:
        """Resolve an expression.

        Raises:
            Refused: it is malformed, names an unknown variable or leaves nothing.
        """
        if len(text) > MAX_TEXT:
            raise Refused(f"the {self.what} list is longer than {MAX_TEXT} characters")
        ranges = self._item(text.strip(), ())
        if not ranges:
            raise Refused(
                f"no {self.what} is left in {shown(text)}",
                "what is included is excluded again; check the variables",
            )
        return ranges

    def _item(self, text: str, path: tuple[str, ...], depth: int = 0) -> Ranges:
        """Read one item, negated or not; ``path`` are the variables being resolved."""
        if depth > MAX_DEPTH:
            raise Refused(f"{self.what} lists are nested deeper than {MAX_DEPTH}")
        if text.startswith("!"):
            inner = self._item(text[1:].strip(), path, depth + 1)
            return subtract(self.universe, inner)
        if text.startswith("["):
            return self._bracketed(text, path, depth)
        if text.startswith("$"):
            return self._variable(text[1:], path, depth)
        if text.lower() == "any":
            return self.universe
        if not text:
            raise Refused(f"empty {self.what}", "look for a stray comma")
        return (self.atom(text),)

    def _bracketed(self, text: str, path: tuple[str, ...], depth: int) -> Ranges:
        """Read ``[...]``."""
        if not text.endswith("]"):
            raise Refused(f"'[' is never closed in {shown(text)}")
        return self._list(text[1:-1], path, depth)

    def _list(self, text: str, path: tuple[str, ...], depth: int) -> Ranges:
        """Read the inside of a list: what is named less what is negated."""
        wanted: list[Range] = []
        unwanted: list[Range] = []
        plain = 0
        for item in split_list(text):
            if item.startswith("!"):
                unwanted.extend(self._item(item[1:].strip(), path, depth + 1))
            else:
                plain += 1
                wanted.extend(self._item(item, path, depth + 1))
        base = merge(wanted) if plain else self.universe
        return subtract(base, merge(unwanted)) if unwanted else base

    def _variable(self, name: str, path: tuple[str, ...], depth: int) -> Ranges:
        """Resolve ``$NAME``."""
        known = self.resolved.get(name)
        if known is not None:
            return known
        if name not in self.variables:
            raise Refused(
                f"{self.what} variable ${name[:64]} is not defined",
                did_you_mean(name, self.variables)
                or f"define it among the {self.what} variables of the settings",
            )
        if name in path:
            raise Refused(f"{self.what} variable ${name} refers to itself")
        text = self.variables[name].strip()
        expression = text if text.startswith(("[", "!", "$")) and not _has_list(text) else f"[{text}]"
        ranges = self._item(expression, (*path, name), depth + 1)
        self.resolved[name] = ranges
        return ranges


def _has_list(text: str) -> bool:
    """Tell whether there is a comma outside brackets (a list written without them)."""
    try:
        return len(split_list(text)) > 1
    except Refused:
        return False
