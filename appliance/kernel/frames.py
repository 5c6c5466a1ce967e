"""Firewall rules for frames that are not IP: what is left of a rule table when there are no addresses.

The kernel decides on such frames, so it has to say exactly what
:meth:`appliance.firewall.match.RuleTable.match` says of their subject: no addresses, no protocol, no ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.firewall.bound import InterfacePolicy
from appliance.firewall.ends import announces
from appliance.firewall.match import RuleTable
from appliance.firewall.rule import (
    FRAME_IPV4,
    FRAME_IPV6,
    FRAME_RARP,
    IN,
    OUT,
    VERDICTS,
    Action,
    Endpoint,
    Rule,
    Values,
)  # fmt: skip
from appliance.kernel.text import macs, number_set
from appliance.model.verdict import Verdict

_IP = frozenset({FRAME_IPV4, FRAME_IPV6})


@dataclass(frozen=True, slots=True)
class Members:
    """A set of values, or everything but these."""

    values: frozenset[int] | frozenset[bytes]
    negated: bool = False

    def holds(self, value: int | bytes) -> bool:
        """Tell whether the condition holds for ``value``."""
        return (value in self.values) != self.negated


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A decision about frames. None holds for all; ``peer`` is the interface (its index) at the other end."""

    accept: bool
    frames: Members | None = None
    source_macs: Members | None = None
    destination_macs: Members | None = None
    peer: Members | None = None

    def holds(self, frame: int, source: bytes, destination: bytes, peer: int) -> bool:
        """Tell whether the rule decides about a frame; ``peer`` is -1 where nobody knows the interface."""
        return (
            (self.frames is None or self.frames.holds(frame))
            and (self.source_macs is None or self.source_macs.holds(source))
            and (self.destination_macs is None or self.destination_macs.holds(destination))
            and (self.peer is None or self.peer.holds(peer))
        )

    @property
    def always(self) -> bool:
        """Tell whether no frame comes past this rule."""
        return self == FrameRule(self.accept)


def frame_rules(policy: InterfacePolicy, direction: int, now: int) -> tuple[FrameRule, ...]:
    """Give the decisions of one end, ``direction`` being IN or OUT; the last one holds for every frame.

    ``now`` (nanoseconds since the epoch) decides which schedules are in force.
    """
    own = policy.interface.index if policy.interface is not None else -1
    decided: list[FrameRule] = []
    for rule in _rules(policy.outbound if direction == OUT else policy.inbound):
        reduced = _reduce(rule, direction, own, now)
        if reduced is not None:
            decided.append(reduced)
            if reduced.always:
                return _tidy(decided)
    if announces(policy, direction, FRAME_RARP):
        decided.append(FrameRule(True, Members(frozenset({FRAME_RARP}))))
    decided.append(FrameRule(policy.default <= Verdict.ACCEPT))
    return _tidy(decided)


def decide(rules: Iterable[FrameRule], frame: int, source: bytes, destination: bytes, peer: int) -> bool:
    """Tell whether ``rules`` let a frame through: what the kernel does with them, in Python."""
    return next(rule.accept for rule in rules if rule.holds(frame, source, destination, peer))


def named_frames(policy: InterfacePolicy) -> frozenset[int]:
    """Give the frame types other than IP that a policy's rules name."""
    named: set[int] = set()
    for table in (policy.inbound, policy.outbound):
        for rule in _rules(table):
            if rule.frames is not None and not rule.frames.negated:
                named |= rule.frames.members
    return frozenset(named) - _IP


def _rules(table: RuleTable) -> Iterator[Rule]:
    for block in table.blocks:
        yield from block.rules


def _tidy(rules: list[FrameRule]) -> tuple[FrameRule, ...]:
    """Leave out rules that say what the last one says anyway."""
    *before, last = rules
    while before and before[-1].accept == last.accept:
        before.pop()
    return (*before, last)


