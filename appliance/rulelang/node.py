"""What all nodes of the rule tree have in common."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a rule file; line and column count from 1."""

    file: str
    line: int
    column: int = 1


# A number or the name of a byte_extract / byte_math variable.
Number = int | str


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all options."""

    position: Position = field(repr=False, compare=False, kw_only=True)
