"""Exit status of the commands; ``docs/cli.md`` says the same."""

from __future__ import annotations

CLEAN = 0  # done; nothing to report
ALERTED = 1  # rules matched, nothing was blocked
ERROR = 2  # bad options, documents or files; nothing was done
BLOCKED = 3  # at least one packet was not let through
INTERRUPTED = 130
