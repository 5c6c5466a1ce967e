"""Ordered first match over many rules without walking them.

Rules are cut into blocks. Within a block each dimension (frame type, protocol, both addresses,
both ports) maps a value to an integer whose bit ``n`` says that rule ``n`` allows this value. The
lowest bit of their conjunction is the first rule that matches, up to the conditions that are not
indexed (MACs, TCP flags, ICMP, schedule): those are verified for the rules that have them.
The bit-vector scheme is Lakshman and Stiliadis, "High-speed policy-based packet forwarding using
efficient multi-dimensional range matching" (SIGCOMM 1998); blocks keep its memory linear in the
number of rules. See ``docs/design/firewall.md``.
"""

from __future__ import annotations

from bisect import bisect_right

from appliance.firewall.rule import Action, Macs, Rule
from appliance.firewall.subject import Subject
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP

_LOG = int(Action.LOG)
_MAX_LOGGED = 16


class AddressIndex:
    """One end's addresses and interfaces as bit vectors."""

    __slots__ = ("default", "known", "members", "others", "starts4", "starts6", "vectors4", "vectors6")

    def __init__(self, default: int) -> None:
        """Start with the rules that have no condition, or a negated one, on this end."""
        self.default = default
        self.starts4: list[bytes] = []
        self.vectors4: list[int] = []
        self.starts6: list[bytes] = []
        self.vectors6: list[int] = []
        self.known: bool = False
        self.members: dict[int, int] = {}  # interface -> rules that name it
        self.others: dict[int, int] = {}  # interface -> rules whose negated condition does not name it

    def lookup(self, address: bytes, interface: int) -> int:
        """Give the rules whose condition on this end holds."""
        size = len(address)
        if size == 4 and self.starts4:
            bits = self.vectors4[bisect_right(self.starts4, address) - 1]
        elif size == 16 and self.starts6:
            bits = self.vectors6[bisect_right(self.starts6, address) - 1]
        else:
            bits = self.default
        if self.known and interface >= 0:
            bits |= self.members.get(interface, 0)
            bits &= self.others.get(interface, -1)
        return bits


class PortIndex:
    """Ports of one end as bit vectors."""

    __slots__ = ("default", "starts", "vectors")

    def __init__(self, default: int, starts: list[int], vectors: list[int]) -> None:
        """Take sorted first ports of intervals, the first being 0, and the rules for each."""
        self.default = default
        self.starts = starts
        self.vectors = vectors

    def lookup(self, port: int) -> int:
        """Give the rules whose condition on this port holds; -1 is a packet without ports."""
        if port < 0 or not self.starts:
            return self.default
        return self.vectors[bisect_right(self.starts, port) - 1]


class Block:
    """Consecutive rules with their indexes."""

    __slots__ = (
        "destination",
        "destination_ports",
        "frames",
        "frames_default",
        "protocols",
        "protocols_default",
        "rules",
        "source",
        "source_ports",
        "unindexed",
    )

    def __init__(self, rules: list[Rule], source: AddressIndex, destination: AddressIndex) -> None:
        """Make a block; :mod:`appliance.firewall.build` fills in the rest."""
        self.rules = rules
        self.source = source
        self.destination = destination
        self.source_ports: PortIndex = PortIndex(-1, [], [])
        self.destination_ports: PortIndex = PortIndex(-1, [], [])
        self.frames: dict[int, int] = {}
        self.frames_default: int = 0
        self.protocols: dict[int, int] = {}
        self.protocols_default: int = 0
        self.unindexed: int = 0

    def candidates(self, subject: Subject) -> int:
        """Give the rules whose indexed conditions hold."""
        bits = self.frames.get(subject.frame, self.frames_default)
        bits &= self.protocols.get(subject.proto, self.protocols_default)
        if bits:
            bits &= self.destination_ports.lookup(subject.dport)
        if bits:
            bits &= self.destination.lookup(subject.dst, subject.dst_index)
        if bits:
            bits &= self.source.lookup(subject.src, subject.src_index)
        if bits:
            bits &= self.source_ports.lookup(subject.sport)
        return bits

    def match(self, subject: Subject, now: int, logged: list[str]) -> Rule | None:
        """Give the first rule that decides; names of ``log`` rules before it go to ``logged``."""
        bits = self.candidates(subject)
        while bits:
            low = bits & -bits
            rule = self.rules[low.bit_length() - 1]
            bits ^= low
            if low & self.unindexed and not unindexed_holds(rule, subject, now):
                continue
            if rule.action != _LOG:
                return rule
            if len(logged) < _MAX_LOGGED:
                logged.append(rule.label)
        return None


class RuleTable:
    """All rules of one policy for one direction."""

    __slots__ = ("blocks", "count", "timed")

    def __init__(self, blocks: list[Block], count: int, timed: bool) -> None:
        """Take blocks in order; ``timed`` tells that some rule has a schedule."""
        self.blocks = blocks
        self.count = count
        self.timed = timed

    def match(self, subject: Subject, now: int, logged: list[str]) -> Rule | None:
        """Give the first rule that decides on ``subject``, None when no rule does."""
        for block in self.blocks:
            rule = block.match(subject, now, logged)
            if rule is not None:
                return rule
        return None


def unindexed_holds(rule: Rule, subject: Subject, now: int) -> bool:
    """Verify the conditions that no index covers."""
    if rule.schedule is not None and not rule.schedule.active(now):
        return False
    flags = rule.tcp_flags
    if flags is not None and (subject.proto != PROTO_TCP or subject.tcp_flags & flags.mask != flags.value):
        return False
    if rule.icmp is not None and not _icmp_holds(rule, subject):
        return False
    if not _mac_holds(rule.source_macs, subject.src_mac):
        return False
    return _mac_holds(rule.destination_macs, subject.dst_mac)


def _mac_holds(macs: Macs | None, mac: bytes) -> bool:
    return macs is None or (mac in macs.members) != macs.negated


def _icmp_holds(rule: Rule, subject: Subject) -> bool:
    if subject.proto not in {PROTO_ICMP, PROTO_ICMPV6} or rule.icmp is None:
        return False
    held = False
    for kind, first, last in rule.icmp:
        if subject.icmp_type == kind and first <= subject.icmp_code <= last:
            held = True
    return held != rule.icmp_negated
