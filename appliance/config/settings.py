"""Frozen settings that the core reads. Loaders in this package make them from files and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """Bounds and choices of packet decoding.

    Ports are of UDP: for VXLAN the destination, for the others either end.
    Teredo without ports is tried on all.
    """

    max_depth: int = 8
    vxlan_ports: tuple[int, ...] = (4789,)
    geneve_ports: tuple[int, ...] = (6081,)
    teredo_ports: tuple[int, ...] = (3544,)
    teredo: bool = True
    erspan1: bool = True  # ERSPAN type I, which has no header of its own
    vntag: bool = False
    checksums: str = "auto"  # "all", "none", "mark" (for rules only) or "auto" (unless offloaded)


@dataclass(frozen=True, slots=True)
class DefragSettings:
    """Bounds of IP reassembly. ``policy`` is an OS name of host-os-policy."""

    max_datagrams: int = 16_384
    max_fragments: int = 1024  # pieces of one datagram
    max_bytes: int = 32 << 20
    timeout: int = 60 * SECOND
    host_timeouts: tuple[tuple[str, int], ...] = ()  # (CIDR of the destination, ns), longest wins
    vlan_in_key: bool = True
    memcap_policy: str = "ignore"  # ignore, drop-packet, pass-packet, reject
    # What becomes of fragments, of which only the whole datagram is judged: "drop" where somebody before the
    # engine puts datagrams together, so that a fragment is one that was not.
    unjudged: str = "accept"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Nanoseconds without a packet after which a flow ends, by state."""

    new: int
    established: int
    closed: int = 0
    bypassed: int = 100 * SECOND


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Bounds and timeouts of the flow table."""

    max_flows: int = 262_144
    tcp: Timeouts = Timeouts(60 * SECOND, 600 * SECOND, 60 * SECOND)
    udp: Timeouts = Timeouts(30 * SECOND, 300 * SECOND)
    icmp: Timeouts = Timeouts(30 * SECOND, 300 * SECOND)
    other: Timeouts = Timeouts(30 * SECOND, 300 * SECOND)
    settled: int = 432_000 * SECOND  # of flows that the kernel judges by itself, unless it tells their end
    vlan_in_key: bool = True
    depth_in_key: bool = True  # tunnelled packets have flows of their own
    memcap_policy: str = "ignore"  # ignore, drop-packet, pass-packet, reject
    max_expectations: int = 4096
    protect: int = 10 * SECOND  # established flows idle for less are not evicted for others


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """TCP tracking and reassembly.

    Policies are exception policies: ignore, drop-flow, pass-flow, bypass, drop-packet, pass-packet, reject.
    """

    inline: bool = False
    midstream: bool = False
    async_oneside: bool = False
    depth: int = 1 << 20  # bytes of each direction; 0 is no limit
    max_segments: int = 1024  # out-of-order pieces held for one direction
    max_held: int = 1 << 20  # out-of-order bytes held for one direction
    max_total: int = 256 << 20  # bytes held for all connections together
    max_sessions: int = 1 << 20
    max_syns: int = 10  # different SYNs that compete in one connection
    max_synacks: int = 5
    drop_invalid: bool = True
    strict: bool = True
    bare_acks: bool = True  # False where the datapath passes ACKs without data by themselves
    bypass_after_depth: bool = False
    urgent: str = "oob"  # "oob", "inline", "drop", "gap"
    midstream_policy: str = "ignore"
    reassembly_policy: str = "ignore"
    memcap_policy: str = "ignore"
    overlap_policy: str = "bsd"  # for hosts that nothing else names


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """Rule evaluation: bounds, files that rules refer to, variables."""

    packet_alert_max: int = 15
    pcre_match_limit: int = 3500
    pcre_depth_limit: int = 1500
    window: int = 4096  # bytes of stream kept before new data, for matches that span pieces
    tx_per_packet: int = 256  # transactions looked at in one packet
    guess_tx: bool = False  # alerts of rules on streams name the transaction that they are likely about
    guess_limit: int = 4  # such alerts of one transaction
    action_order: tuple[str, ...] = ("pass", "drop", "reject", "alert")
    address_vars: tuple[tuple[str, str], ...] = (("HOME_NET", "any"), ("EXTERNAL_NET", "any"))
    port_vars: tuple[tuple[str, str], ...] = ()
    threshold_file: str = ""
    classification_file: str = ""
    reference_file: str = ""
    rule_dir: str = ""  # where files named by rules are looked up
    rule_files: tuple[str, ...] = ()  # rule files to load when the command line names none
    reputation_files: tuple[str, ...] = ()
    reputation_categories: str = ""
    reputation_dir: str = ""
    geoip_database: str = ""
    data_dir: str = ""
    datasets: Any = None  # mapping of dataset name to its declaration


@dataclass(frozen=True, slots=True)
class AppSettings:
    """Application layer. ``protocols`` maps a protocol name to its options as plain values."""

    enabled: frozenset[str] = frozenset()  # switched on though off by default
    disabled: frozenset[str] = frozenset()
    protocols: dict[str, dict[str, Any]] = field(default_factory=dict)
    error_policy: str = "ignore"  # exception policy for flows whose parser gave up
    probe_limit: int = 4096  # bytes looked at before detection gives up
    max_transactions: int = 1024  # live in one flow
    file_limit: int = 100 << 10  # bytes of a file that rules see
    force_hashes: frozenset[str] = frozenset()  # "md5", "sha1", "sha256"
    force_magic: bool = False
    frames: frozenset[str] = frozenset()  # names of frames that rules inspect
    detection_only: frozenset[str] = frozenset()  # recognised, not parsed
    # What is put in when the engine is made: a function that names a content type from the first bytes of a
    # file, and the room where bytes of files wait to be stored (a ``protocols.spool.Spool``).
    magic: Callable[[bytes], str] | None = None
    spool: Any = None

    def options(self, protocol: str) -> dict[str, Any]:
        """Give the options of one protocol; an empty mapping when nothing is set."""
        return self.protocols.get(protocol, {})


@dataclass(frozen=True, slots=True)
class FileStoreSettings:
    """Keeping the files that pass: those that rules with ``filestore`` choose, or all."""

    enabled: bool = False
    folder: str = "filestore"  # below the folder of the records unless it is absolute
    everything: bool = False  # every file, without a rule that asks for it
    stream_depth: int = (
        -1
    )  # bytes of a stream that may hold a file, where more than the streams' depth; 0: all
    write_fileinfo: bool = False  # a record beside each file
    max_open: int = 1000  # files written to at the same time


@dataclass(frozen=True, slots=True)
class FirewallSettings:
    """Bounds of scan detection, which are shared by all interfaces."""

    max_scan_sources: int = 8192
    max_scan_blocks: int = 8192
    notice_interval: int = 60 * SECOND  # the same scan is reported once in this time


@dataclass(frozen=True, slots=True)
class OverloadSettings:
    """What inspection gives up first when packets come too fast.

    ``bypass`` names applications, and "bulk" for flows that have carried more than ``bulk`` bytes: they pass
    uninspected from then on, unless the policy of an end has ``on_overload: drop``. What was given up is
    reported once in ``notice_interval``.
    """

    bypass: tuple[str, ...] = ("bulk", "tls", "quic", "ssh")
    bulk: int = 8 << 20
    notice_interval: int = 10 * SECOND


@dataclass(frozen=True, slots=True)
class EveOutput:
    """One EVE file: which records, and options by record kind."""

    filename: str = "eve.json"
    types: frozenset[str] = frozenset()
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    community_id: bool = False
    community_seed: int = 0
    ethernet: bool = False
    metadata: bool = True
    pcap_file: bool = False
    suricata_version: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the engine is made from, besides policies, inventory and rules."""

    mode: str = "detect"  # or "prevent"
    decode: DecodeSettings = DecodeSettings()
    defrag: DefragSettings = DefragSettings()
    flow: FlowSettings = FlowSettings()
    stream: StreamSettings = StreamSettings()
    detect: DetectSettings = DetectSettings()
    app: AppSettings = field(default_factory=AppSettings)
    firewall: FirewallSettings = FirewallSettings()
    overload: OverloadSettings = OverloadSettings()
    file_store: FileStoreSettings = FileStoreSettings()
    eve: tuple[EveOutput, ...] = ()
    host_os: tuple[tuple[str, str], ...] = (("0.0.0.0/0", "windows"),)  # (CIDR, OS), longest wins
    unused: tuple[str, ...] = ()  # keys of a foreign configuration that have no meaning here

    @property
    def prevent(self) -> bool:
        """Tell whether verdicts are carried out."""
        return self.mode == "prevent"
