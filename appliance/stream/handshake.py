"""How a session begins: SYNs that compete, SYN/ACKs, both ends at once, fast open, midstream.

Every method that takes a segment returns whether it was taken; it has noted events and reasons otherwise.
"""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.packet import Packet
from appliance.model.tcp import (
    P_ACTIVE,
    P_EDGE,
    P_KNOWN,
    S_ASYNC,
    S_EVASION,
    S_FAST_OPEN,
    S_FOUR_WAY,
    S_MIDSTREAM,
    S_SYNACK_FIRST,
    TcpPeer,
    TcpSession,
)
from appliance.stream.judge import Judge
from appliance.stream.reassembly import Reassembly
from appliance.stream.result import StreamResult
from appliance.stream.validate import before

_MASK = 0xFFFFFFFF
# TCP option kinds of fast open: RFC 7413, and the two experimental ones (RFC 6994) it used before.
_FAST_OPEN_OPTIONS = frozenset((34, 253, 254))
_MAX_WSCALE = 14  # RFC 7323 section 2.3


class Handshake:
    """Checks of the states before ESTABLISHED."""

    __slots__ = ("async_oneside", "inline", "judge", "max_synacks", "max_syns", "sees_acks", "streams")

    def __init__(self, settings: StreamSettings, streams: Reassembly, judge: Judge) -> None:
        """Take choices from ``settings``; data goes to ``streams``."""
        self.streams: Reassembly = streams
        self.judge: Judge = judge
        self.inline: bool = settings.inline
        self.sees_acks: bool = settings.bare_acks
        self.async_oneside: bool = settings.async_oneside
        self.max_syns: int = settings.max_syns
        self.max_synacks: int = settings.max_synacks

    def _begin(self, peer: TcpPeer, packet: Packet, now: int) -> None:
        """Fill in what a SYN or SYN/ACK says of its sender."""
        peer.isn = packet.seq
        self.streams.restart(peer, packet.seq + 1)
        peer.next_seq = (packet.seq + 1 + packet.payload_len) & _MASK
        peer.last_ack = peer.base_seq
        peer.window = packet.window
        peer.wscale = min(_MAX_WSCALE, packet.wscale)
        peer.ts_last = packet.ts_val
        peer.ts_seen = now
        peer.flags |= P_KNOWN | P_ACTIVE

    def _limit(self, peer: TcpPeer, ack: int, window: int) -> None:
        """Note how far ``peer`` may send."""
        peer.edge = (ack + window) & _MASK
        peer.flags |= P_EDGE

    def open(self, session: TcpSession, packet: Packet, now: int, result: StreamResult) -> bool:
        """Take the first SYN."""
        client = session.client
        self._begin(client, packet, now)
        if not packet.payload_len:
            return True
        if not _FAST_OPEN_OPTIONS.isdisjoint(packet.tcp_opts):
            session.flags |= S_FAST_OPEN
        return self.streams.accept(client, 0, packet, client.base_seq, False, result) or not self.inline

    def syn_again(self, session: TcpSession, packet: Packet, now: int, result: StreamResult) -> bool:
        """Take a further SYN of the client: the same again, or one that competes with the first.

        Anybody can send SYNs for a connection not opened yet, so all are remembered, up to a bound, until
        a SYN/ACK chooses one (it shows which one the server saw).
        """
        peers = [session.client, *(session.queue or ())]
        for peer in peers:
            if peer.isn == packet.seq and peer.ts_last == packet.ts_val:
                return self._same_syn(peer, packet, result)
        if self.inline and packet.payload_len and session.client.delivered:
            return self.judge.invalid("reassembly_overlap_different_data", result)
        queue = session.queue
        if queue is None:
            queue = session.queue = []
        if len(queue) >= self.max_syns:
            result.note("3whs_syn_flood")
            if not queue:
                return True
            self.streams.memory.forget(queue.pop(0))
        rival = TcpPeer()
        rival.os_policy = session.client.os_policy
        self._begin(rival, packet, now)
        queue.append(rival)
        if packet.payload_len and not self.inline:
            self.streams.accept(rival, 0, packet, rival.base_seq, False, result)
        return True

    def _same_syn(self, peer: TcpPeer, packet: Packet, result: StreamResult) -> bool:
        if not packet.payload_len:
            return True
        end = (packet.seq + 1 + packet.payload_len) & _MASK
        if before(peer.next_seq, end):
            peer.next_seq = end
        return self.streams.accept(peer, 0, packet, packet.seq + 1, False, result) or not self.inline

    def syn_cross(self, session: TcpSession, packet: Packet, now: int) -> bool:
        """Take a SYN of the server: both ends open at once, or the server splits its SYN/ACK in two."""
        session.flags |= S_FOUR_WAY
        self._begin(session.server, packet, now)
        return True

    def early_ok(self, session: TcpSession, packet: Packet, result: StreamResult) -> bool:
        """Look at an answer to a SYN that is no SYN/ACK: an echo of a timestamp nobody sent is forged."""
        if packet.ts_val < 0 or not packet.ts_ecr or self._echoes(session, packet):
            return True
        return self.judge.invalid("pkt_invalid_timestamp", result)

    def _echoes(self, session: TcpSession, packet: Packet) -> bool:
        """Tell whether the echoed timestamp is one that a SYN of the client had."""
        if session.client.ts_last == packet.ts_ecr:
            return True
        rivals = session.queue
        if rivals is not None:
            for peer in rivals:
                if peer.ts_last == packet.ts_ecr:
                    return True
        return False

    def _asked(self, session: TcpSession, packet: Packet) -> TcpPeer | None:
        """Give the client's SYN that a SYN/ACK or RST acknowledges."""
        chosen = self._rival_asked(session.queue, packet) if session.queue else None
        if chosen is not None and chosen.ts_last == packet.ts_ecr:
            return chosen
        client = session.client
        if self.answers(client, packet.ack) and (chosen is None or client.ts_last == packet.ts_ecr):
            chosen = client
        return chosen

    def _rival_asked(self, rivals: list[TcpPeer], packet: Packet) -> TcpPeer | None:
        """Give the latest rival SYN that is acknowledged, one with the echoed timestamp if there is."""
        chosen: TcpPeer | None = None
        for peer in reversed(rivals):
            if self.answers(peer, packet.ack) and (chosen is None or peer.ts_last == packet.ts_ecr):
                chosen = peer
                if peer.ts_last == packet.ts_ecr:
                    break
        return chosen

    def answers(self, peer: TcpPeer, ack: int) -> bool:
        """Tell whether ``ack`` acknowledges the SYN of ``peer``, with none, some or all of its data."""
        return not before(ack, (peer.isn + 1) & _MASK) and not before(peer.next_seq, ack)

    def refused(self, session: TcpSession, packet: Packet) -> bool:
        """Tell whether a RST of the server answers one of the client's SYNs."""
        return self._asked(session, packet) is not None

    def synack_reply(self, session: TcpSession, packet: Packet, now: int, result: StreamResult) -> bool:
        """Take the server's SYN/ACK."""
        chosen = self._asked(session, packet)
        if chosen is None:
            return self.judge.invalid("3whs_synack_with_wrong_ack", result)
        if chosen.ts_last >= 0 and not self.early_ok(session, packet, result):
            return False
        if session.flags & S_FOUR_WAY and packet.seq != session.server.isn:
            return self.judge.invalid("4whs_synack_with_wrong_syn", result)
        self._choose(session, chosen)
        self._answer(session.client, session.server, packet, now)
        self._answered_data(session, session.client, packet, result)
        if packet.payload_len:
            self.streams.accept(session.server, 1, packet, packet.seq + 1, False, result)
        return True

    def _choose(self, session: TcpSession, chosen: TcpPeer) -> None:
        """Make one of the competing SYNs the client's; the others are forgotten."""
        client = session.client
        if chosen is not client:
            chosen.delivered = client.delivered
            chosen.tcp_flags = client.tcp_flags
            session.client = chosen
            self.streams.memory.forget(client)
        if session.queue is None:
            return
        for peer in session.queue:
            if peer is not chosen:
                self.streams.memory.forget(peer)
        session.queue = None

    def _answer(self, asker: TcpPeer, answerer: TcpPeer, packet: Packet, now: int) -> None:
        """Note what a SYN/ACK settles: sequence numbers, window scaling, timestamps."""
        self._begin(answerer, packet, now)
        if asker.wscale < 0 or answerer.wscale < 0:
            asker.wscale = answerer.wscale = 0
        if asker.ts_last < 0 or answerer.ts_last < 0:
            asker.ts_last = answerer.ts_last = -1
        asker.last_ack = packet.ack
        self._limit(asker, packet.ack, packet.window)
        self._limit(answerer, answerer.base_seq, asker.window)

    def _answered_data(
        self, session: TcpSession, client: TcpPeer, packet: Packet, result: StreamResult
    ) -> None:
        """See what the SYN/ACK did with data of the SYN."""
        start = (client.isn + 1) & _MASK
        if client.next_seq == start:
            return
        if packet.ack == start:
            if session.flags & S_FAST_OPEN:
                result.note("3whs_synack_tfo_data_ignored")
            client.next_seq = start
            self.streams.memory.discard(client)
        else:
            session.flags |= S_FAST_OPEN
            self.streams.acknowledge(client, 0, packet.ack, result)

    def synack_cross(self, session: TcpSession, packet: Packet, now: int, result: StreamResult) -> bool:
        """Take a SYN/ACK of the client, which answers a SYN of the server."""
        if not session.flags & S_FOUR_WAY:
            return self.judge.odd("3whs_synack_in_wrong_direction", packet, result)
        if packet.ack != (session.server.isn + 1) & _MASK:
            return self.judge.invalid("4whs_synack_with_wrong_ack", result)
        if packet.seq != session.client.isn:
            return self.judge.invalid("4whs_synack_with_wrong_syn", result)
        self._choose(session, session.client)
        self._answer(session.server, session.client, packet, now)
        return True

    def syn_in_handshake(
        self, session: TcpSession, direction: int, packet: Packet, result: StreamResult
    ) -> bool:
        """Take a SYN after the SYN/ACK: the same again, or something odd."""
        peer = session.client if direction == 0 else session.server
        if direction and not session.flags & S_FOUR_WAY:
            return self.judge.odd("3whs_syn_toclient_on_syn_recv", packet, result)
        if packet.seq != peer.isn:
            return self.judge.odd("3whs_syn_resend_diff_seq_on_syn_recv", packet, result)
        return True

    def synack_in_handshake(
        self, session: TcpSession, direction: int, packet: Packet, now: int, result: StreamResult
    ) -> bool:
        """Take a SYN/ACK after the SYN/ACK. Returns True when it finishes the handshake."""
        sender = session.client if direction == 0 else session.server
        other = session.server if direction == 0 else session.client
        if session.flags & S_FOUR_WAY:
            return packet.seq == sender.isn and packet.ack == (other.isn + 1) & _MASK
        if direction == 0:
            return self.judge.odd("3whs_synack_toserver_on_syn_recv", packet, result)
        if packet.ack != session.client.last_ack and not self.answers(session.client, packet.ack):
            return self.judge.invalid("3whs_synack_resend_with_different_ack", result)
        if packet.seq != session.server.isn:
            self._rival_server(session, packet, now, result)
        return False

    def _rival_server(self, session: TcpSession, packet: Packet, now: int, result: StreamResult) -> None:
        """Remember a different SYN/ACK until the client's ACK chooses."""
        result.note("3whs_synack_resend_with_diff_seq")
        queue = session.queue
        if queue is None:
            queue = session.queue = []
        for peer in queue:
            if peer.isn == packet.seq:
                return
        if len(queue) >= self.max_synacks:
            self.judge.invalid("3whs_synack_flood", result)
            return
        rival = TcpPeer()
        rival.os_policy = session.server.os_policy
        self._begin(rival, packet, now)
        rival.wscale = rival.wscale if rival.wscale >= 0 and session.client.wscale > 0 else 0
        self._limit(rival, rival.base_seq, session.client.window)
        queue.append(rival)

    def finish(self, session: TcpSession, direction: int, packet: Packet, result: StreamResult) -> bool:
        """Decide whether an ACK finishes the handshake; then it is handled as data too."""
        if direction == 0:
            return self._finish_client(session, packet, result)
        return self._finish_server(session, packet, result)

    def _finish_client(self, session: TcpSession, packet: Packet, result: StreamResult) -> bool:
        client = session.client
        server = self._answerer(session, packet.ack)
        if server is None:
            if packet.seq == client.next_seq:
                session.flags |= S_EVASION
                return self.judge.invalid("3whs_right_seq_wrong_ack_evasion", result)
            return self.judge.invalid("3whs_wrong_seq_wrong_ack", result)
        if before(packet.seq, (client.isn + 1) & _MASK) or (
            before(client.edge, packet.seq) and not session.flags & S_MIDSTREAM
        ):
            return self.judge.invalid("3whs_wrong_seq_wrong_ack", result)
        if server is not session.server:
            server.tcp_flags = session.server.tcp_flags
            self.streams.memory.forget(session.server)
            session.server = server
        session.queue = None
        return True

    def _answerer(self, session: TcpSession, ack: int) -> TcpPeer | None:
        """Give the SYN/ACK of the server that ``ack`` acknowledges."""
        if self.answers(session.server, ack):
            return session.server
        rivals: list[TcpPeer] = session.queue if session.queue is not None else []
        for peer in rivals:
            if self.answers(peer, ack):
                return peer
        return None

    def _finish_server(self, session: TcpSession, packet: Packet, result: StreamResult) -> bool:
        """The server speaks first: its partner's ACK was lost, or is still to come."""
        server, client = session.server, session.client
        in_order = packet.seq == server.next_seq
        if session.flags & S_FOUR_WAY:
            if not in_order:
                return self.judge.invalid("4whs_wrong_seq", result)
            if packet.ack != client.next_seq:
                return self.judge.invalid("4whs_invalid_ack", result)
            return True
        if self.async_oneside and in_order:
            session.flags |= S_ASYNC
            return True
        tolerated = session.flags & (S_SYNACK_FIRST | S_FAST_OPEN)
        if self.inline and self.sees_acks and not tolerated:
            if packet.payload_len and in_order and packet.ack == client.last_ack:
                return self.judge.odd("3whs_ack_data_inject", packet, result)
            return self.judge.odd("3whs_ack_in_wrong_dir", packet, result)
        if before(packet.seq, server.isn) or before(packet.ack, client.last_ack):
            return self.judge.invalid("3whs_wrong_seq_wrong_ack", result)
        return True

    def one_sided(self, session: TcpSession, packet: Packet, result: StreamResult) -> bool:
        """Take an ACK of the client although no SYN/ACK was seen: only its side passes here."""
        client, server = session.client, session.server
        if not self.async_oneside:
            return False  # the server cannot have opened yet: it answers with a RST
        if packet.seq != client.next_seq:
            return self.judge.invalid("3whs_async_wrong_seq", result)
        self._choose(session, client)
        session.flags |= S_ASYNC
        client.wscale = max(0, client.wscale)
        self._assume(server, packet.ack)
        return True

    def _assume(self, peer: TcpPeer, seq: int) -> None:
        """Take ``seq`` for the next sequence number of an end that was not seen."""
        peer.isn = (seq - 1) & _MASK
        self.streams.restart(peer, seq)
        peer.next_seq = peer.last_ack = seq
        peer.wscale = _MAX_WSCALE
        peer.flags |= P_KNOWN

    def pick_up(self, session: TcpSession, direction: int, packet: Packet, now: int) -> None:
        """Begin in the middle, with an ACK of either end."""
        sender = session.client if direction == 0 else session.server
        other = session.server if direction == 0 else session.client
        session.flags |= S_MIDSTREAM | (S_ASYNC if self.async_oneside else 0)
        self._assume(sender, packet.seq)
        self._assume(other, packet.ack)
        sender.ts_last = packet.ts_val
        sender.ts_seen = now
        sender.flags |= P_ACTIVE

    def pick_up_synack(self, session: TcpSession, packet: Packet, now: int) -> None:
        """Begin with the server's SYN/ACK."""
        session.flags |= S_MIDSTREAM | S_SYNACK_FIRST
        client, server = session.client, session.server
        self._assume(client, packet.ack)
        self._begin(server, packet, now)
        server.wscale = max(server.wscale, 0)
        if packet.wscale < 0:
            client.wscale = 0
