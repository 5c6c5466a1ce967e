"""Runs a capture through decoder, flow table and tracker, and keeps what the tracker says of each packet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.capture.pcap import PcapSource
from appliance.config.settings import DecodeSettings, FlowSettings, StreamSettings
from appliance.decode.decoder import Decoder
from appliance.flow.table import FlowTable
from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP
from appliance.model.verdict import Reason
from appliance.stream.tracker import TcpTracker


@dataclass
class Replay:
    """Events as (packet number, name), data by (flow, direction), reasons by packet number."""

    events: list[tuple[int, str]] = field(default_factory=list)
    chunks: list[tuple[int, int, int, bytes, int]] = field(default_factory=list)
    reasons: dict[int, Reason] = field(default_factory=dict)
    exceptions: list[tuple[int, str]] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    swaps: int = 0

    def data(self, direction: int) -> bytes:
        return b"".join(data for _, _, d, data, _ in self.chunks if d == direction)

    def names(self) -> set[str]:
        return {name for _, name in self.events}


def replay(path: Path, policy: str = "windows", **settings: Any) -> Replay:
    """Replay ``path``; checksums are not looked at."""
    seen = Replay()
    tracker = TcpTracker(StreamSettings(**settings), lambda _address: policy)
    table = FlowTable(FlowSettings())
    decoder = Decoder(DecodeSettings())
    for number, frame in enumerate(PcapSource([str(path)]), 1):
        packet = decoder.decode(frame.data, frame.linktype, frame.now, number)
        while packet is not None:
            if packet.proto == PROTO_TCP and packet.tcp_hlen and not packet.is_fragment():
                _one(seen, tracker, table, packet, number)
            packet = packet.inner
    for flow in table.flush():
        _end(seen, tracker, flow)
    assert tracker.sessions == 0
    assert tracker.streams.memory.total == 0
    return seen


def _one(seen, tracker, table, packet, number):
    now = packet.now
    flow = table.lookup(packet, now) or table.create(packet, now)
    result = tracker.handle(packet, flow, now)
    if result.reused:
        tracker.finish(flow)
        flow = table.reopen(flow, packet, now)
        result = tracker.handle(packet, flow, now)
        assert not result.reused
    if result.swap:
        seen.swaps += 1
        table.swap(flow)
    table.retime(flow)
    if flow not in seen.flows:
        seen.flows.append(flow)
    seen.events += [(number, name) for name in result.events]
    seen.chunks += [(number, flow.id, c.direction, c.data, c.gap) for c in result.chunks]
    if result.reason is not Reason.NONE:
        seen.reasons[number] = result.reason
    if result.exception:
        seen.exceptions.append((number, result.exception))


def _end(seen, tracker, flow):
    seen.chunks += [(0, flow.id, c.direction, c.data, c.gap) for c in tracker.finish(flow)]
