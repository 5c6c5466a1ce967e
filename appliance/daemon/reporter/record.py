"""One record on its way through the reporter."""

from __future__ import annotations

import json
from typing import Any

OVERHEAD = 128  # what a record costs in memory beside its line


class Record:
    """An encoded record: ``line`` with its end, and what it says once somebody asks."""

    __slots__ = ("_fields", "line")

    def __init__(self, line: bytes) -> None:
        self.line = line
        self._fields: dict[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Any] | None:
        """What the record says; None when it cannot be read."""
        if self._fields is None:
            try:
                found = json.loads(self.line)
            except (ValueError, RecursionError):
                return None
            self._fields = found if isinstance(found, dict) else None
        return self._fields

    @property
    def cost(self) -> int:
        """Bytes in memory."""
        return len(self.line) + OVERHEAD
