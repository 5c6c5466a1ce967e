"""Build rule tables: sweep each dimension once, toggling rules at the edges of their ranges."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.firewall.match import AddressIndex, Block, PortIndex, RuleTable
from appliance.firewall.rule import Endpoint, Ports, Rule, Values

BLOCK = 512  # rules in a block: integers of 64 bytes
_PORTS = 1 << 16


def build_table(rules: Iterable[Rule], direction: int) -> RuleTable:
    """Make the table of the rules that apply to ``direction`` (``IN`` or ``OUT``), in order."""
    mine = [rule for rule in rules if rule.directions & direction]
    blocks = [_block(mine[at : at + BLOCK]) for at in range(0, len(mine), BLOCK)]
    return RuleTable(blocks, len(mine), any(rule.schedule is not None for rule in mine))


def _block(rules: list[Rule]) -> Block:
    block = Block(
        rules, _address_index([r.source for r in rules]), _address_index([r.destination for r in rules])
    )
    block.source_ports = _port_index([rule.source_ports for rule in rules])
    block.destination_ports = _port_index([rule.destination_ports for rule in rules])
    block.frames_default, block.frames = _value_index([rule.frames for rule in rules])
    block.protocols_default, block.protocols = _value_index([rule.protocols for rule in rules])
    block.unindexed = _bits(n for n, rule in enumerate(rules) if _has_unindexed(rule))
    return block


def _has_unindexed(rule: Rule) -> bool:
    conditions = (rule.schedule, rule.tcp_flags, rule.icmp, rule.source_macs, rule.destination_macs)
    return any(one is not None for one in conditions)


def _bits(numbers: Iterable[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def _default(conditions: list[Values | None] | list[Ports | None] | list[Endpoint | None]) -> int:
    """Give the rules that hold for a value which no rule names."""
    return _bits(n for n, one in enumerate(conditions) if one is None or one.negated)


def _value_index(conditions: list[Values | None]) -> tuple[int, dict[int, int]]:
    default = _default(conditions)
    index: dict[int, int] = {}
    for number, one in enumerate(conditions):
        for member in one.members if one is not None else ():
            index[member] = index.get(member, default) ^ (1 << number)
    return default, index


def _port_index(conditions: list[Ports | None]) -> PortIndex:
    default = _default(conditions)
    toggles: dict[int, int] = {}
    for number, one in enumerate(conditions):
        if one is not None:
            _toggle(toggles, merge(one.ranges), number)
    edges, vectors = _sweep(toggles, default, _PORTS)
    return PortIndex(default, edges, vectors)


def _address_index(conditions: list[Endpoint | None]) -> AddressIndex:
    index = AddressIndex(_default(conditions))
    for version, size in ((4, 4), (6, 16)):
        toggles: dict[int, int] = {}
        for number, one in enumerate(conditions):
            if one is not None:
                ranges = merge((r.base, r.last) for r in one.ranges if r.version == version)
                _toggle(toggles, ranges, number)
        edges, vectors = _sweep(toggles, index.default, 1 << (8 * size))
        starts = [edge.to_bytes(size, "big") for edge in edges]
        if version == 4:
            index.starts4, index.vectors4 = starts, vectors
        else:
            index.starts6, index.vectors6 = starts, vectors
    _index_interfaces(index, conditions)
    return index


def _index_interfaces(index: AddressIndex, conditions: list[Endpoint | None]) -> None:
    for number, one in enumerate(conditions):
        for interface in one.interfaces if one is not None else ():
            index.known = True
            if one is not None and one.negated:
                index.others[interface] = index.others.get(interface, -1) & ~(1 << number)
            else:
                index.members[interface] = index.members.get(interface, 0) | 1 << number


def _toggle(toggles: dict[int, int], ranges: list[tuple[int, int]], number: int) -> None:
    bit = 1 << number
    for first, last in ranges:
        toggles[first] = toggles.get(first, 0) ^ bit
        toggles[last + 1] = toggles.get(last + 1, 0) ^ bit


def _sweep(toggles: dict[int, int], default: int, end: int) -> tuple[list[int], list[int]]:
    """Give the edges of intervals, the first being 0, and the rules that hold in each."""
    if not toggles:
        return [], []
    edges, vectors, same = [], [], {default: default}
    bits = default
    for edge in sorted({0, *toggles}):
        if edge >= end:
            break
        bits ^= toggles.get(edge, 0)
        edges.append(edge)
        vectors.append(same.setdefault(bits, bits))
    return edges, vectors


def merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join inclusive ranges that overlap or touch."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
