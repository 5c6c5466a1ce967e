"""The types of files, by libmagic."""

from __future__ import annotations

from collections.abc import Callable

import magic


def file_types() -> Callable[[bytes], str]:
    """Make a function that describes the type of a file from its first bytes, "" where libmagic fails.

    The database is loaded at the first call.
    """

    def describe(data: bytes) -> str:
        try:
            return str(magic.from_buffer(data))
        except magic.MagicException:
            return ""

    return describe
