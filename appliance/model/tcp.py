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


# TcpSession.flags
S_ASYNC = 1  # only one side is seen
S_MIDSTREAM = 2  # picked up without its handshake
S_FOUR_WAY = 4  # both ends sent a SYN: simultaneous open or split handshake
S_FAST_OPEN = 8  # data travelled in the SYN (RFC 7413)
S_SYNACK_FIRST = 16  # picked up at its SYN/ACK
S_EVASION = 32  # the handshake was finished in a way that some hosts refuse
S_CONFIRMED = 64  # the server has shown that it saw the handshake's end
S_ENDED = 128  # the stream layer has let go of it

# TcpPeer.flags
P_KNOWN = 1  # its sequence numbers are known
P_FIN = 2  # it has sent a FIN; ``fin_seq`` says where
P_RESET = 4  # it has sent the RST that closed the session
P_EDGE = 8  # ``edge`` is known
P_ACTIVE = 16  # it has sent something
P_UNSEEN = 32  # not all that it sends is seen: the kernel lets it pass by itself


class TcpSegment:
    """Part of a segment that waits. Positions are sequence numbers made 64-bit, 0 is the first byte.

    ``start`` and ``stop`` say which part is here, ``first`` and ``last`` what the whole segment spanned
    (overlap rules compare whole segments). ``data`` is ``b""`` for a byte that does not belong to the
    stream (urgent data out of band) and None for one that counts as missing; ``skip`` is how many of
    its bytes lie before ``start``.
    """

    __slots__ = ("data", "first", "last", "skip", "start", "stop")

    def __init__(self, start: int, stop: int, data: bytes | None, first: int, last: int) -> None:
        """Keep ``data`` for the positions from ``start`` to ``stop``."""
        self.start: int = start
        self.stop: int = stop
        self.skip: int = 0
        self.data: bytes | None = data
        self.first: int = first
        self.last: int = last


class TcpPeer:
    """One end as a sender. Sequence numbers are 32-bit and wrap; -1 in a 64-bit field is unknown.

    ``isn`` is the first sequence number, ``next_seq`` the highest sent plus one, ``last_ack`` the
    highest that the other end acknowledged, ``window`` its announced window, already scaled, ``edge``
    the highest sequence number plus one that the other end allows it to send.

    ``base_seq`` is the sequence number of the next byte to hand on and ``position`` the same number made
    64-bit, counted from the first byte; ``delivered`` is the stream offset of that byte. ``position`` and
    ``delivered`` differ by urgent bytes that are not part of the stream; ``urgent`` counts those.

    ``segments`` holds what waits (:class:`TcpSegment`, sorted, disjoint), ``held`` its bytes; ``buffer``
    and ``kept`` the same for data handed on but not acknowledged (inline only). ``os_policy`` names
    the receiver's system, which decides how overlapping data of this sender is read.
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
        "edge",
        "fin_seq",
        "kept",
        "position",
        "urgent",
    )

    def __init__(self) -> None:
        """Make an end of which nothing is known."""
        self.begin()

    def begin(self) -> None:
        """Set all fields; with ``__new__`` it is a constructor that costs little."""
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
        self.segments: list[TcpSegment] | None = None
        self.buffer: list[TcpSegment] | None = None
        self.edge: int = 0
        self.fin_seq: int = 0
        self.kept: int = 0
        self.position: int = 0
        self.urgent: int = 0


class TcpSession:
    """State of one connection. ``flags`` (S_...) belong to the stream layer.

    ``state`` is the server's, as :class:`TcpState`; ``previous`` is where a RST found it. ``queue`` holds
    SYNs or SYN/ACKs that compete until the handshake chooses one.
    """

    __slots__ = ("client", "flags", "previous", "queue", "server", "state", "tcp_flags")

    def __init__(self) -> None:
        """Make a session that has seen no packet."""
        self.begin()

    def begin(self) -> None:
        """Set all fields; with ``__new__`` it is a constructor that costs little."""
        self.state: int = 0  # TcpState.NONE, whose look-up in the class is slow
        self.previous: int = 0
        self.client: TcpPeer = TcpPeer.__new__(TcpPeer)
        self.client.begin()
        self.server: TcpPeer = TcpPeer.__new__(TcpPeer)
        self.server.begin()
        self.flags: int = 0
        self.tcp_flags: int = 0
        self.queue: list[Any] | None = None
