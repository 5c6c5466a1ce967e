"""When a worker counts as overloaded: a level made of how full its queue is, slow to calm down."""

from __future__ import annotations

NORMAL = 0
LESS = 1  # named classes of traffic pass uninspected
NONE = 2  # policies say what passes uninspected and what does not pass


class Overload:
    """Turns the filling of a queue into a level. It rises at once and falls one step after a calm time."""

    def __init__(self, less_at: int, none_at: int, calm_for: int) -> None:
        """Take the two thresholds in percent and the calm time in ns."""
        self.level = NORMAL
        self.peak = 0
        self._less_at = less_at
        self._none_at = none_at
        self._calm_for = calm_for
        self._since = 0

    def feed(self, filled: int, now: int) -> int:
        """Give the level after the queue was seen ``filled`` percent full at ``now`` (ns)."""
        self.peak = max(self.peak, filled)
        wanted = NONE if filled >= self._none_at else LESS if filled >= self._less_at else NORMAL
        if wanted >= self.level:
            self.level = wanted
            self._since = now
        elif now - self._since >= self._calm_for:
            self.level -= 1
            self._since = now
        return self.level
