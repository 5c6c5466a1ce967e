"""Which bytes win where fragments of one datagram overlap: it depends on the receiver's system.

Sources: U. Shankar and V. Paxson, "Active Mapping: Resisting NIDS Evasion Without Altering
Traffic" (2003); J. Novak, "Target-Based Fragmentation Reassembly" (2005).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

# (start of the new fragment, its end, start of the piece held, its end): whether the held bytes stay.
Keeps = Callable[[int, int, int, int], bool]


def _bsd(start: int, end: int, held_start: int, held_end: int) -> bool:  # noqa: ARG001
    """Held bytes stay unless the new fragment begins before them."""
    return start >= held_start


def _bsd_right(start: int, end: int, held_start: int, held_end: int) -> bool:  # noqa: ARG001
    """New bytes win unless the fragment begins before the held ones."""
    return start < held_start


def _linux(start: int, end: int, held_start: int, held_end: int) -> bool:  # noqa: ARG001
    """As BSD, but a new fragment that begins at the same place wins too."""
    return start > held_start


def _first(start: int, end: int, held_start: int, held_end: int) -> bool:  # noqa: ARG001
    return True


def _last(start: int, end: int, held_start: int, held_end: int) -> bool:  # noqa: ARG001
    return False


def _solaris(start: int, end: int, held_start: int, held_end: int) -> bool:
    """Held bytes stay unless the new fragment begins before and reaches at least as far."""
    return not (start < held_start and end >= held_end)


def _windows(start: int, end: int, held_start: int, held_end: int) -> bool:
    """Held bytes stay unless the new fragment reaches beyond them at both ends."""
    return not (start < held_start and end > held_end)


# Policy by the names of host-os-policy.
POLICIES: dict[str, Keeps] = {
    "bsd": _bsd,
    "bsd-right": _bsd_right,
    "old-linux": _linux,
    "linux": _linux,
    "old-solaris": _first,
    "solaris": _solaris,
    "hpux10": _bsd,
    "hpux11": _first,
    "irix": _bsd,
    "macos": _first,
    "windows": _windows,
    "vista": _windows,
    "windows2k3": _windows,
    "first": _first,
    "last": _last,
}


def policy(os: str) -> Keeps:
    """Give the policy of a host-os-policy name; BSD's for a name that is not known."""
    return POLICIES.get(os, _bsd)


class Pieces:
    """Bytes of a datagram received so far: sorted pieces that do not overlap any more.

    ``held`` is the sum of their lengths. A piece that lost its head to another counts, for later
    fragments, as beginning where its rest begins: that is what receivers do.
    """

    __slots__ = ("data", "held", "starts")

    def __init__(self) -> None:
        """Start with nothing."""
        self.starts: list[int] = []
        self.data: list[bytes] = []
        self.held: int = 0

    @property
    def end(self) -> int:
        """Where the last piece ends; 0 without pieces."""
        return self.starts[-1] + len(self.data[-1]) if self.starts else 0

    @property
    def whole(self) -> bool:
        """Whether the pieces follow each other from 0 without a hole."""
        return bool(self.starts) and self.starts[0] == 0 and self.held == self.end

    def join(self) -> bytes:
        """Give the bytes of all pieces, one behind the other."""
        return b"".join(self.data)

    def insert(self, start: int, data: bytes, keeps: Keeps) -> bool:
        """Add the ``data`` of a fragment, which is not empty; tells whether it overlapped a piece."""
        end = start + len(data)
        first = bisect_right(self.starts, start)
        if first and self.starts[first - 1] + len(self.data[first - 1]) > start:
            first -= 1
        after = first
        while after < len(self.starts) and self.starts[after] < end:
            after += 1
        if first == after:
            self.starts.insert(first, start)
            self.data.insert(first, data)
            self.held += len(data)
            return False
        self._merge(first, after, start, data, keeps)
        return True

    def _merge(self, first: int, after: int, start: int, data: bytes, keeps: Keeps) -> None:
        """Settle a fragment with the pieces ``first`` to ``after``, all of which it overlaps."""
        end = start + len(data)
        merged: list[tuple[int, bytes]] = []
        rest: tuple[int, bytes] | None = None
        reached = start
        for index in range(first, after):
            held_start, held = self.starts[index], self.data[index]
            held_end = held_start + len(held)
            self.held -= len(held)
            if keeps(start, end, held_start, held_end):
                if reached < held_start:
                    merged.append((reached, data[reached - start : held_start - start]))
                merged.append((held_start, held))
                reached = max(reached, held_end)
                continue
            if held_start < start:
                merged.append((held_start, held[: start - held_start]))
            if held_end > end:
                rest = (end, held[end - held_start :])
        if reached < end:
            merged.append((reached, data[reached - start :]))
        if rest is not None:
            merged.append(rest)
        self.starts[first:after] = [piece[0] for piece in merged]
        self.data[first:after] = [piece[1] for piece in merged]
        self.held += sum([len(piece[1]) for piece in merged])
