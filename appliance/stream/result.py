"""What the tracker says about one packet."""

from __future__ import annotations

import cython

from appliance.model.chunk import Chunk
from appliance.model.verdict import Reason

_NONE = Reason.NONE


@cython.freelist(8)
@cython.cclass
class StreamResult:
    """Outcome for one packet.

    ``chunks`` is data that is now in order, of either direction; ``events`` are names of
    :data:`appliance.stream.events.EVENTS`; in ``found`` and ``noted`` they are None for none.
    ``reason`` is not NONE when the packet should be dropped (inline
    only). ``replaced`` is then, for overlapping data that differs, the payload with the bytes that were
    inspected in their places: it may be forwarded instead of dropping the packet.
    ``exception`` is an exception policy that applies ("drop-flow", ..., "ignore"; "" where none applies) and
    ``exception_target`` on whose behalf ("stream.midstream", "stream.reassembly", "stream.memcap").
    ``reused``: the packet opens a new connection on the ports of a closed one; nothing was done with it, the
    flow has to end and the packet be handled with a new one. ``swap``: the flow runs the other way round:
    exchange its ends and turn ``packet.direction``; directions here are already the right ones.
    ``bypass``: both directions reached the inspection depth.
    """

    __slots__ = (
        "bypass",
        "exception",
        "exception_target",
        "found",
        "noted",
        "reason",
        "replaced",
        "reused",
        "swap",
    )

    def __init__(self) -> None:
        """Say: nothing to report."""
        self.begin()

    def begin(self) -> None:
        """Set all fields; with ``__new__`` it is a constructor that costs little."""
        self.found: list[Chunk] | None = None
        self.noted: list[str] | None = None
        self.reason: Reason = _NONE
        self.replaced: bytes | None = None
        self.exception: str = ""
        self.exception_target: str = ""
        self.reused: bool = False
        self.swap: bool = False
        self.bypass: bool = False

    @property
    def chunks(self) -> list[Chunk]:
        """Data that is now in order."""
        return self.found if self.found is not None else []

    @property
    def events(self) -> list[str]:
        """Names of what happened."""
        return self.noted if self.noted is not None else []

    def add(self, chunk: Chunk) -> None:
        """Hand on a piece of a stream."""
        if self.found is None:
            self.found = []
        self.found.append(chunk)

    def note(self, event: str) -> None:
        """Add an event, once."""
        if self.noted is None:
            self.noted = []
        if event not in self.noted:
            self.noted.append(event)

    def apply(self, policy: str, target: str) -> None:
        """Ask for an exception policy; the first one counts. "ignore" is passed on too: it is reported."""
        if not self.exception:
            self.exception = policy
            self.exception_target = target
