"""What rules refer to outside of themselves, handed in by whoever may open files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _no_text(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Resources:
    """Access to files and databases.

    ``text`` gives the content of a file named in a rule or setting, None when it cannot be read;
    ``country`` gives the ISO code of an address (4 or 16 bytes), None when unknown.
    """

    text: Callable[[str], str | None] = _no_text
    country: Callable[[bytes], str | None] | None = None


NONE = Resources()
