"""All signatures with the indexes that find the few to evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.addresses import AddressIndex
from appliance.detect.ends import Ends
from appliance.detect.matchers import EventMatcher
from appliance.detect.prefilter import CLASSES, GroupBuilder, PacketGroup, protocol_class
from appliance.detect.signature import Kind, Signature
from appliance.detect.txgroup import TxGroup, TxTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.hyperscan import PatternCache
    from appliance.detect.world import World
    from appliance.rulelang.tree import AddressSet


class Ruleset:
    """Compiled rules. ``signatures[i].rule`` is the rule of index ``i``.

    ``needs`` names what must be computed for some rule: "md5", "sha1", "sha256", "magic" and "store" of
    files, "body-md5" of mails, "frame:<name>".
    """

    def __init__(self, signatures: Sequence[Signature], world: World, cache: PatternCache | None) -> None:
        """Build the indexes."""
        self.signatures: list[Signature] = list(signatures)
        self.world = world
        self.needs: frozenset[str] = frozenset(need for s in signatures for need in s.needs)
        self._cache = cache
        self.address_only = self._address_index()
        self.protocol_only = [s.index for s in signatures if s.kind is Kind.PROTOCOL]
        # Those that ask for the state of the connection too, and are looked at by the application alone.
        self.protocol_states = [i for i in self.protocol_only if signatures[i].header.established >= 0]
        self.groups = self._packet_groups()
        self.packet_events = self._packet_events()
        self.non_ip = [s.index for s in signatures if s.header.non_ip and event_of(s) is None]
        self.ends = Ends(self.signatures)
        self._tables = TxTables(self.signatures, world.keys, cache)
        self._tx_groups: dict[tuple[str, int], TxGroup] = {}
        self.event_rules = self._event_rules()
        self.frame_rules = self._frame_rules()

    def __len__(self) -> int:
        """Number of rules."""
        return len(self.signatures)

    def group(self, protocol: int, direction: int) -> PacketGroup:
        """Give the group of an IP protocol and direction."""
        return self.groups[protocol_class(protocol), direction]

    def tx_group(self, protocol: str, direction: int) -> TxGroup:
        """Give the group of an application protocol and direction, made when first asked for."""
        found = self._tx_groups.get((protocol, direction))
        if found is None:
            found = self._tx_groups[protocol, direction] = self._tables.group(protocol, direction)
        return found

    def _address_index(self) -> AddressIndex:
        """Index ip-only rules by the side that says more."""
        entries = []
        for signature in self.signatures:
            if signature.kind is Kind.IP_ONLY:
                rule = signature.rule
                chosen = min(rule.source, rule.destination, key=_extent)
                both = rule.direction == "<>"
                entries.append(
                    (rule.source if both and not rule.destination.any else chosen, signature.index)
                )
                if both and not rule.destination.any:
                    entries.append((rule.destination, signature.index))
        return AddressIndex(entries)

    def _packet_groups(self) -> dict[tuple[int, int], PacketGroup]:
        """Sort packet and stream rules by protocol and direction."""
        builders = {(c, d): GroupBuilder() for c in CLASSES for d in (0, 1)}
        for signature in self.signatures:
            if signature.kind not in {Kind.PACKET, Kind.STREAM} or signature.header.non_ip:
                continue
            if event_of(signature) is not None:
                continue
            protocols = signature.header.protocols
            classes = CLASSES if protocols is None else sorted({protocol_class(p) for p in protocols})
            for number in classes:
                for direction in signature.directions:
                    builders[number, direction].add(signature)
        return {place: builder.finish(self._cache) for place, builder in builders.items()}

    def _frame_rules(self) -> dict[tuple[str, str], list[int]]:
        """Rules by the protocol and name of the frame they look at, in their order."""
        found: dict[tuple[str, str], list[int]] = {}
        for signature in sorted(self.signatures, key=lambda one: one.rank):
            if signature.frame is not None:
                for protocol in signature.frame.protocols:
                    found.setdefault((protocol, signature.frame.name), []).append(signature.index)
        return found

    def _packet_events(self) -> dict[str, list[int]]:
        """Rules by the event of decoder or stream that they wait for."""
        found: dict[str, list[int]] = {}
        for signature in self.signatures:
            name = event_of(signature)
            if name is not None:
                found.setdefault(name, []).append(signature.index)
        return found

    def _event_rules(self) -> dict[str, list[int]]:
        """Rules by the application events they wait for."""
        found: dict[str, list[int]] = {}
        for signature in self.signatures:
            for name in signature.events[:1]:
                found.setdefault(name, []).append(signature.index)
        return found


def _extent(addresses: AddressSet) -> int:
    """Measure how much of the address space a set covers; IPv6 counts by its high half."""
    if addresses.any:
        return 1 << 128
    return sum((high - low + 1) >> (64 if version == 6 else 0) for version, low, high in addresses.ranges)


def event_of(signature: Signature) -> str | None:
    """Give the packet event without which a rule cannot match, None when there is none."""
    if signature.kind not in {Kind.PACKET, Kind.STREAM}:
        return None
    return next((m.name for m in signature.matchers if isinstance(m, EventMatcher)), None)
