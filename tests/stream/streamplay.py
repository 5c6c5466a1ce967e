"""Plays a TCP conversation that is written down like tcpdump's output, and keeps what the tracker says.

A line is ``WHO FLAGS SEQ [ACK] [DATA] [option=value ...]``: ``C`` or ``S`` sends, flags are letters of SFRAPU
(``-`` for none), numbers are relative to the initial sequence numbers, DATA is in quotes. Options: ``win``,
``ws`` (window scale), ``ts=value/echo``, ``urg``, ``opt`` (an option kind), ``at`` (seconds).

    play("C S 0", "S SA 0 1", "C A 1 1", "C PA 1 1 'GET /'", "S A 1 6").data(0) == b"GET /"
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from appliance.config.settings import StreamSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import Reason
from appliance.stream.result import StreamResult
from appliance.stream.tracker import TcpTracker

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
FLAGS = dict(zip("FSRPAUEC", (1, 2, 4, 8, 16, 32, 64, 128), strict=True))
SHAKE = ("C S 0", "S SA 0 1", "C A 1 1")
SECOND = 1_000_000_000


def packet(direction: int, flags: int, seq: int, ack: int = 0, data: bytes = b"", **fields: Any) -> Packet:
    """Make a decoded TCP packet without encoding one."""
    made = Packet(b"\xee" * 40 + data, 1, 0, 1)
    made.proto, made.ip_version, made.direction = 6, 4, direction
    made.src, made.dst = (SERVER, CLIENT) if direction else (CLIENT, SERVER)
    made.sport, made.dport = (80, 1025) if direction else (1025, 80)
    made.tcp_flags, made.seq, made.ack = flags, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    made.payload_off, made.payload_len, made.window, made.tcp_hlen = 40, len(data), 8192, 20
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@dataclass
class Play:
    """A tracker, a flow, and everything that was said."""

    settings: StreamSettings = field(default_factory=StreamSettings)
    isn: tuple[int, int] = (1000, 5000)
    policy: str = ""
    results: list[StreamResult] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    now: int = 1

    def __post_init__(self) -> None:
        self.tracker = TcpTracker(self.settings, lambda _address: self.policy)
        self.flow = Flow(6, CLIENT, SERVER, 1025, 80)

    @property
    def session(self) -> TcpSession:
        assert self.flow.tcp is not None
        return self.flow.tcp

    @property
    def state(self) -> TcpState:
        return TcpState(self.session.state)

    @property
    def last(self) -> StreamResult:
        return self.results[-1]

    @property
    def events(self) -> list[str]:
        return [event for result in self.results for event in result.events]

    @property
    def reasons(self) -> list[Reason]:
        return [result.reason for result in self.results]

    def send(self, made: Packet) -> StreamResult:
        made.now = self.now
        result = self.tracker.handle(made, self.flow, self.now)
        self.results.append(result)
        self.chunks.extend(result.chunks)
        return result

    def line(self, text: str) -> StreamResult:
        return self.send(self.parse(text))

    def parse(self, text: str) -> Packet:
        who, letters, *rest = shlex.split(text)
        direction = "CS".index(who)
        numbers = [word for word in rest if word.lstrip("-").isdigit()]
        options = dict(word.split("=", 1) for word in rest if "=" in word and word.split("=")[0] in OPTIONS)
        words = [w for w in rest if w not in numbers and w.split("=")[0] not in options]
        flags = sum(FLAGS[letter] for letter in letters if letter != "-")
        seq = int(numbers[0]) + self.isn[direction]
        ack = int(numbers[1]) + self.isn[1 - direction] if len(numbers) > 1 else 0
        made = packet(direction, flags, seq, ack, words[0].encode() if words else b"")
        for name, value in options.items():
            OPTIONS[name](self, made, value)
        return made

    def data(self, direction: int) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks if chunk.direction == direction)

    def finish(self) -> list[Chunk]:
        left = self.tracker.finish(self.flow)
        self.chunks.extend(left)
        return left


def _at(play: Play, _made: Packet, value: str) -> None:
    play.now = int(float(value) * SECOND)


def _timestamp(_play: Play, made: Packet, value: str) -> None:
    first, second = value.split("/")
    made.ts_val, made.ts_ecr = int(first), int(second)


OPTIONS = {
    "win": lambda _p, made, value: setattr(made, "window", int(value)),
    "ws": lambda _p, made, value: setattr(made, "wscale", int(value)),
    "urg": lambda _p, made, value: setattr(made, "urgent", int(value)),
    "opt": lambda _p, made, value: setattr(made, "tcp_opts", bytes((int(value),))),
    "ts": _timestamp,
    "at": _at,
}


def play(*lines: str, policy: str = "", isn: tuple[int, int] = (1000, 5000), **settings: Any) -> Play:
    """Play ``lines`` through a tracker with these settings."""
    scene = Play(StreamSettings(**settings), isn, policy)
    for text in lines:
        scene.line(text)
    return scene
