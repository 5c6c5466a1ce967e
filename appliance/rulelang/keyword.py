"""What the registry knows of a keyword."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.rulelang.draft import Draft

NO, MAY, MUST = 0, 1, 2  # whether a keyword takes an argument


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword as data.

    ``name`` is the present-day name; ``read`` takes the argument into the draft. ``protocols`` are the
    application protocols one of which a rule with this keyword is for (empty: any). ``kind`` groups the
    reference: "meta", "buffer", "modifier", "old modifier", "match", "number", "transform", "state".
    ``buffer`` is the buffer that an old modifier moves its content to; ``names`` give numbers for
    words; ``bits`` is the width of the number.
    """

    name: str
    kind: str
    read: Callable[[Draft, Keyword, str], None]
    syntax: str = ""
    argument: int = MUST
    protocols: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    buffer: str = ""
    names: Mapping[str, int] | None = None
    bits: int = 32
    pattern: str = ""  # of a plain text argument, a regular expression
