"""Who wins where two segments overlap with different data: a table by operating system.

Source: J. Novak, S. Sturges, "Target-Based TCP Stream Reassembly" (2007), as far as its rules depend on
how the two segments lie to each other. Nine cases: the new segment begins before, with or after the old one,
and ends before, with or after it.
"""

from __future__ import annotations

from types import MappingProxyType

# Groups of three: begins before, with, after; inside a group: ends before, with, after.
# "n": the new segment's bytes count; "o": the old one's.
_KEEP_OLD = b"ooooooooo"
_TAKE_NEW = b"nnnnnnnnn"
_EARLIER_WINS = b"nnnoooooo"
_EARLIER_OR_LONGER = b"nnnoonooo"
_EARLIER_OR_NEW = b"nnnonnooo"
_NEW_UNLESS_INSIDE = b"onnonnoon"

POLICIES: MappingProxyType[str, bytes] = MappingProxyType(
    {
        "first": _KEEP_OLD,
        "last": _TAKE_NEW,
        "bsd": _EARLIER_WINS,
        "bsd-right": _KEEP_OLD,
        "old-linux": _EARLIER_OR_NEW,
        "linux": _EARLIER_OR_LONGER,
        "old-solaris": _NEW_UNLESS_INSIDE,
        "solaris": _NEW_UNLESS_INSIDE,
        "hpux10": _EARLIER_WINS,
        "hpux11": _NEW_UNLESS_INSIDE,
        "irix": _EARLIER_WINS,
        "macos": _EARLIER_WINS,
        "windows": _EARLIER_WINS,
        "windows2k3": _EARLIER_WINS,
        "vista": _KEEP_OLD,
    }
)

_NEW = ord("n")


def new_wins(rule: bytes, first: int, last: int, old_first: int, old_last: int) -> bool:
    """Tell whether a segment over ``first`` to ``last`` replaces what an older one has in common with it.

    ``rule`` is a value of :data:`POLICIES`; ends are exclusive positions.
    """
    case = 0 if first < old_first else 3 if first == old_first else 6
    case += 0 if last < old_last else 1 if last == old_last else 2
    return rule[case] == _NEW
