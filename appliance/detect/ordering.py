"""The order in which rules are evaluated and their matches reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.bits import (
    FlowBitCheck,
    FlowBitEffect,
    FlowIntCheck,
    FlowIntEffect,
    HostBitCheck,
    HostBitEffect,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.signature import Signature

# Links of one chain of flowbits that are followed; longer chains keep their order of writing.
_CHAIN = 16
_REJECTS = frozenset(("reject", "rejectsrc", "rejectdst", "rejectboth"))


def rank(signatures: Sequence[Signature], action_order: Sequence[str]) -> None:
    """Number the signatures: action, then who sets bits before who reads them, then priority."""
    places = {action: place for place, action in enumerate(action_order)}
    depths = _depths(signatures)
    keys = [_key(signature, places, depths) for signature in signatures]
    for place, index in enumerate(sorted(range(len(signatures)), key=keys.__getitem__)):
        signatures[index].rank = place


def action_class(action: str) -> str:
    """Give the class of an action: all kinds of reject are one."""
    return "reject" if action in _REJECTS else action


def _key(signature: Signature, places: dict[str, int], depths: dict[int, int]) -> tuple[int, ...]:
    """Make the key to sort by."""
    action = places.get(action_class(signature.action), len(places))
    return (
        action,
        _use(signature, FlowBitCheck, FlowBitEffect),
        depths.get(signature.index, 0),
        _use(signature, FlowIntCheck, FlowIntEffect),
        _use(signature, HostBitCheck, HostBitEffect),
        signature.rule.priority,
        signature.index,
    )


def _use(signature: Signature, check: type, effect: type) -> int:
    """0 sets, 1 sets and reads, 2 reads, 3 neither."""
    reads = any(isinstance(m, check) for m in signature.matchers)
    sets = any(isinstance(e, effect) for e in signature.effects)
    if sets:
        return 1 if reads else 0
    return 2 if reads else 3


def _depths(signatures: Sequence[Signature]) -> dict[int, int]:
    """For rules that set and read flowbits: how many others have to run before."""
    users = [s for s in signatures if _use(s, FlowBitCheck, FlowBitEffect) == 1]
    setters: dict[str, list[int]] = {}
    for signature in users:
        for name in _names(signature.effects, FlowBitEffect):
            setters.setdefault(name, []).append(signature.index)
    reads = {s.index: _names(s.matchers, FlowBitCheck) for s in users}
    depths = dict.fromkeys(reads, 0)
    for _ in range(_CHAIN):
        before = dict(depths)
        for index, names in reads.items():
            sources = [before[other] for name in names for other in setters.get(name, ()) if other != index]
            depths[index] = min(max(sources, default=-1) + 1, _CHAIN)
        if depths == before:
            break
    return depths


def _names(parts: Sequence[Any], kind: type) -> list[str]:
    """Names of the flowbits that parts of a rule are about."""
    return [name for part in parts if isinstance(part, kind) for name in getattr(part, "names", ())]
