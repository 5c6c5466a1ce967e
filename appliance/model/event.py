"""What the engine reports: values that sinks turn into records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from appliance.model.app import FileObject, Transaction
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.model.verdict import Decision

# Kind of an application record -> name of the type that switches it on, where they differ.
TYPE_OF_KIND = {"bittorrent_dht": "bittorrent-dht", "ftp_data": "ftp", "ftp-data": "ftp"}


@dataclass(slots=True)
class AlertEvent:
    """A rule matched: ``rule`` is a ``rulelang.tree.Rule``, ``action`` is "allowed" or "blocked"."""

    now: int
    packet: Packet
    flow: Flow | None
    rule: Any
    action: str
    tx: Transaction | None = None
    direction: int = 0
    files: tuple[FileObject, ...] = ()
    context: dict[str, Any] = field(default_factory=dict)
    source: str = ""  # "stream", "tx", "packet", "frame"


@dataclass(slots=True)
class DropEvent:
    """A packet was not let through."""

    now: int
    packet: Packet
    flow: Flow | None
    decision: Decision
    rule: Any = None


@dataclass(slots=True)
class AnomalyEvent:
    """Something is malformed; ``kind``: "decode", "stream", "applayer"; ``name``: Suricata's event name."""

    now: int
    kind: str
    name: str
    packet: Packet | None
    flow: Flow | None
    tx: Transaction | None = None
    app_proto: str = ""
    layer: str = ""  # for applayer: "proto_parser", "proto_detect"


@dataclass(slots=True)
class AppEvent:
    """A finished transaction to be logged as ``kind`` ("http", "dns")."""

    now: int
    kind: str
    flow: Flow
    tx: Transaction
    packet: Packet | None = None
    direction: int = 0
    body: dict[str, Any] | None = None


@dataclass(slots=True)
class FileEvent:
    """A file was closed or cut short."""

    now: int
    flow: Flow
    tx: Transaction
    file: FileObject
    app_proto: str
    packet: Packet | None = None


@dataclass(slots=True)
class FileDataEvent:
    """The next bytes of a file that is to be stored; ``last`` when no more will come.

    A file that is not to be stored after all, since bytes were lost, has ``file.store`` False at its end.
    """

    now: int
    file: FileObject
    data: bytes
    last: bool


@dataclass(slots=True)
class FrameEvent:
    """A frame is complete, or its stream has ended. ``frame`` describes it, as in the context of alerts."""

    now: int
    packet: Packet
    flow: Flow
    app_proto: str
    frame: dict[str, Any]


@dataclass(slots=True)
class FlowEvent:
    """A flow ended. ``reason`` is "timeout", "shutdown", "forced"."""

    now: int
    flow: Flow
    reason: str


@dataclass(slots=True)
class PacketEvent:
    """A packet that an earlier alert with ``tag`` wants recorded."""

    now: int
    packet: Packet
    flow: Flow | None


@dataclass(slots=True)
class ArpEvent:
    """An ARP message of Ethernet and IPv4."""

    now: int
    packet: Packet


@dataclass(slots=True)
class StatsEvent:
    """Counters by dotted name: ``decoder.pkts``, ``flow.tcp``."""

    now: int
    counters: dict[str, int]


@dataclass(slots=True)
class NoticeEvent:
    """Something to know about the protection itself: a spoofed address, a scan, a VM protected."""

    now: int
    name: str
    packet: Packet | None
    details: dict[str, Any] = field(default_factory=dict)


Event = (
    AlertEvent
    | ArpEvent
    | DropEvent
    | AnomalyEvent
    | AppEvent
    | FileEvent
    | FileDataEvent
    | FrameEvent
    | FlowEvent
    | StatsEvent
    | NoticeEvent
    | PacketEvent
)
