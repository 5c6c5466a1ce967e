"""What every loader of a document reports: where, which field, what is wrong, what would help."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


def one_line(error: object) -> str:
    """Write what a library says in several lines as one."""
    return " ".join(str(error).split())


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One error of a document. Lines and columns count from 1; 0 is unknown.

    ``field`` is a dotted path such as ``policies.2.firewall.application.0.protocol``.
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""

    @override
    def __str__(self) -> str:
        """Write it as compilers do, so that editors can jump to the place."""
        field = f" {self.field}:" if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}:{field} {self.message}{hint}"
