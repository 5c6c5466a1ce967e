"""Verdicts on their way to the kernel: collected, and sent as few messages.

A verdict for a run of packets is one message ("all up to this number"). That is right only while nothing
else is left below that number: neither a packet that is still being judged, nor one whose message could not
be read.
"""

from __future__ import annotations

import struct

from appliance.capture.nfqueue import numbers as nl
from appliance.model.mark import BLOCKED
from appliance.model.verdict import ACCEPTED, Decision, Verdict

_PLAIN = struct.Struct(">20s4sII")
_MARKED = struct.Struct(">20s4sII4sI")
_GENERIC = struct.Struct("=IHHIIBB")
_ATTRIBUTE = struct.Struct("=HH")
_VERDICT_HDR = _ATTRIBUTE.pack(12, nl.VERDICT_HDR)
_MARK_HDR = _ATTRIBUTE.pack(8, nl.MARK)
ACCEPT = nl.NF_ACCEPT << 32
DROP = nl.NF_DROP << 32
_ACCEPT, _DROP = ACCEPT, DROP  # declared as C integers beside this file


def prefix(kind: int, size: int, queue: int, flags: int = nl.NLM_F_REQUEST) -> bytes:
    """Give ``struct nlmsghdr`` and ``struct nfgenmsg`` of a message of ``size`` bytes in all."""
    return _GENERIC.pack(size, kind, flags, 0, 0, 0, 0) + queue.to_bytes(2, "big")


def code_of(decision: Decision, mark: int) -> int:
    """Give verdict and mark as one number.

    A drop that the kernel shall remember is an acceptance with the mark of a blocked connection: a rule
    behind the queue saves the mark and drops the packet. A mark on any other drop means nothing.
    """
    if decision is ACCEPTED or mark & BLOCKED or decision.verdict < Verdict.DROP:
        return _ACCEPT | mark
    return _DROP


class Outbox:
    """Verdicts of one queue. ``open`` counts packets that were received and not judged yet.

    Verdicts can be taken while some are open: as runs too, where packets were judged in their order.

    ``fallback`` is what becomes of packets whose message could not be read: ``DROP`` or ``ACCEPT``.
    ``holes`` says that there may be such packets below ``last``, the highest number received.
    """

    __slots__ = ("_codes", "_front", "_heads", "_ids", "fallback", "holes", "last", "open", "queue", "sent")

    def __init__(self, queue: int, fallback: int, adopted: bool = False) -> None:
        """Collect for ``queue``; if ``adopted``, it may hold packets that its last owner left."""
        self.queue: int = queue
        self.fallback: int = fallback
        self.last: int = -1
        self.holes: bool = adopted
        self.open: int = 0
        self.sent: int = 0
        self._front: int = -1  # the number before which all verdicts were taken, where that is known
        self._ids: list[int] = []
        self._codes: list[int] = []
        self._heads: tuple[bytes, ...] = (
            prefix(nl.VERDICT, 32, queue),
            prefix(nl.VERDICT, 40, queue),
            prefix(nl.VERDICT_BATCH, 32, queue),
            prefix(nl.VERDICT_BATCH, 40, queue),
        )

    def received(self, number: int) -> None:
        """Note a packet that will be judged; a number that was left out means a message that was lost."""
        if number != self.last + 1 and self.last >= 0:
            self.holes = True
        if self.open == 0 and not self._ids:
            self._front = number
        self.last = number
        self.open += 1

    def judged(self, number: int, code: int) -> None:
        """Note a verdict: ``ACCEPT`` or ``DROP`` plus the mark to set, 0 to leave the packet's own."""
        self._ids.append(number)
        self._codes.append(code)
        if self.open > 0:
            self.open -= 1

    def __len__(self) -> int:
        """Count verdicts that wait to be sent."""
        return len(self._ids)

    def take(self) -> bytes:
        """Give all that there is to send, as netlink messages in a row, and forget it."""
        ids, codes = self._ids, self._codes
        self.sent += len(ids)
        runs = not self.holes and (self.open == 0 or _follow(ids, self._front))
        if runs and not _rising(ids):
            runs = self._sort()
            ids, codes = self._ids, self._codes
        if ids:
            self._front = ids[-1] + 1 if runs else -1
        out = (
            self._runs(ids, codes) if runs else [self._one(i, c, 0) for i, c in zip(ids, codes, strict=True)]
        )
        if self.holes and self.open == 0 and self.last >= 0:
            out.append(self._one(self.last, self.fallback, 2))
            self.holes = False
        self._ids, self._codes = [], []
        return b"".join(out)

    def _sort(self) -> bool:
        """Bring the verdicts into the packets' order; False where numbers started again from 0."""
        pairs = sorted(zip(self._ids, self._codes, strict=True))
        self._ids = [pair[0] for pair in pairs]
        self._codes = [pair[1] for pair in pairs]
        return bool(pairs) and pairs[-1][0] - pairs[0][0] < 1 << 31

    def _runs(self, ids: list[int], codes: list[int]) -> list[bytes]:
        out = []
        count = len(ids)
        first = 0
        while first < count:
            code = codes[first]
            after = first + 1
            while after < count:
                following = codes[after]
                if following != code:
                    break
                after += 1
            out.append(self._one(ids[after - 1], code, 2 if after - first > 1 else 0))
            first = after
        return out

    def _one(self, number: int, code: int, kind: int) -> bytes:
        """Encode one message: ``kind`` 0 is for this packet, 2 for all up to it."""
        mark = code & 0xFFFFFFFF
        if mark:
            return _MARKED.pack(self._heads[kind + 1], _VERDICT_HDR, code >> 32, number, _MARK_HDR, mark)
        return _PLAIN.pack(self._heads[kind], _VERDICT_HDR, code >> 32, number)


def _follow(ids: list[int], front: int) -> bool:
    """Tell whether these are the numbers from ``front`` on, none left out."""
    if front < 0:
        return False
    for number in ids:
        if number != front:
            return False
        front += 1
    return True


def _rising(ids: list[int]) -> bool:
    last = -1
    for number in ids:
        if number <= last:
            return False
        last = number
    return True
