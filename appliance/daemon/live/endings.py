"""The ends of connections that the kernel judged by itself, told to the engine with what they carried."""

from __future__ import annotations

from appliance.engine.ended import KernelEntry
from appliance.engine.engine import Engine
from appliance.kernel.base import KernelError
from appliance.kernel.conntrack import Endings
from appliance.kernel.ctmessage import Connection, Key
from appliance.model.event import Event
from appliance.model.flow import Flow
from appliance.model.mark import SETTLED

_SECOND = 1_000_000_000
_ZONE_SHIFT = 32  # of ``Flow.place``


class KernelEnds:
    """Listens to the kernel. Should words be lost, flows that the kernel no longer has end without totals."""

    def __init__(self) -> None:
        """Begin to listen.

        Raises:
            KernelError: we may not.
        """
        self._endings = Endings(bits=SETTLED)
        self._compared = 0
        self.told = 0

    def fileno(self) -> int:
        """Give the descriptor that is readable when connections have ended."""
        return self._endings.fileno()

    def look(self, engine: Engine, now: int) -> list[Event]:
        """End the flows of connections that have ended since the last look."""
        events: list[Event] = []
        try:
            for one in self._endings.receive():
                events += engine.kernel_ended(_entry(one), now)
                self.told += 1
            if self._endings.behind and now - self._compared >= 10 * _SECOND:
                self._compared = now
                events += self._compare(engine, now)
        except KernelError:
            return events  # asked again at the next look
        return events

    def _compare(self, engine: Engine, now: int) -> list[Event]:
        """Ask for every settled flow, both ways round, since the kernel may have seen another end begin."""
        flows = [flow for flow in engine.pipeline.table.flows() if flow.kernel & SETTLED]
        gone = self._endings.gone({key for flow in flows for key in _keys(flow)})
        events: list[Event] = []
        for flow in flows:
            if gone.issuperset(_keys(flow)):
                zone = flow.place >> _ZONE_SHIFT
                ends, ports = (flow.client, flow.server), (flow.cport, flow.sport)
                events += engine.kernel_ended(KernelEntry(flow.proto, ends, ports, zone=zone), now)
        return events

    def close(self) -> None:
        """Stop listening."""
        self._endings.close()


def _keys(flow: Flow) -> tuple[Key, Key]:
    zone = flow.place >> _ZONE_SHIFT
    client, server = (flow.client, flow.cport), (flow.server, flow.sport)
    return (zone, flow.proto, *client, *server), (zone, flow.proto, *server, *client)


def _entry(one: Connection) -> KernelEntry:
    return KernelEntry(
        one.proto,
        (one.source, one.destination),
        (one.sport, one.dport),
        (one.sent[0], one.answered[0]),
        (one.sent[1], one.answered[1]),
        one.zone,
    )
