"""Flows in the order of their last packet: one intrusive list for each class of timeout.

Flows of one list share a timeout, so the one due first is always at its old end.
"""

from __future__ import annotations

from appliance.model.flow import Flow


class FlowQueues:
    """Lists of flows linked through ``Flow.newer`` and ``Flow.older``; ``Flow.queue`` names the list.

    ``oldest`` and ``newest`` hold the ends of each list, None where it is empty.
    """

    __slots__ = ("newest", "oldest")

    def __init__(self, count: int) -> None:
        """Make ``count`` empty lists."""
        self.oldest: list[Flow | None] = [None] * count
        self.newest: list[Flow | None] = [None] * count

    def append(self, flow: Flow, queue: int) -> None:
        """Put a flow that is in no list at the new end of ``queue``."""
        last = self.newest[queue]
        flow.queue = queue
        flow.newer = None
        flow.older = last
        if last is None:
            self.oldest[queue] = flow
        else:
            last.newer = flow
        self.newest[queue] = flow

    def remove(self, flow: Flow) -> None:
        """Take a flow out of its list; one that is in none stays as it is."""
        queue = flow.queue
        if queue < 0:
            return
        newer, older = flow.newer, flow.older
        if newer is None:
            self.newest[queue] = older
        else:
            newer.older = older
        if older is None:
            self.oldest[queue] = newer
        else:
            older.newer = newer
        flow.newer = flow.older = None
        flow.queue = -1

    def move(self, flow: Flow, queue: int) -> None:
        """Put a flow at the new end of ``queue``, wherever it is."""
        if flow.queue == queue and flow.newer is None:
            return
        self.remove(flow)
        self.append(flow, queue)
