"""Which literal of a rule makes it a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.buffers import PACKET_BUFFERS
from appliance.detect.signature import FastPattern, Kind, Signature
from appliance.detect.txtests import BufferTest, ValueTest
from appliance.rulelang import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.build import Segment

# Longer literals are cut: nothing is gained, and the database grows.
LONGEST = 64
# Shorter ones cost more in the scan than the candidates they spare.
SHORTEST = 2
# Buffers whose values are few and common.
_COMMON = frozenset(
    ("http.method", "http.protocol", "http.stat_code", "http.stat_msg", "http.accept", "http.connection",
     "http.content_type", "http.accept_enc", "http.accept_lang", "file.magic", "http.header_names")
)  # fmt: skip


def choose(signature: Signature, segments: Sequence[Segment]) -> None:
    """Set the fast pattern: the one the rule asks for, else the longest and most varied."""
    if signature.kind is Kind.FRAME:
        return  # found by the name of the frame
    best: FastPattern | None = None
    best_score = -1
    for segment in segments:
        if segment.absent is not None or segment.name == "base64_data":
            continue
        for node in segment.nodes:
            if not isinstance(node, tree.Content) or node.negated:
                continue
            pattern = _literal(node)
            score = _score(node, pattern, segment.name, signature)
            if pattern and score > best_score:
                place = _place(segment, pattern, node.nocase, signature)
                if place is not None:
                    best, best_score = place, score
    if best is None and signature.kind is Kind.APP and _lasting(signature):
        best = _expression(signature, segments)
    signature.fast = best


def _expression(signature: Signature, segments: Sequence[Segment]) -> FastPattern | None:
    """Find a rule without a literal by a regular expression that has to match somewhere in a buffer."""
    best: tree.Pcre | None = None
    found: FastPattern | None = None
    for segment in segments:
        if segment.absent is not None or not segment.name or segment.name in {*PACKET_BUFFERS, "base64_data"}:
            continue
        for node in segment.nodes:
            if not isinstance(node, tree.Pcre) or not _searchable(node):
                continue
            if best is not None and len(node.pattern) <= len(best.pattern):
                continue
            place = _place(segment, node.pattern, False, signature)
            if place is not None:
                best, found = node, place
    if best is not None and found is not None:
        found.regex = "".join(flag for flag in "ims" if flag in best.flags)
    return found


def _lasting(signature: Signature) -> bool:
    """Tell whether what one test has seen is still there when another finds the rule: not so the payload."""
    for test in signature.tx_tests:
        if not isinstance(test, BufferTest | ValueTest):
            return False
    growing = [t for t in signature.tx_tests if isinstance(t, BufferTest) and _grows(t)]
    return not growing or len(signature.tx_tests) == 1


def _grows(test: BufferTest) -> bool:
    """Tell whether the buffer is looked at before it is complete."""
    return any(spec.growing for spec in test.key.specs.values())


def _searchable(node: tree.Pcre) -> bool:
    """Tell whether the expression has to match, anywhere in the buffer, and is written as others are."""
    return not (node.negated or node.relative or "x" in node.flags or node.pattern.startswith(b"(*"))


def _literal(node: tree.Content) -> bytes:
    """Give the part of the content that is searched for."""
    pattern = node.pattern
    if node.fast_pattern_chop is not None:
        offset, length = node.fast_pattern_chop
        pattern = pattern[offset : offset + length]
    return pattern[:LONGEST]


def _score(node: tree.Content, pattern: bytes, buffer: str, signature: Signature) -> int:
    """Rate a literal; negative is of no use."""
    if signature.kind is Kind.APP and (not buffer or buffer in PACKET_BUFFERS):
        return -1
    if node.fast_pattern or node.fast_pattern_only or node.fast_pattern_chop is not None:
        return 1000 if len(pattern) >= SHORTEST else -1
    if len(pattern) < SHORTEST:
        return -1
    score = 2 * len(pattern) + len(set(pattern))
    if buffer in _COMMON:
        return score // 4
    return score + 8 if buffer else score


def _place(segment: Segment, pattern: bytes, nocase: bool, signature: Signature) -> FastPattern | None:
    """Note where the literal is looked for; None when that place is not scanned."""
    if not segment.name:
        return FastPattern("payload", -1, pattern, nocase)
    if segment.name in PACKET_BUFFERS:
        if segment.transforms:
            return None
        return FastPattern(f"packet:{segment.name}", -1, pattern, nocase)
    for test in signature.tx_tests:
        key: Any = getattr(test, "key", None)
        if key is not None and key.name == segment.name and _same(key.label, segment):
            return FastPattern("tx", key.number, pattern, nocase)
    return None


def _same(label: str, segment: Segment) -> bool:
    """Tell whether a key is that of the segment."""
    return label == "|".join((segment.name, *(f"{n}:{a}" for n, a in segment.transforms)))
