"""What is known of a TCP connection: its state and, for each end, its sequence space."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class TcpState(IntEnum):
    """States as an observer between the ends names them (RFC 9293 section 3.3.2)."""

    NONE = 0
    LISTEN = 1
    SYN_SENT = 2
    SYN_RECV = 3
    ESTABLISHED = 4
    FIN_WAIT1 = 5
    FIN_WAIT2 = 6
    TIME_WAIT = 7
    LAST_ACK = 8
    CLOSE_WAIT = 9
    CLOSING = 10
    CLOSED = 11


class TcpPeer:
    """One end as a sender. Sequence numbers are 32-bit and wrap; -1 in a 64-bit field is unknown.

    ``isn`` is the first sequence number, ``next_seq`` the highest sent plus one, ``last_ack`` the
    highest that the other end acknowledged, ``window`` its announced window, already scaled.
    ``segments`` holds out-of-order data for the stream layer; ``base`` is the stream offset of
    ``delivered``: bytes handed on so far (64-bit, not wrapping, first payload byte is 0).
    """

    __slots__ = (
        "base_seq",
        "buffer",
        "delivered",
        "flags",
        "gaps",
        "isn",
        "last_ack",
        "next_seq",
        "os_policy",
        "segments",
        "tcp_flags",
        "ts_last",
        "ts_seen",
        "window",
        "wscale",
        "closed",
        "held",
        "synacks",
        "depth_reached",
    )

    def __init__(self) -> None:
        """Make an end of which nothing is known."""
        self.isn: int = 0
        self.base_seq: int = 0
        self.next_seq: int = 0
        self.last_ack: int = 0
        self.window: int = 0
        self.wscale: int = 0
        self.ts_last: int = -1
        self.ts_seen: int = 0
        self.tcp_flags: int = 0
        self.flags: int = 0
        self.delivered: int = 0
        self.held: int = 0
        self.gaps: int = 0
        self.synacks: int = 0
        self.closed: bool = False
        self.depth_reached: bool = False
        self.os_policy: str = ""
        self.segments: Any = None
        self.buffer: Any = None


class TcpSession:
    """State of one connection; ``peers[0]`` is the client. ``flags`` belong to the stream layer."""

    __slots__ = ("client", "flags", "queue", "server", "state", "tcp_flags")

    def __init__(self) -> None:
        """Make a session that has seen no packet."""
        self.state: int = TcpState.NONE
        self.client: TcpPeer = TcpPeer()
        self.server: TcpPeer = TcpPeer()
        self.flags: int = 0
        self.tcp_flags: int = 0
        self.queue: Any = None