def _reduce(rule: Rule, direction: int, own: int, now: int) -> FrameRule | None:
    """Give what a rule says of frames that are not IP; None when it never holds for one."""
    if rule.action == Action.LOG or rule.tcp_flags is not None or rule.icmp is not None:
        return None
    conditions = (rule.protocols, rule.source_ports, rule.destination_ports)
    if any(one is not None and not one.negated for one in conditions):
        return None
    if rule.schedule is not None and not rule.schedule.active(now):
        return None
    frames = _frames(rule.frames)
    if frames is not None and not frames.negated and not frames.values:
        return None
    mine, other = (rule.source, rule.destination) if direction == OUT else (rule.destination, rule.source)
    if not _holds(mine, own) or (other is not None and not other.interfaces and not other.negated):
        return None
    reduced = FrameRule(VERDICTS[rule.action] <= Verdict.ACCEPT, frames)
    if rule.source_macs is not None:
        reduced = replace(reduced, source_macs=Members(rule.source_macs.members, rule.source_macs.negated))
    if rule.destination_macs is not None:
        wanted = Members(rule.destination_macs.members, rule.destination_macs.negated)
        reduced = replace(reduced, destination_macs=wanted)
    if other is not None and other.interfaces:
        reduced = replace(reduced, peer=Members(other.interfaces, other.negated))
    return reduced


def _frames(condition: Values | None) -> Members | None:
    if condition is None:
        return None
    kept = condition.members - _IP
    return None if condition.negated and not kept else Members(kept, condition.negated)


def _holds(endpoint: Endpoint | None, index: int) -> bool:
    return endpoint is None or (index >= 0 and index in endpoint.interfaces) != endpoint.negated


Peers = Mapping[int, frozenset[tuple[str, int]]]  # interface -> its ports: device and VLAN (-1 for none)


def render(rules: tuple[FrameRule, ...], direction: int, peers: Peers, drop: str) -> tuple[str, ...]:
    """Write rules for nft: ``return`` lets a frame through, ``drop`` is the chain for all others."""
    lines: list[str] = []
    for rule in rules:
        verdict = "return" if rule.accept else f"goto {drop}"
        for peer in _peer_texts(rule.peer, direction, peers):
            parts = [
                _members("meta protocol", rule.frames, number_set),
                _members("ether saddr", rule.source_macs, macs),
                _members("ether daddr", rule.destination_macs, macs),
                peer,
                verdict,
            ]
            if None not in parts:
                lines.append(" ".join(part for part in parts if part))
    return tuple(lines)


def _members(what: str, condition: Members | None, write: Callable[[Any], str]) -> str | None:
    """Write a condition; "" when it always holds, None when it never does."""
    if condition is None:
        return ""
    if not condition.values:
        return "" if condition.negated else None
    text = write(condition.values)
    return f"{what} {'!= ' if condition.negated else ''}{text}"


def _peer_texts(condition: Members | None, direction: int, peers: Peers) -> list[str]:
    """Write the condition on the other end's port; frames with and without a tag need a rule each."""
    if condition is None:
        return [""]
    way = "oifname" if direction == OUT else "iifname"
    places = sorted(place for index in condition.values for place in peers.get(int(index), ()))
    plain = ", ".join(f'"{name}"' for name, vlan in places if vlan < 0)
    tagged = ", ".join(f'"{name}" . {vlan}' for name, vlan in places if vlan >= 0)
    if not condition.negated:
        texts = [f"{way} {{ {plain} }}"] if plain else []
        return [*texts, f"{way} . vlan id {{ {tagged} }}"] if tagged else texts
    not_plain = f"{way} != {{ {plain} }}" if plain else ""
    if not tagged:
        return [not_plain]
    return [
        f"ether type != 8021q {not_plain}".strip(),
        f"{way} . vlan id != {{ {tagged} }} {not_plain}".strip(),
    ]


__all__ = ["IN", "OUT", "FrameRule", "Members", "decide", "frame_rules", "named_frames", "render"]
