"""What the supervisor sees of the kernel, whichever datapath is below."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from appliance.kernel.options import Datapath
from appliance.kernel.state import KernelState


class KernelError(Exception):
    """The kernel or one of its tools refused; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the running kernel can do. ``missing`` tells for each datapath what it lacks."""

    datapaths: tuple[Datapath, ...]
    ibrname: bool = False
    legacy: bool = True  # iptables-legacy works; else iptables-nft
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an earlier process left. Go on from its ``epoch``, or connections are judged anew."""

    datapath: Datapath
    epoch: int
    queue_base: int
    workers: int
    digest: str


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that was not as it had been applied; ``repaired`` tells whether it is now."""

    what: str
    repaired: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A MAC that sent frames from a port that is not in the map."""

    port: str
    mac: bytes


@dataclass(slots=True)
class Counts:
    """Packets and bytes since the tables were made."""

    packets: int = 0
    bytes: int = 0


class Driver(Protocol):
    """Brings the kernel into a state. One thread calls it. Every method may raise :class:`KernelError`."""

    def adopt(self) -> Adopted | None:
        """Find what an earlier process left; None when there is nothing. Changes nothing."""
        ...

    def apply(self, state: KernelState) -> bool:
        """Make the kernel hold ``state``; False when it did already. A failure fails safe."""
        ...

    def audit(self) -> list[Drift]:
        """Compare the kernel with what was applied and repair what differs."""
        ...

    def sweep(self) -> None:
        """Take away everything that is ours and nothing else."""
        ...

    def counters(self) -> dict[str, Counts]:
        """Read all counters.

        ``blocked``, ``settled``, ``bare_ack``, ``queued_closed``, ``queued_open``, ``limit_new``,
        ``limit_packets``, ``limit_group``, ``uninspected``, and ``drop.REASON.PORT`` for each port.
        """
        ...

    def seen(self) -> list[Seen]:
        """Give the MACs that appeared on ports which are not in the map, lately."""
        ...
