"""Segments of an open session: their checks, their data, what they acknowledge, and FINs."""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.packet import TH_ACK, TH_FIN, Packet
from appliance.model.tcp import (
    P_ACTIVE,
    P_EDGE,
    P_FIN,
    P_UNSEEN,
    S_ASYNC,
    S_CONFIRMED,
    S_MIDSTREAM,
    TcpPeer,
    TcpSession,
    TcpState,
)
from appliance.stream.judge import Judge
from appliance.stream.reassembly import Reassembly
from appliance.stream.result import StreamResult
from appliance.stream.validate import ack_ok, before, in_window, later, timestamp_ok

_MASK = 0xFFFFFFFF
_S = TcpState
_ESTABLISHED = int(TcpState.ESTABLISHED)

# Events by state: acknowledgement impossible, out of window, FIN out of window, before the last ACK.
_BAD_ACK = {
    _S.ESTABLISHED: "est_invalid_ack",
    _S.CLOSE_WAIT: "closewait_invalid_ack",
    _S.FIN_WAIT1: "fin1_invalid_ack",
    _S.FIN_WAIT2: "fin2_invalid_ack",
    _S.CLOSING: "closing_invalid_ack",
    _S.LAST_ACK: "lastack_invalid_ack",
    _S.TIME_WAIT: "timewait_invalid_ack",
}
_BAD_SEQ = {
    _S.ESTABLISHED: "est_packet_out_of_window",
    _S.CLOSE_WAIT: "closewait_ack_out_of_window",
    _S.FIN_WAIT1: "fin1_ack_wrong_seq",
    _S.FIN_WAIT2: "fin2_ack_wrong_seq",
    _S.CLOSING: "closing_ack_wrong_seq",
    _S.LAST_ACK: "lastack_ack_wrong_seq",
    _S.TIME_WAIT: "timewait_ack_wrong_seq",
}
_BAD_FIN = {
    _S.CLOSE_WAIT: "closewait_fin_out_of_window",
    _S.FIN_WAIT1: "fin1_fin_wrong_seq",
    _S.FIN_WAIT2: "fin2_fin_wrong_seq",
}
_OLD = {_S.ESTABLISHED: "est_pkt_before_last_ack", _S.CLOSE_WAIT: "closewait_pkt_before_last_ack"}


