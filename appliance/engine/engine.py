"""The engine: frames in, verdicts and events out. The same one inline, on a tap and in replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from appliance.engine import overload
from appliance.engine.counters import count_link
from appliance.engine.ended import KernelEntry, end_entry
from appliance.engine.export import export, forget
from appliance.engine.lifecycle import end_flow
from appliance.engine.pipeline import Pipeline
from appliance.engine.restore import Restorer
from appliance.engine.settle import locate, remember
from appliance.engine.swap import succeed
from appliance.engine.views import list_flows
from appliance.engine.work import Result, Trace, Work
from appliance.model.event import ArpEvent, Event, StatsEvent
from appliance.model.origin import Origin

_ETHERNET = 1
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_TICK = 1_000_000_000  # ns between looks at flows that have timed out
_EXPIRE_LIMIT = 1024  # flows ended in one look, so that no packet waits long
_GENTLY = 64  # the same where packets wait meanwhile: not for more than a millisecond
_AGAIN = 5_000_000  # ns until the next look when there were as many: 12,800 flows a second


class Engine:
    """Processes frames one at a time; reads no clock and opens nothing.

    ``now`` is in nanoseconds since the epoch and may step backwards, as captures do. Frames are
    numbered from 1. The engine never raises, whatever the frame.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Run the given parts; :func:`appliance.engine.build.build_pipeline` makes them."""
        self.pipeline = pipeline
        self.live: bool = False  # packets wait while flows are ended: a few at a time then, and more often
        self._next_tick = 0
        self._last = 0

    def process(
        self,
        frame: bytes,
        linktype: int,
        now: int,
        number: int,
        wirelen: int = -1,
        trace: Trace | None = None,
        origin: Origin | None = None,
    ) -> Result:
        """Judge one frame, with every packet inside it; the strictest verdict is the frame's.

        Args:
            frame: the bytes from the link layer's header on.
            linktype: what that header is, as captures number it; 1 is Ethernet.
            now: ns since the epoch.
            number: of the frame, from 1.
            wirelen: its length on the wire, -1 for what ``frame`` holds.
            trace: takes down what each stage decided.
            origin: where the frame was, when the source knows. Interfaces are then those behind its ports,
                and ``Result.mark`` says what the kernel may do by itself from here on.
        """
        events: list[Event] = []
        if now >= self._next_tick:
            events.extend(self.tick(now))
        self._last = now
        pipe = self.pipeline
        packet = pipe.decoder.decode(frame, linktype, now, number, wirelen)
        pipe.counters.frame(packet)
        if linktype != _ETHERNET or packet.ethertype not in (_IPV4, _IPV6, _ARP):
            count_link(pipe.counters, packet)
        if packet.arp_op > 0:
            events.append(ArpEvent(now, packet))
        work = Work.__new__(Work)
        work.begin(packet, now, events, trace)
        if origin is not None:
            locate(packet, origin)
            work.origin = origin
        pipe.run(work)
        pipe.run_inside(work)
        pipe.counters.verdict(work.decision)
        if pipe.registry is not None:
            pipe.traffic.count(packet, work.decision)
        result = Result.__new__(Result)
        result.begin(packet, work.flow, work.decision, events)
        if origin is not None:
            result.mark = remember(pipe, work)
        return result

    def kernel_ended(self, entry: KernelEntry, now: int) -> list[Event]:
        """End the flow of a connection that the kernel knows no more, with the totals that it counted.

        Limits get back what the connection took. Call it for every connection that ends and was settled.
        """
        return end_entry(self.pipeline, entry, now)

    def swap(self, pipeline: Pipeline) -> None:
        """Put other policies, inventory, rules or settings in force, from the next packet on.

        ``pipeline`` is one that :func:`appliance.engine.build.build_pipeline` has made anew of everything,
        changed or not. Flows, streams, parsers, bits, thresholds of rules that are still there, counts and
        blocks go on. Other policies get a higher epoch: every flow is judged again at its next packet,
        so what the kernel remembers has to be forgotten too.
        """
        succeed(pipeline, self.pipeline)
        self.pipeline = pipeline

    def export(self, interface: tuple[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Give the state as data, slice by slice, so that no packet waits long: see :mod:`.export`.

        ``interface`` (UUID of the VM, name) restricts it to what belongs to one interface, which moves.
        """
        return export(self.pipeline, interface)

    def restore(
        self,
        slices: Iterable[object],
        now: int,
        zone: int | None = None,
        here: frozenset[tuple[str, str]] | None = None,
    ) -> dict[str, int]:
        """Take in what another engine has exported; gives how many of each kind, and how many were refused.

        ``zone`` is the number of the network segment here, where that differs; ``here`` names the interfaces
        of this host where a machine has moved to it. Slices can be taken one at a time by a
        :class:`.restore.Restorer`.
        """
        taking = Restorer(self.pipeline, zone, here)
        for data in slices:
            taking.take(data, now)
        return taking.counts

    def forget(self, interface: tuple[str, str], here: frozenset[tuple[str, str]]) -> int:
        """Let go of the flows of an interface that has moved to another host; gives how many there were.

        Flows whose other end is among the interfaces ``here`` stay: that end's policy has a say in them. No
        record is written, since a flow ends where its machine is.
        """
        return forget(self.pipeline, interface, here)

    def tick(self, now: int) -> list[Event]:
        """End the flows that have timed out by ``now``; call it once a second or so when idle."""
        self._next_tick = now + _TICK
        events: list[Event] = []
        ended = self.pipeline.table.expire(now, _GENTLY if self.live else _EXPIRE_LIMIT)
        if self.live and len(ended) >= _GENTLY:
            self._next_tick = now + _AGAIN
        for flow in ended:
            end_flow(self.pipeline, flow, now, flow.end_reason or "timeout", events)
        overload.report(self.pipeline, now, events)
        return events

    @property
    def load(self) -> int:
        """How much of inspection is given up: 0 nothing, 1 what the settings name, 2 all of it."""
        return self.pipeline.load

    @load.setter
    def load(self, level: int) -> None:
        self.pipeline.load = level

    def queue_full(self, packets: int) -> None:
        """Note packets that were dropped since the queue was full, for the record of overload."""
        self.pipeline.relief.full += packets

    def finish(self, now: int | None = None) -> list[Event]:
        """End every flow: the capture is over, or the appliance stops."""
        at = self._last if now is None else now
        events: list[Event] = []
        for flow in self.pipeline.table.flush():
            end_flow(self.pipeline, flow, at, flow.end_reason or "shutdown", events)
        events.append(StatsEvent(at, self.counters()))
        return events

    def rule_costs(self, count: int, total: int) -> list[dict[str, Any]]:
        """Give the ``count`` rules that took most time (ns), when the engine was made with a clock.

        ``total`` is the time of the whole run (ns), of which each rule's ``share`` is given.
        """
        detector = self.pipeline.detector
        if detector is None or detector.profile is None:
            return []
        costs = sorted(detector.profile.rules.items(), key=lambda item: -item[1][2])[:count]
        rules = [(detector.ruleset.signatures[index].rule, entry) for index, entry in costs]
        return [
            {"gid": rule.gid, "sid": rule.sid, "msg": rule.msg, "checks": entry[0], "matches": entry[1],
             "ns": entry[2], "share": round(entry[2] / max(total, 1), 4)}
            for rule, entry in rules
        ]  # fmt: skip

    def flows(self, limit: int, interface: tuple[str, str] | None = None) -> list[dict[str, Any]]:
        """Describe live flows, the newest first: at most ``limit``, of one interface if it is named.

        ``interface`` is the VM's UUID and the interface's name, "" for all interfaces of the VM. The keys are
        those of :func:`appliance.engine.views.describe`.
        """
        return list_flows(self.pipeline, limit, interface)

    def interface_counters(self) -> dict[str, dict[str, Any]]:
        """Give packets, bytes and drops by reason of each interface with traffic, by ``<uuid>/<interface>``.

        What the kernel lets pass by itself is added when it tells of the connection's end.
        """
        return self.pipeline.traffic.values()

    def counters(self) -> dict[str, int]:
        """Give all totals by dotted name."""
        found = dict(self.pipeline.counters.values)
        if self.pipeline.detector is not None:
            found |= self.pipeline.detector.counters
        return found
