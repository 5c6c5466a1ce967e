"""How parsing code says no: one exception, caught where a rule ends and turned into a value."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class Refused(Exception):  # noqa: N818 - a refusal, not a fault
    """A piece of rule text cannot be accepted.

    ``at`` is the offset of the fault in the text handed to the raising function, -1 when the whole
    of it is meant. Never leaves this package.
    """

    def __init__(self, reason: str, hint: str = "", at: int = -1) -> None:
        """Say why in ``reason`` and what to do instead in ``hint``."""
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.at = at


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest of ``known`` as a hint, or "" when nothing is near."""
    names = {name.lower(): name for name in known}
    near = [names[name] for name in get_close_matches(word[:64].lower(), names, n=2, cutoff=0.65)]
    return f"did you mean {' or '.join(near)}?" if near else ""


def shown(text: str, limit: int = 40) -> str:
    """Quote ``text`` for a message, cut to ``limit`` characters and without control characters."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "'" + "".join(char if char.isprintable() else "?" for char in short) + "'"
