"""Copies of frames for ``eastwall capture``: one datagram a frame to whoever asked, never waited for."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass, field

from appliance.capture.base import Frame
from appliance.model.origin import Origin
from appliance.model.verdict import Decision, Verdict

# time (ns), length on the wire, frames lost since the last one, interface, verdict
HEAD = struct.Struct("!QIIHBx")
MAX_FRAME = 65_600
MAX_TAKINGS = 8


@dataclass(slots=True)
class Taking:
    """One recording: of which machines (by UUID), and where to.

    ``lost`` counts frames that the other end was too slow for, ``told`` how many of them it knows of.
    """

    number: int
    end: socket.socket
    uuids: frozenset[str]
    sent: int = 0
    lost: int = 0
    told: int = 0
    names: dict[str, int] = field(default_factory=dict)


class Takings:
    """All recordings of a worker, :attr:`running` by number; false while there are none."""

    def __init__(self) -> None:
        """Start without any."""
        self.running: dict[int, Taking] = {}  # stays the same object, which the worker looks at
        self._uuids: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything is recorded."""
        return bool(self.running)

    def start(self, number: int, fd: int, uuids: frozenset[str], names: dict[str, int]) -> bool:
        """Begin a recording to the datagram socket ``fd``, which is ours from now on.

        ``names`` numbers interfaces by their label. Tells whether there was room for one more.
        """
        end = socket.socket(fileno=fd)
        if len(self.running) >= MAX_TAKINGS:
            end.close()
            return False
        end.setblocking(False)
        self.running[number] = Taking(number, end, uuids, names=names)
        self._gather()
        return True

    def stop(self, number: int) -> None:
        """End a recording."""
        taking = self.running.pop(number, None)
        if taking is not None:
            taking.end.close()
        self._gather()

    def _gather(self) -> None:
        self._uuids = frozenset().union(*(one.uuids for one in self.running.values()))

    def wants(self, origin: Origin | None) -> bool:
        """Tell whether a frame is of a machine that is recorded."""
        return origin is not None and bool(_machines(origin) & self._uuids)

    def take(self, frame: Frame, decision: Decision) -> None:
        """Send a copy of a frame to every recording that wants it."""
        if frame.origin is None:
            return
        machines = _machines(frame.origin)
        for taking in list(self.running.values()):
            if machines & taking.uuids:
                self._send(taking, frame, decision)

    def _send(self, taking: Taking, frame: Frame, decision: Decision) -> None:
        origin = frame.origin
        one = origin.source or origin.target if origin is not None else None
        number = taking.names.get(one.label, 0) if one is not None else 0
        blocked = decision.verdict > Verdict.ACCEPT
        lost = taking.lost
        head = HEAD.pack(frame.now, frame.wirelen, lost - taking.told, number, blocked)
        try:
            taking.end.send(head + frame.data[:MAX_FRAME])
            taking.sent += 1
            taking.told = lost
        except BlockingIOError:
            taking.lost += 1
        except OSError as error:
            if error.errno in {errno.ENOBUFS, errno.EMSGSIZE}:
                taking.lost += 1
            else:
                self.stop(taking.number)  # whoever asked has gone

    def counts(self) -> dict[int, tuple[int, int]]:
        """Give frames sent and lost, by recording."""
        return {number: (one.sent, one.lost) for number, one in self.running.items()}


def _machines(origin: Origin) -> set[str]:
    return {one.vm.uuid for one in (origin.source, origin.target) if one is not None}
