"""A firewall rule with every name resolved: plain values that tables are built from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from appliance.firewall.schedule import Schedule
from appliance.model.identity import Prefix
from appliance.model.verdict import Verdict

IN = 1
OUT = 2
BOTH = IN | OUT

SECTIONS = ("emergency", "infrastructure", "application", "default")

FRAME_IPV4 = 0x0800
FRAME_IPV6 = 0x86DD
FRAME_RARP = 0x8035
FIRST_ETHERTYPE = 0x0600  # what is below in its place is a length (IEEE 802.3): LLC, SNAP, spanning tree

# Frames that carry other frames or packets where the kernel does not look: tags (802.1Q, 802.1ad, Q-in-Q),
# PPPoE, MPLS, 802.1ah, FabricPath, VN-Tag, 802.1BR, NSH. An inline datapath lets none of them through.
CARRIERS = frozenset(
    {0x8100, 0x88A8, 0x9100, 0x9200, 0x9300, 0x8863, 0x8864, 0x8847, 0x8848, 0x88E7, 0x8903, 0x8926}
    | {0x893F, 0x894F}
)


class Action(IntEnum):
    """What a rule does. ``LOG`` notes the packet and goes on to the next rule; all others decide."""

    ALLOW = 0
    DENY = 1
    REJECT = 2
    BYPASS = 3
    LOG = 4


VERDICTS = {
    Action.ALLOW: Verdict.ACCEPT,
    Action.DENY: Verdict.DROP,
    Action.REJECT: Verdict.REJECT,
    Action.BYPASS: Verdict.BYPASS,
    Action.LOG: Verdict.ACCEPT,
}


@dataclass(frozen=True, slots=True)
class Values:
    """A set of numbers (frame types, protocols) or everything but these."""

    members: frozenset[int]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """Inclusive port ranges, or everything but these."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection: an address in ``ranges`` or an interface (by index) in ``interfaces``."""

    ranges: tuple[Prefix, ...] = ()
    interfaces: frozenset[int] = frozenset()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Macs:
    """Hardware addresses, or everything but these."""

    members: frozenset[bytes]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FlagTest:
    """TCP flags: those in ``mask`` must be exactly ``value``."""

    mask: int
    value: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A condition that is None holds for every packet.

    ``icmp`` lists (type, first code, last code). ``log`` asks for a record when the rule decides.
    """

    name: str
    policy: str
    section: str
    action: Action
    directions: int = BOTH
    frames: Values | None = None
    protocols: Values | None = None
    source: Endpoint | None = None
    destination: Endpoint | None = None
    source_ports: Ports | None = None
    destination_ports: Ports | None = None
    source_macs: Macs | None = None
    destination_macs: Macs | None = None
    tcp_flags: FlagTest | None = None
    icmp: tuple[tuple[int, int, int], ...] | None = None
    icmp_negated: bool = False
    schedule: Schedule | None = None
    log: bool = False

    @property
    def label(self) -> str:
        """Name for people and records: ``web/application/https``."""
        return f"{self.policy}/{self.section}/{self.name}"
