"""What comes at the wrong time: RSTs, SYNs and SYN/ACKs of sessions that are open or over."""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.packet import TH_ACK, Packet
from appliance.model.tcp import (
    P_KNOWN,
    P_RESET,
    P_UNSEEN,
    S_ASYNC,
    S_CONFIRMED,
    TcpPeer,
    TcpSession,
    TcpState,
)
from appliance.stream.handshake import Handshake
from appliance.stream.judge import Judge
from appliance.stream.reassembly import Reassembly
from appliance.stream.result import StreamResult
from appliance.stream.validate import ack_ok, answers_before_fin, before, rst_ok

_MASK = 0xFFFFFFFF
_CLOSED, _CLOSING, _LAST_ACK, _SYN_SENT, _TIME_WAIT = (
    int(state)
    for state in (
        TcpState.CLOSED,
        TcpState.CLOSING,
        TcpState.LAST_ACK,
        TcpState.SYN_SENT,
        TcpState.TIME_WAIT,
    )
)


class Intruder:
    """Checks of segments that end a session or do not belong into it."""

    __slots__ = ("handshake", "judge", "sees_acks", "streams")

    def __init__(
        self, settings: StreamSettings, streams: Reassembly, judge: Judge, handshake: Handshake
    ) -> None:
        """Take choices from ``settings``; ``handshake`` knows what SYNs were sent."""
        self.streams: Reassembly = streams
        self.judge: Judge = judge
        self.handshake: Handshake = handshake
        self.sees_acks: bool = settings.bare_acks

    def reset(self, session: TcpSession, packet: Packet, direction: int, result: StreamResult) -> bool:
        """Take a RST if its receiver does; its payload is text for people (RFC 1122), not stream data."""
        sender = session.client if direction == 0 else session.server
        other = session.server if direction == 0 else session.client
        has_ack = bool(packet.tcp_flags & TH_ACK)
        if session.state == _SYN_SENT:
            if not self._reset_of_syn(session, packet, direction, result):
                return False
        else:
            if has_ack and not ack_ok(session, other, packet.ack):
                return self.judge.invalid("rst_invalid_ack", result)
            if not rst_ok(session, sender, packet, self.sees_acks):
                return self.judge.invalid("", result)
            if not self.sees_acks and self._overtaken(session, sender, packet):
                return False
            if has_ack and not before(packet.ack, other.last_ack) and not session.flags & S_ASYNC:
                other.last_ack = packet.ack
                self.streams.acknowledge(other, 1 - direction, packet.ack, result)
        session.previous = session.state
        sender.flags |= P_RESET
        return True

    def _overtaken(self, session: TcpSession, sender: TcpPeer, packet: Packet) -> bool:
        """Tell whether its receiver has more of the sender than this RST knows of: then nobody obeys it.

        It answers what was sent before that arrived, and comes behind it (RFC 5961 section 3). It passes and
        ends nothing: what else the receiver has to say goes on, and brings it a RST with the right number.
        """
        if session.flags & S_ASYNC or not sender.flags & P_KNOWN or sender.flags & P_UNSEEN:
            return False
        end = (packet.seq + packet.payload_len) & _MASK
        return before(end, sender.next_seq) and not answers_before_fin(sender, packet.seq)

    def _reset_of_syn(
        self, session: TcpSession, packet: Packet, direction: int, result: StreamResult
    ) -> bool:
        """Judge a RST while a SYN waits for its answer (RFC 9293 section 3.10.7.3)."""
        if not self.handshake.early_ok(session, packet, result):
            return False
        if direction == 0:
            client = session.client
            inside = packet.seq in (client.isn, client.next_seq, (client.isn + 1) & _MASK)
            return inside or self.judge.invalid("", result)
        if packet.tcp_flags & TH_ACK and self.handshake.refused(session, packet):
            return True
        return self.judge.invalid("rst_invalid_ack", result)

    def syn_closing(self, session: TcpSession, packet: Packet, direction: int, result: StreamResult) -> bool:
        """Take a SYN while closing or after: the old one again, or a new connection on the same ports."""
        same = direction == 0 and packet.seq == session.client.isn
        if session.state == _CLOSED and session.previous == _SYN_SENT:
            same = False
        if same or not self._over(session.state):
            return self.judge.odd("shutdown_syn_resend", packet, result)
        result.reused = True
        return False

    def _over(self, state: int) -> bool:
        """Tell whether a SYN with new numbers opens a new connection on the same ports.

        With CLOSING both FINs were seen and a bare ACK is missing: where those do not come by here, it may
        have been sent.
        """
        over = state in (_LAST_ACK, _TIME_WAIT, _CLOSED)
        return over or (state == _CLOSING and not self.sees_acks)

    def syn_late(self, session: TcpSession, packet: Packet, direction: int, result: StreamResult) -> bool:
        """Take a SYN in an established session."""
        if direction == 1:
            return self.judge.odd("est_syn_toclient", packet, result)
        if packet.seq != session.client.isn:
            return self.judge.odd("est_syn_resend_diff_seq", packet, result)
        return self.judge.odd("est_syn_resend", packet, result)

    def synack_late(self, session: TcpSession, packet: Packet, direction: int, result: StreamResult) -> bool:
        """Take a SYN/ACK in an established session: fine while the server may not know that it is one."""
        if direction == 0:
            return self.judge.odd("est_synack_toserver", packet, result)
        if not self.handshake.answers(session.client, packet.ack):
            return self.judge.invalid("est_synack_resend_with_different_ack", result)
        if packet.seq != session.server.isn:
            return self.judge.invalid("est_synack_resend_with_diff_seq", result)
        if session.flags & S_CONFIRMED:
            return self.judge.invalid("est_synack_resend", result)
        return True
