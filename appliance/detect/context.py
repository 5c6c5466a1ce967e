"""What a matcher may look at while one rule is tried: the packet, the flow, the buffer and a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.model.flow import Flow
    from appliance.model.packet import Packet

# Outcomes of a step. ABORT: no other place of an earlier match can help.
NO = 0
MATCH = 1
ABORT = -1

# Steps of one buffer inspection, as the recursion limit of the rule language has it.
STEP_LIMIT = 3000


class Context:
    """State of one inspection, reused for all packets of a detector.

    ``data`` is the buffer under inspection, ``base`` the stream offset of its first byte, ``cursor``
    where the last match ended, ``final`` whether more can follow. ``values`` are the variables of the
    rule under test and ``captures`` what its regular expressions kept. ``established`` tells whether the
    connection was so when the packet came. ``stamp`` numbers the inspections.
    """

    __slots__ = (
        "base",
        "captures",
        "counters",
        "cursor",
        "data",
        "decoded",
        "direction",
        "endian",
        "established",
        "events",
        "final",
        "flow",
        "lowered",
        "now",
        "packet",
        "replaces",
        "stamp",
        "steps",
        "tx",
        "values",
    )

    def __init__(self) -> None:
        """Make a context that looks at nothing yet."""
        self.packet: Any = None
        self.flow: Any = None
        self.tx: Any = None
        self.now: int = 0
        self.stamp: int = 0
        self.direction: int = 0
        self.events: list[str] | None = None
        self.data: bytes = b""
        self.lowered: bytes | None = None
        self.base: int = 0
        self.cursor: int = 0
        self.final: bool = True
        self.steps: int = 0
        self.endian: str = "big"
        self.established: bool = False
        self.values: list[int] = []
        self.decoded: bytes = b""
        self.captures: list[tuple[str, bytes]] = []
        self.replaces: list[tuple[int, bytes]] = []
        self.counters: dict[str, int] = {}

    def start(self, packet: Packet, flow: Flow | None, now: int, direction: int) -> None:
        """Turn to another packet."""
        self.stamp += 1
        self.packet = packet
        self.flow = flow
        self.tx = None
        self.now = now
        self.direction = direction
        self.data = b""
        self.lowered = None

    def look_at(self, data: bytes, base: int, final: bool) -> None:
        """Turn to another buffer; its lower-case form is made when first asked for."""
        if data is not self.data:
            self.data = data
            self.lowered = None
        self.base = base
        self.final = final
        self.cursor = 0
        self.steps = 0

    def lower(self) -> bytes:
        """Give the buffer with ASCII letters in lower case."""
        if self.lowered is None:
            self.lowered = self.data.lower()
        return self.lowered

    def count(self, name: str) -> None:
        """Count an event of detection itself."""
        self.counters[name] = self.counters.get(name, 0) + 1