class Exchange:
    """Checks of the states in which data passes."""

    __slots__ = ("inline", "judge", "sees_acks", "streams")

    def __init__(self, settings: StreamSettings, streams: Reassembly, judge: Judge) -> None:
        """Take choices from ``settings``; data goes to ``streams``."""
        self.streams: Reassembly = streams
        self.judge: Judge = judge
        self.inline: bool = settings.inline
        self.sees_acks: bool = settings.bare_acks

    def take(
        self, session: TcpSession, packet: Packet, direction: int, now: int, result: StreamResult
    ) -> bool:
        """Take an ordinary segment: check it, hand its data on, apply what it acknowledges."""
        sender = session.client if direction == 0 else session.server
        other = session.server if direction == 0 else session.client
        if not self._valid(session, sender, other, packet, now, result):
            return False
        size = packet.payload_len
        one_sided = bool(session.flags & S_ASYNC)
        closing = session.state > _ESTABLISHED
        if size and not self._payload(sender, packet, direction, one_sided, closing, result):
            return False
        if direction == 1:
            session.flags |= S_CONFIRMED
        self._update(sender, packet, now)
        if before(sender.base_seq, sender.last_ack) and not one_sided:
            self.streams.acknowledge(sender, direction, sender.last_ack, result)
        if packet.tcp_flags & TH_ACK and not one_sided:
            self._acknowledge(sender, other, packet, direction, result)
        if (sender.flags | other.flags) & P_FIN:
            self._ends(session, result)
        return True

    def _valid(
        self,
        session: TcpSession,
        sender: TcpPeer,
        other: TcpPeer,
        packet: Packet,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Check timestamp, acknowledgement and window."""
        if not sender.flags & P_ACTIVE:
            sender.flags |= P_ACTIVE
            session.flags &= ~S_ASYNC
            if session.flags & S_MIDSTREAM:
                sender.ts_last = packet.ts_val
        state = session.state
        if not timestamp_ok(sender, packet.ts_val, now):
            return self.judge.invalid("pkt_invalid_timestamp", result)
        if packet.tcp_flags & TH_ACK:
            if self._bad_window_update(sender, other, packet):
                return self.judge.invalid("pkt_bad_window_update", result)
            if not ack_ok(session, other, packet.ack):
                result.note("pkt_invalid_ack")
                return self.judge.invalid(self._name(_BAD_ACK, state, packet, "fin_invalid_ack"), result)
        end = (packet.seq + packet.payload_len) & _MASK
        if self.sees_acks and not in_window(session, sender, end, packet.payload_len):
            return self.judge.invalid(self._name(_BAD_SEQ, state, packet, "fin_out_of_window"), result)
        after = (end + 1) & _MASK
        if packet.payload_len == 0 and before(after, sender.last_ack) and before(after, sender.next_seq):
            if session.flags & (S_ASYNC | S_MIDSTREAM):
                return True
            return self.judge.invalid(_OLD.get(_S(state), _BAD_SEQ.get(_S(state), "")), result)
        return True

    def _name(self, names: dict[TcpState, str], state: int, packet: Packet, fin_name: str) -> str:
        """Give the event of this state; a FIN has names of its own."""
        if packet.tcp_flags & TH_FIN:
            if names is _BAD_SEQ:
                return _BAD_FIN.get(_S(state), fin_name)
            if state == _ESTABLISHED:
                return fin_name
        return names.get(_S(state), "")

    def _bad_window_update(self, sender: TcpPeer, other: TcpPeer, packet: Packet) -> bool:
        """Tell whether the window shrinks in a packet that lies beyond both streams."""
        window = packet.window << max(sender.wscale, 0)
        return (
            window + packet.payload_len < sender.window
            and not (sender.flags | other.flags) & P_UNSEEN
            and before(other.next_seq, packet.ack)
            and before(sender.next_seq, packet.seq)
        )

    def _payload(
        self,
        sender: TcpPeer,
        packet: Packet,
        direction: int,
        one_sided: bool,
        closing: bool,
        result: StreamResult,
    ) -> bool:
        """Hand the payload to reassembly; False when the packet must not take effect.

        Data sent again before it was acknowledged is an everyday matter, and an event only in a session that
        is being closed.
        """
        end = (packet.seq + packet.payload_len) & _MASK
        if not before(sender.next_seq, end) and not one_sided:
            known = self.streams.known(sender, end)
            if known and not before(sender.last_ack, end):
                if packet.payload_len > 1 or end != sender.next_seq:
                    result.note("pkt_spurious_retransmission")
                if before(packet.seq, (sender.isn + 1) & _MASK):
                    result.note("reassembly_segment_before_base_seq")
                return True
            if known and closing:
                result.note("pkt_retransmission")
        taken = self.streams.accept(sender, direction, packet, packet.seq, one_sided, result)
        return taken or not self.inline

    def _update(self, sender: TcpPeer, packet: Packet, now: int) -> None:
        """Note sequence number, timestamp and window of the sender."""
        end = (packet.seq + packet.payload_len) & _MASK
        if packet.ts_val >= 0 and sender.ts_last >= 0 and not before(sender.next_seq, packet.seq):
            sender.ts_last = later(sender.ts_last, packet.ts_val)
            sender.ts_seen = now
        sender.next_seq = later(sender.next_seq, end)

    def _acknowledge(
        self,
        sender: TcpPeer,
        other: TcpPeer,
        packet: Packet,
        direction: int,
        result: StreamResult,
    ) -> None:
        """Apply acknowledgement and window."""
        ack = packet.ack
        if before(ack, other.last_ack):
            return
        sender.window = packet.window << max(sender.wscale, 0)
        edge = (ack + sender.window) & _MASK
        if not other.flags & P_EDGE or before(other.edge, edge):
            other.edge = edge
            other.flags |= P_EDGE
        other.last_ack = ack
        self.streams.acknowledge(other, 1 - direction, ack, result)

    def _ends(self, session: TcpSession, result: StreamResult) -> None:
        """Mark directions that have come to their FIN."""
        at_once = self.inline or session.flags & S_ASYNC
        for direction in range(2):
            peer = session.client if direction == 0 else session.server
            if not peer.flags & P_FIN or peer.closed:
                continue
            if at_once:
                done = peer.depth_reached or self.streams.place(peer, peer.fin_seq) <= peer.position
            else:
                done = before(peer.fin_seq, peer.last_ack)
            if done:
                self.streams.end(peer, direction, result)

    def fin_acked(self, session: TcpSession, packet: Packet, direction: int) -> bool:
        """Tell whether this packet acknowledges the FIN of the other end."""
        other = session.server if direction == 0 else session.client
        return bool(
            other.flags & P_FIN
            and packet.tcp_flags & TH_ACK
            and not before(packet.ack, (other.fin_seq + 1) & _MASK)
        )

    def close(
        self,
        session: TcpSession,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Take a FIN."""
        sender = session.client if direction == 0 else session.server
        end = (packet.seq + packet.payload_len) & _MASK
        misplaced = end != sender.fin_seq if sender.flags & P_FIN else before(end, sender.next_seq)
        if misplaced:
            return self.judge.invalid(_BAD_FIN.get(_S(session.state), "fin_out_of_window"), result)
        if not self.take(session, packet, direction, now, result):
            return False
        if not sender.flags & P_FIN:
            sender.flags |= P_FIN
            sender.fin_seq = end
        sender.next_seq = later(sender.next_seq, (end + 1) & _MASK)
        self._ends(session, result)
        return True
