"""Follows TCP connections: the table of :mod:`appliance.stream.states`, its checks, and the data."""

from __future__ import annotations

from collections.abc import Callable

from appliance.config.settings import StreamSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import F_KNOWN, F_MIDSTREAM, Flow
from appliance.model.packet import TH_ACK, TH_FIN, TH_RST, Packet
from appliance.model.tcp import P_RESET, S_ENDED, TcpSession, TcpState
from appliance.stream.exchange import Exchange
from appliance.stream.handshake import Handshake
from appliance.stream.intruder import Intruder
from appliance.stream.judge import Judge
from appliance.stream.reassembly import Reassembly
from appliance.stream.result import StreamResult
from appliance.stream.states import (
    AFTERMATH,
    ALWAYS,
    CHECKS,
    CLOSE,
    DATA,
    EARLY,
    FIN_ACKED,
    FLOW_STATES,
    GUARDS,
    HANDSHAKE_ACK,
    HANDSHAKE_SYN,
    HANDSHAKE_SYNACK,
    IGNORE,
    KIND_COUNT,
    KINDS,
    NEXT,
    ONE_SIDED,
    OPEN,
    ORPHAN,
    PICKUP,
    RESET,
    SYN_AGAIN,
    SYN_CLOSING,
    SYN_CROSS,
    SYN_FIN,
    SYN_LATE,
    SYNACK,
    SYNACK_CROSS,
    SYNACK_LATE,
    SYNACK_REPLY,
)

_S = TcpState
# States as plain integers: the look-up in the class is slow.
_CLOSED = int(_S.CLOSED)
_CLOSING = int(_S.CLOSING)
_ESTABLISHED = int(_S.ESTABLISHED)
_FIN_WAIT1 = int(_S.FIN_WAIT1)
_SYN_RECV = int(_S.SYN_RECV)
_SYN_SENT = int(_S.SYN_SENT)
_TIME_WAIT = int(_S.TIME_WAIT)

# What a state is called when client and server change places.
_SWAPPED = {
    _S.CLOSE_WAIT: _S.FIN_WAIT1,
    _S.FIN_WAIT1: _S.CLOSE_WAIT,
    _S.FIN_WAIT2: _S.CLOSE_WAIT,
    _S.LAST_ACK: _S.CLOSING,
    _S.CLOSING: _S.LAST_ACK,
    _S.TIME_WAIT: _S.LAST_ACK,
}
_PICKED_UP_UNDER = frozenset(("ignore", "pass-flow", "pass-packet"))


