"""Would the receiver take this segment? Checks of sequence, acknowledgement, timestamp and RST."""

from __future__ import annotations

from types import MappingProxyType

from appliance.model.packet import Packet
from appliance.model.tcp import P_EDGE, P_FIN, P_KNOWN, P_UNSEEN, S_ASYNC, S_MIDSTREAM, TcpPeer, TcpSession

# Named since Cython makes Python objects of literals beyond 31 bits.
_MASK = 0xFFFFFFFF
_HALF = 0x80000000
# RFC 7323 section 5.5: a timestamp is not compared with one that is older than 24 days.
_PAWS_IDLE = 24 * 86_400 * 1_000_000_000
# How far below the last acknowledgement an ACK may lie when no window is known.
_MIN_WINDOW = 65_535

# Which RST a receiver takes (by its system): one at exactly the next sequence number, any inside its window,
# or any at or after the next sequence number.
EXACT, WINDOW, AFTER = 0, 1, 2
RST_RULES: MappingProxyType[str, int] = MappingProxyType(
    {
        "old-linux": WINDOW,
        "linux": WINDOW,
        "old-solaris": WINDOW,
        "solaris": WINDOW,
        "hpux11": AFTER,
    }
)
# Systems that take a timestamp one tick too old.
_LENIENT_CLOCKS = frozenset(("linux", "windows2k3"))


def before(a: int, b: int) -> bool:
    """Tell whether sequence number ``a`` lies before ``b`` (RFC 1982 comparison on 32 bits)."""
    return ((a - b) & _MASK) >= _HALF


def later(a: int, b: int) -> int:
    """Give the later of two sequence numbers."""
    return b if before(a, b) else a


def timestamp_ok(peer: TcpPeer, value: int, now: int) -> bool:
    """Tell whether the timestamp of a packet from ``peer`` is not older than its last one (RFC 7323, PAWS).

    ``value`` is -1 when there is none, which is let through: middle boxes strip the option.
    """
    if value < 0 or peer.ts_last < 0:
        return True
    age = (peer.ts_last - value) & _MASK
    if age == 0 or age >= _HALF:
        return True
    if age == 1 and peer.os_policy in _LENIENT_CLOCKS:
        return True
    return now - peer.ts_seen > _PAWS_IDLE


def ack_ok(session: TcpSession, acked: TcpPeer, ack: int) -> bool:
    """Tell whether ``ack`` is possible for data of ``acked``.

    It may not lie beyond what was sent (or, since packets can be lost before they are seen, beyond what the
    window allowed to send), nor further back than a window (RFC 5961 section 5).
    """
    if not acked.flags & P_KNOWN or acked.flags & P_UNSEEN or session.flags & S_ASYNC:
        return True
    if before(acked.next_seq, ack):
        return bool(acked.flags & P_EDGE) and not before(acked.edge, ack)
    span = (acked.edge - acked.last_ack) & _MASK if acked.flags & P_EDGE else 0
    if span < _MIN_WINDOW or span >= _HALF:
        span = _MIN_WINDOW
    return not before(ack, (acked.last_ack - span) & _MASK)


def in_window(session: TcpSession, sender: TcpPeer, end: int, size: int) -> bool:
    """Tell whether data that ends before sequence number ``end`` fits the receiver's window.

    One byte more is a probe of a closed window (RFC 9293 section 3.8.6.1).
    """
    if not sender.flags & P_EDGE or sender.flags & P_UNSEEN or session.flags & (S_ASYNC | S_MIDSTREAM):
        return True
    edge = sender.edge + 1 if size == 1 else sender.edge
    return not before(edge & _MASK, end)


def answers_before_fin(sender: TcpPeer, seq: int) -> bool:
    """Tell whether a RST stands where its sender's FIN does.

    A closed socket answers so what was sent before that FIN arrived. Receivers that have the FIN take it all
    the same, one below what they expect (Linux, in CLOSE_WAIT, LAST_ACK and CLOSING).
    """
    return bool(sender.flags & P_FIN) and seq == sender.fin_seq


def rst_ok(session: TcpSession, sender: TcpPeer, packet: Packet, bare_acks: bool) -> bool:
    """Tell whether the receiver obeys this RST.

    It has to lie where the receiver's system looks for it (RFC 5961 section 3: exactly at the next byte it
    expects). The receiver may not have seen all that was sent, so what it acknowledged last counts as well.
    """
    seq = packet.seq
    if session.flags & S_ASYNC or not sender.flags & P_KNOWN or sender.flags & P_UNSEEN:
        return True
    if seq in (sender.next_seq, sender.last_ack):
        return True
    end = (seq + packet.payload_len) & _MASK
    if end == sender.next_seq:
        return True
    if not bare_acks and (
        answers_before_fin(sender, seq)
        or (not before(seq, sender.last_ack) and not before(sender.next_seq, seq))
    ):
        return True
    rule = RST_RULES.get(sender.os_policy, EXACT)
    if rule == AFTER:
        return not before(seq, sender.next_seq)
    if rule == WINDOW and sender.flags & P_EDGE:
        return not before(end, sender.last_ack) and not before(sender.edge, end)
    return False
