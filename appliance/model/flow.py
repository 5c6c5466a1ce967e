"""The record of one connection (or pseudo-connection): a plain value that layers above fill in."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.model.app import AppState
    from appliance.model.identity import VmInterface
    from appliance.model.tcp import TcpSession


class FlowState(IntEnum):
    """State shared by all protocols; TCP's own is in :class:`TcpSession`."""

    NEW = 0
    ESTABLISHED = 1
    CLOSED = 2
    BYPASSED = 3


# Flow.flags
F_DROPPED = 1  # every later packet of the flow is dropped
F_PASSED = 2  # a pass rule ended inspection
F_NO_PACKET_INSPECT = 4
F_NO_PAYLOAD_INSPECT = 8
F_ALERTED = 16
F_EVICTED = 32  # left the table before its time
F_BYPASS = 64
F_MIDSTREAM = 128
F_REJECTED = 256
F_IPONLY_TS = 512  # ip-only rules have run to-server / to-client
F_IPONLY_TC = 1024
F_FROZEN = 2048  # judged by policy: payload is not inspected
F_EXCEPTION = 4096  # an exception policy decided this flow
F_SWAPPED = 8192  # client and server changed places after the first packet
F_KNOWN = 16384  # packets passed before the first that was seen here: the kernel, or another host, knew it
F_WATCHED = 65536  # rules look at its bytes: nothing of it is settled before the depth, see engine.settle
F_ADOPTED = 131072  # came from another host, and none of its packets was seen by this engine yet
F_MISSED = 32768  # packets of it passed uninspected, for want of time


class Flow:
    """Two ends, what passed between them, and what was decided.

    ``client`` sent the first packet seen (unless it was recognised as the server's). Times are
    nanoseconds since the epoch, byte counters are of whole frames. Direction 0 is to-server.
    ``bits`` and ``ints`` hold flowbits and flowints, ``vars`` what expressions captured and rules computed;
    ``detect`` belongs to the detection layer, ``judged`` to the firewall. They are None until used, since
    most flows need none.
    """

    __slots__ = (
        "action_by",
        "app",
        "app_proto",
        "bits",
        "bytes_tc",
        "bytes_ts",
        "client",
        "client_if",
        "cport",
        "depth",
        "detect",
        "end_reason",
        "epoch",
        "ether_client",
        "ether_server",
        "exception",
        "first",
        "flags",
        "id",
        "ints",
        "ip_version",
        "judged",
        "kernel",
        "key",
        "last",
        "newer",
        "older",
        "parent",
        "pkts_tc",
        "place",
        "ttl_max_tc",
        "ttl_max_ts",
        "ttl_min_tc",
        "ttl_min_ts",
        "pkts_ts",
        "proto",
        "queue",
        "reason",
        "server",
        "server_if",
        "spi",
        "sport",
        "state",
        "tcp",
        "tenant",
        "timeout",
        "tx_id",
        "vars",
        "vlans",
        "icmp_type",
        "icmp_code",
        "first_number",
        "generation",
    )

    def __init__(self, proto: int, client: bytes, server: bytes, cport: int, sport: int) -> None:
        """Make the record of a flow whose first packet goes from ``client`` to ``server``."""
        self.begin(proto, client, server, cport, sport)

    def begin(self, proto: int, client: bytes, server: bytes, cport: int, sport: int) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.id: int = 0
        self.key: Any = None
        self.proto: int = proto
        self.ip_version: int = 4 if len(client) == 4 else 6
        self.client: bytes = client
        self.server: bytes = server
        self.cport: int = cport
        self.sport: int = sport
        self.icmp_type: int = 0
        self.icmp_code: int = 0
        self.spi: int = 0  # security parameters index of ESP
        self.vlans: tuple[int, ...] = ()
        self.tenant: int = 0
        self.depth: int = 0
        self.place: int = 0  # see Packet.place
        self.first: int = 0
        self.last: int = 0
        self.first_number: int = 0
        self.timeout: int = 0
        self.pkts_ts: int = 0
        self.pkts_tc: int = 0
        self.bytes_ts: int = 0
        self.bytes_tc: int = 0
        # Smallest and largest TTL or hop limit of each direction; 255 and 0 before its first packet.
        self.ttl_min_ts: int = 255
        self.ttl_max_ts: int = 0
        self.ttl_min_tc: int = 255
        self.ttl_max_tc: int = 0
        self.state: int = 0  # FlowState.NEW, whose look-up in the class is slow
        self.flags: int = 0
        self.tcp: TcpSession | None = None
        self.app: AppState | None = None
        self.app_proto: str = ""
        self.client_if: VmInterface | None = None
        self.server_if: VmInterface | None = None
        self.ether_client: bytes = b""
        self.ether_server: bytes = b""
        self.parent: Flow | None = None
        self.epoch: int = -1
        self.kernel: int = 0  # what the kernel was told to remember, see engine.settle; 0 is nothing
        self.generation: int = 0  # of policies, inventory and rules that its last packet was judged under
        self.judged: Any = None
        self.bits: set[str] | None = None
        self.ints: dict[str, int] | None = None
        self.vars: dict[str, Any] | None = None
        self.detect: Any = None
        self.reason: str = ""
        self.action_by: str = ""
        self.exception: str = ""
        self.end_reason: str = ""
        self.tx_id: int = 0
        self.queue: int = -1
        self.newer: Flow | None = None
        self.older: Flow | None = None