class TcpTracker:
    """Tracks all TCP sessions of one worker; the sessions themselves live in ``Flow.tcp``."""

    __slots__ = (
        "bypass",
        "checks",
        "exchange",
        "guards",
        "handshake",
        "intruder",
        "judge",
        "kinds",
        "max_sessions",
        "memcap_policy",
        "midstream_policy",
        "next_states",
        "picks_acks",
        "picks_synacks",
        "policy_for",
        "sessions",
        "streams",
    )

    def __init__(self, settings: StreamSettings, policy_for: Callable[[bytes], str]) -> None:
        """Make a tracker; ``policy_for`` names the operating system of an address ("" when unknown)."""
        self.policy_for: Callable[[bytes], str] = policy_for
        self.streams: Reassembly = Reassembly(settings)
        self.judge: Judge = Judge(settings)
        self.handshake: Handshake = Handshake(settings, self.streams, self.judge)
        self.exchange: Exchange = Exchange(settings, self.streams, self.judge)
        self.intruder: Intruder = Intruder(settings, self.streams, self.judge, self.handshake)
        self.bypass: bool = settings.bypass_after_depth
        self.max_sessions: int = settings.max_sessions
        self.memcap_policy: str = settings.memcap_policy
        self.midstream_policy: str = settings.midstream_policy
        allowed = settings.midstream_policy in _PICKED_UP_UNDER
        self.picks_acks: bool = allowed and settings.midstream
        self.picks_synacks: bool = allowed and (settings.midstream or settings.async_oneside)
        self.sessions: int = 0
        self.checks: bytes = CHECKS
        self.next_states: bytes = NEXT
        self.guards: bytes = GUARDS
        self.kinds: bytes = KINDS

    def handle(self, packet: Packet, flow: Flow, now: int) -> StreamResult:
        """Take one TCP packet of ``flow`` (``packet.direction`` set) at ``now`` (ns).

        Sets ``flow.tcp``, ``flow.state`` and F_MIDSTREAM in ``flow.flags``. Never raises.
        """
        result = StreamResult.__new__(StreamResult)
        result.begin()
        flags = packet.tcp_flags
        direction = packet.direction
        if packet.ack and not flags & TH_ACK:
            result.note("pkt_broken_ack")
        session: TcpSession | None = flow.tcp
        if session is None:
            self._first(packet, flow, direction, now, result)
            return result
        session.tcp_flags |= flags
        sender = session.client if direction == 0 else session.server
        sender.tcp_flags |= flags
        self._dispatch(session, flow, packet, direction, now, result)
        if self.bypass and session.client.depth_reached and session.server.depth_reached:
            result.bypass = True
        return result

    def _first(self, packet: Packet, flow: Flow, direction: int, now: int, result: StreamResult) -> None:
        """Take a packet of a flow that has no session: only a SYN opens one, unless midstream is allowed."""
        index = direction * KIND_COUNT + self.kinds[packet.tcp_flags & 0xFF]
        check = self.checks[index]
        if check == ORPHAN:
            if not flow.flags & F_KNOWN:
                self._orphan(packet, result)
            elif packet.tcp_flags & (TH_RST | TH_ACK) == TH_ACK:
                self._pick_up(packet, flow, direction, now, result)
        elif check == SYN_FIN:
            self.judge.odd("fin_syn", packet, result)
        elif check == OPEN:
            if direction == 1:
                result.swap = True
            self._open(packet, flow, now, result)
        elif check == PICKUP:
            self._pick_up(packet, flow, direction, now, result)

    def _orphan(self, packet: Packet, result: StreamResult) -> None:
        if packet.tcp_flags & TH_RST:
            self.judge.invalid("rst_but_no_session", result)
            return
        result.apply(self.midstream_policy, "stream.midstream")
        self.judge.invalid("fin_but_no_session", result)

    def _create(self, packet: Packet, flow: Flow, direction: int, result: StreamResult) -> TcpSession | None:
        """Make the session of a flow; ``direction`` is the sender's."""
        if self.sessions >= self.max_sessions:
            result.apply(self.memcap_policy, "stream.memcap")
            return None
        self.sessions += 1
        session = TcpSession.__new__(TcpSession)
        session.begin()
        sender = session.client if direction == 0 else session.server
        other = session.server if direction == 0 else session.client
        sender.os_policy = self.policy_for(packet.dst)
        other.os_policy = self.policy_for(packet.src)
        session.tcp_flags = sender.tcp_flags = packet.tcp_flags
        flow.tcp = session
        return session

    def _open(self, packet: Packet, flow: Flow, now: int, result: StreamResult) -> None:
        session = self._create(packet, flow, 0, result)
        if session is not None:
            self.handshake.open(session, packet, now, result)
            self._enter(session, flow, _SYN_SENT)

    def _pick_up(self, packet: Packet, flow: Flow, direction: int, now: int, result: StreamResult) -> None:
        """Begin a session in the middle, when the settings allow it, or when it is known to be one."""
        synack = self.kinds[packet.tcp_flags & 0xFF] == SYNACK
        if not flow.flags & F_KNOWN:
            result.apply(self.midstream_policy, "stream.midstream")
            if not (self.picks_synacks if synack else self.picks_acks):
                return
        if synack and direction == 0:
            result.swap = True
            direction = 1
        session = self._create(packet, flow, direction, result)
        if session is None:
            return
        flow.flags |= F_MIDSTREAM
        if synack:
            self.handshake.pick_up_synack(session, packet, now)
            self._enter(session, flow, _SYN_RECV)
            return
        self.handshake.pick_up(session, direction, packet, now)
        self._enter(session, flow, _ESTABLISHED)
        if packet.tcp_flags & TH_FIN:
            self._dispatch(session, flow, packet, direction, now, result)
        else:
            self.exchange.take(session, packet, direction, now, result)

    def _enter(self, session: TcpSession, flow: Flow, state: int) -> None:
        """Change the state of the session, and with it the flow's."""
        if session.state != state:
            session.state = state
            flow.state = FLOW_STATES[state]

    def _dispatch(
        self,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Look the segment up in the table, run its check, change the state."""
        index = (session.state * 2 + direction) * KIND_COUNT + self.kinds[packet.tcp_flags & 0xFF]
        check = self.checks[index]
        if check == DATA:
            taken = self.exchange.take(session, packet, direction, now, result)
        else:
            taken = self._check(check, session, flow, packet, direction, now, result)
        if taken:
            guard = self.guards[index]
            if guard == ALWAYS or (
                guard == FIN_ACKED and self.exchange.fin_acked(session, packet, direction)
            ):
                self._enter(session, flow, self.next_states[index])
        return taken

    def _check(
        self,
        check: int,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Run a check that is not the one for data."""
        if check == CLOSE:
            return self._close(session, flow, packet, direction, now, result)
        if check == RESET:
            return self.intruder.reset(session, packet, direction, result)
        if check <= HANDSHAKE_ACK or check == EARLY:
            return self._shake(check, session, flow, packet, direction, now, result)
        if check == AFTERMATH:
            return self._aftermath(session, flow, packet, direction, now, result)
        if check == SYN_CLOSING:
            return self.intruder.syn_closing(session, packet, direction, result)
        if check == SYN_LATE:
            return self.intruder.syn_late(session, packet, direction, result)
        if check == SYNACK_LATE:
            return self.intruder.synack_late(session, packet, direction, result)
        return self.judge.odd("fin_syn" if check == SYN_FIN else "", packet, result)

    def _close(
        self,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Take a FIN; the one that answers the server's may acknowledge that, or cross it."""
        state = session.state
        if state == _SYN_RECV and not self.handshake.finish(session, direction, packet, result):
            return False
        if not self.exchange.close(session, packet, direction, now, result):
            return False
        if state == _FIN_WAIT1 and direction == 0:
            acked = self.exchange.fin_acked(session, packet, direction)
            self._enter(session, flow, _TIME_WAIT if acked else _CLOSING)
        return True

    def _shake(
        self,
        check: int,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Run a check of the handshake."""
        shake = self.handshake
        if check == HANDSHAKE_ACK:
            return self._established(
                shake.finish(session, direction, packet, result),
                session,
                flow,
                packet,
                direction,
                now,
                result,
            )
        if check == SYNACK_REPLY:
            return shake.synack_reply(session, packet, now, result)
        if check == SYN_AGAIN:
            return shake.syn_again(session, packet, now, result)
        if check == HANDSHAKE_SYN:
            return shake.syn_in_handshake(session, direction, packet, result)
        if check == HANDSHAKE_SYNACK:
            if shake.synack_in_handshake(session, direction, packet, now, result):
                self._enter(session, flow, _ESTABLISHED)
            return True
        if check == SYN_CROSS:
            return shake.syn_cross(session, packet, now)
        if check == SYNACK_CROSS:
            return shake.synack_cross(session, packet, now, result)
        if check == ONE_SIDED:
            return self._established(
                shake.one_sided(session, packet, result), session, flow, packet, direction, now, result
            )
        if check == EARLY:
            return shake.early_ok(session, packet, result)
        return check == IGNORE or self.judge.odd("", packet, result)

    def _established(
        self,
        finished: bool,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Enter ESTABLISHED when the handshake is finished, and take what else the packet brings."""
        if not finished:
            return False
        before_state = session.state
        self._enter(session, flow, _ESTABLISHED)
        if self.exchange.take(session, packet, direction, now, result):
            return True
        self._enter(session, flow, before_state)
        return False

    def _aftermath(
        self,
        session: TcpSession,
        flow: Flow,
        packet: Packet,
        direction: int,
        now: int,
        result: StreamResult,
    ) -> bool:
        """Take a packet of a closed session: who sent a RST does not go on, so then the RST was forged."""
        sender = session.client if direction == 0 else session.server
        if not sender.flags & P_RESET:
            if packet.payload_len:
                return self.judge.odd("", packet, result)
            return True
        sender.flags &= ~P_RESET
        self._enter(session, flow, session.previous)
        if self._dispatch(session, flow, packet, direction, now, result):
            result.note("suspected_rst_inject")
            return True
        sender.flags |= P_RESET
        self._enter(session, flow, _CLOSED)
        return False

    def finish(self, flow: Flow) -> list[Chunk]:
        """End a flow: give what still waits in both directions, holes reported, ends marked.

        To be called once for every flow that had a session, since it gives its memory back.
        """
        session: TcpSession | None = flow.tcp
        result = StreamResult()
        if session is None or session.flags & S_ENDED:
            return result.chunks
        session.flags |= S_ENDED
        self.sessions -= 1
        self.streams.drain(session.client, 0, result)
        self.streams.drain(session.server, 1, result)
        for peer in session.queue or ():
            self.streams.memory.forget(peer)
        session.queue = None
        return result.chunks

    def succeed(self, old: TcpTracker) -> None:
        """Take over the sessions of another tracker, which is not used any more."""
        self.sessions = old.sessions
        self.streams.memory.total = old.streams.memory.total

    def adopt(self, flow: Flow) -> None:
        """Count a session that was restored from elsewhere."""
        session: TcpSession | None = flow.tcp
        if session is None:
            return
        self.sessions += 1
        for peer in (session.client, session.server, *(session.queue or ())):
            self.streams.memory.charge(peer)

    def swap(self, flow: Flow) -> None:
        """Exchange client and server of the session: the flow was found to run the other way."""
        session: TcpSession | None = flow.tcp
        if session is None:
            return
        session.client, session.server = session.server, session.client
        self._enter(session, flow, _SWAPPED.get(_S(session.state), _S(session.state)))
