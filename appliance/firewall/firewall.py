"""The stateful firewall: judges packets for both ends and remembers what it said of a flow."""

from __future__ import annotations

from appliance.config.settings import Settings
from appliance.firewall.bound import BoundPolicies
from appliance.firewall.end import End
from appliance.firewall.ends import both, denied, ends_of, judge_end, tracking
from appliance.firewall.guard import ScanGuard
from appliance.firewall.judgement import (
    ALLOWED,
    FOREVER,
    EndJudgement,
    FlowVerdict,
    Judgement,
    combine,
)
from appliance.firewall.limits import Tallies, Tally
from appliance.firewall.scan import Blocks
from appliance.firewall.schedule import MINUTE
from appliance.firewall.subject import Subject, of_flow, of_packet
from appliance.model.event import NoticeEvent
from appliance.model.flow import F_DROPPED, F_KNOWN, F_REJECTED, F_SWAPPED, Flow
from appliance.model.identity import VmInterface
from appliance.model.packet import PROTO_TCP, TH_ACK, TH_FIN, TH_RST, TH_SYN, TOSERVER, Packet
from appliance.model.tcp import TcpState
from appliance.model.verdict import Reason, Verdict

_OPENING = TH_SYN | TH_ACK | TH_RST | TH_FIN
_ESTABLISHED = int(TcpState.ESTABLISHED)
_PASSES = int(Verdict.ACCEPT)  # of what is not stricter, packets pass
_MAX_ANCESTORS = 4


class Firewall:
    """Judges packets by the policies in force. One per worker; not shared between threads."""

    def __init__(self, bound: BoundPolicies, settings: Settings) -> None:
        """Start with ``bound``; :meth:`replace` puts other policies in force."""
        self.bound = bound
        self.tallies = Tallies()
        self.tallies.bind(bound)
        self.guard = ScanGuard(settings.firewall, self.tallies)
        self._blocks: Blocks = self.guard.blocks

    def replace(self, bound: BoundPolicies) -> None:
        """Put ``bound`` in force; each flow is judged again at its next packet.

        The epoch has to differ from the one in force. Counts and blocks stay with their interfaces.
        """
        self.bound = bound
        self.tallies.bind(bound)

    def adopt(self, old: Firewall) -> None:
        """Take over counts, sweeps and blocks of the firewall before; they stay with their interfaces."""
        self.tallies = old.tallies
        self.tallies.bind(self.bound)
        self.guard.adopt(old.guard)

    def stale(self, flow: Flow, now: int) -> bool:
        """Tell whether the firewall has to judge ``flow`` (again): a new one, new policies, a new minute."""
        judged: FlowVerdict | None = flow.judged
        return judged is None or judged.epoch != self.bound.epoch or now >= judged.until

    def passes(self, flow: Flow, now: int) -> bool:
        """Tell whether :meth:`judge` would let the next packet of ``flow`` pass and say nothing else."""
        judged: FlowVerdict | None = flow.judged
        if judged is None or not judged.quiet or flow.flags & F_DROPPED or len(self._blocks):
            return False
        return self._holds(judged, flow, now)

    def judge(self, packet: Packet, flow: Flow | None, now: int) -> Judgement:
        """Say what happens to ``packet``, which belongs to ``flow`` (None where it has none).

        An ICMP error is judged like the flow it is about: pass that flow. Sets ``F_DROPPED`` and
        ``action_by`` on a flow that a rule denies.
        """
        if self.bound.empty:
            return ALLOWED
        if flow is None:
            return self._judge(packet, flow, now)
        judged: FlowVerdict | None = flow.judged
        if judged is not None and self._holds(judged, flow, now) and not len(self._blocks):
            answer = judged.later
        else:
            answer = self._judge(packet, flow, now)
        if flow.flags & F_DROPPED and answer.strictness <= _PASSES:  # inspection has dropped it
            return Judgement(Verdict.DROP, Reason.FLOW_DENIED, flow.action_by)
        return answer

    def _holds(self, judged: FlowVerdict, flow: Flow, now: int) -> bool:
        """Tell whether a remembered verdict is the whole answer for the next packet."""
        if judged.half_open and _is_established(flow):
            self.flow_established(flow)
        return not judged.per_packet and self._current(judged, flow, now)

    def _current(self, judged: FlowVerdict, flow: Flow, now: int) -> bool:
        swapped = flow.flags & F_SWAPPED != 0
        return judged.epoch == self.bound.epoch and now < judged.until and judged.swapped == swapped

    def _judge(self, packet: Packet, flow: Flow | None, now: int) -> Judgement:
        if len(self._blocks):
            block = self.guard.blocked(self.packet_ends(packet), packet.src, now)
            if block is not None:
                return combine((block,))
        if flow is None:
            return self._judge_alone(packet, now)
        judged: FlowVerdict | None = flow.judged
        if judged is None or not self._current(judged, flow, now):
            answer = self._judge_flow(packet, flow, now)
            judged = flow.judged
        else:
            answer = judged.later
        if judged is None or not judged.per_packet or not judged.allowed:
            return answer
        return self._add_untracked(answer, packet, flow, now)

    def judge_related(self, packet: Packet, now: int) -> Judgement:
        """Judge an ICMP error about a connection that is allowed, but not known here.

        Like a related flow, it is denied by a rule of the emergency section only.
        """
        here = self.packet_ends(packet)
        block = self.guard.blocked(here, packet.src, now)
        if block is not None:
            return combine((block,))
        subject = self.packet_subject(packet)
        return combine(tuple(_related(judge_end(end, subject, now)) for end in here))

    def _judge_alone(self, packet: Packet, now: int) -> Judgement:
        """Judge a packet that has no flow by itself."""
        here = self.packet_ends(packet)
        scan, notices = self._scan(packet, here, False, now)
        if scan is not None:
            return combine((scan,), notices)
        subject = self.packet_subject(packet)
        return combine(tuple(judge_end(end, subject, now) for end in here), notices)

    def _scan(
        self, packet: Packet, here: list[End], opens: bool, now: int
    ) -> tuple[EndJudgement | None, tuple[NoticeEvent, ...]]:
        """Look for scans, where a policy wants that."""
        return self.guard.inspect(packet, here, opens, now) if self.bound.scans else (None, ())

    def _add_untracked(self, answer: Judgement, packet: Packet, flow: Flow, now: int) -> Judgement:
        """Ask the ends that do not track the protocol; their answer holds for this packet only."""
        subject = self.packet_subject(packet)
        here = [end for end in self.packet_ends(packet) if not end.tracks(flow.proto)]
        ends = tuple(judge_end(end, subject, now) for end in here)
        other = combine((*answer.ends, *ends))
        if other.verdict <= answer.verdict and answer.ends == other.ends:
            return answer
        log, logged = other.log, other.logged
        return Judgement(other.verdict, other.reason, other.by, log, logged, other.ends, answer.notices)

    def _judge_flow(self, packet: Packet, flow: Flow, now: int) -> Judgement:
        """Judge a flow that is new, or whose verdict is out of date, and remember the verdict."""
        before: FlowVerdict | None = flow.judged
        ends = self.flow_ends(packet, flow)
        notices: tuple[NoticeEvent, ...] = ()
        own = packet.proto == flow.proto
        if before is None and own:
            opens = packet.direction == TOSERVER and not flow.flags & F_KNOWN
            refused = None
            if self.bound.scans:
                refused, notices = self._scan(packet, self.packet_ends(packet), opens, now)
            if refused is None:
                refused = _not_opened(packet, flow, ends)
            if refused is not None:
                return combine((refused,), notices)
        tracked = tracking(ends, flow.proto)
        said = self.judge_ends(packet, flow, tracked, now)
        judgement = combine(said, notices) if notices else both(said)
        verdict = self._verdict(judgement, flow, ends, now)
        verdict.per_packet = len(tracked) < len(ends)
        if judgement.strictness > _PASSES:
            self.flow_ended(flow)
        elif before is not None:
            verdict.tallies, verdict.half_open = before.tallies, before.half_open
        elif own:
            refused = self._count(packet, verdict, tracked, now)
            if refused is not None:
                return combine((refused,), notices)
        _remember(flow, verdict, judgement)
        return judgement

    def _verdict(self, judgement: Judgement, flow: Flow, ends: list[End], now: int) -> FlowVerdict:
        until = (now // MINUTE + 1) * MINUTE if _timed(ends) else FOREVER
        made = FlowVerdict.__new__(FlowVerdict)
        made.begin(self.bound.epoch, judgement, flow.flags & F_SWAPPED != 0, until)
        return made

    def judge_ends(
        self, packet: Packet, flow: Flow, ends: list[End], now: int, depth: int = 0
    ) -> tuple[EndJudgement, ...]:
        """Ask the rules about a flow; one that belongs to an allowed flow is allowed.

        Only a rule of the emergency section denies a related flow.
        """
        subject = self.flow_subject(packet, flow)
        found: tuple[EndJudgement, ...]
        if len(ends) == 2:
            found = (judge_end(ends[0], subject, now), judge_end(ends[1], subject, now))
        else:
            found = tuple([judge_end(end, subject, now) for end in ends])
        if flow.parent is None or _allow(found):
            return found
        if not self._parent_allowed(packet, flow.parent, now, depth):
            return found
        return tuple([_related(one) for one in found])

    def _parent_allowed(self, packet: Packet, parent: Flow, now: int, depth: int) -> bool:
        judged: FlowVerdict | None = parent.judged
        if judged is not None and self._current(judged, parent, now):
            return judged.allowed
        if judged is None or not judged.allowed or depth >= _MAX_ANCESTORS:
            return False
        ends = ends_of(self.bound, parent.client_if, parent.server_if, packet.outer is not None)
        return _allow(self.judge_ends(packet, parent, ends, now, depth + 1))

    def _count(self, packet: Packet, verdict: FlowVerdict, ends: list[End], now: int) -> EndJudgement | None:
        """Count a new flow at both ends, unless a limit of one of them is reached."""
        opening = packet.proto == PROTO_TCP and packet.tcp_flags & _OPENING == TH_SYN
        tallies: list[Tally] = []
        for end in ends:
            if end.interface is None:
                continue
            tally = self.tallies.of(end.interface.index)
            reason = tally.refuses(end.limits, opening, opening, now) if end.limited else None
            if reason is not None:
                return denied(end, reason, "stateful/" + reason.value.removeprefix("limit_"))
            tallies.append(tally)
        for end in ends:
            if end.interface is not None:
                self.tallies.of(end.interface.index).take(opening, opening and end.rated)
        verdict.tallies = tuple(tallies)
        verdict.half_open = opening
        return None

    def blocks(self) -> list[tuple[tuple[str, str], bytes, int]]:
        """Give what is blocked: identity of the interface, source, end (ns)."""
        return self.guard.block_list()

    def block(self, identity: tuple[str, str], source: bytes, until: int) -> bool:
        """Block a source at an interface; False when the interface is not here."""
        return self.guard.block(identity, source, until)

    def count_again(self, flow: Flow) -> None:
        """Count a flow that was let in elsewhere, or before a restart, at its ends, whatever their limits."""
        judged: FlowVerdict | None = flow.judged
        if judged is None or not judged.allowed:
            return
        ends = (self.bound.policy_of(flow.client_if), self.bound.policy_of(flow.server_if))
        counted = [end for end in ends if end is not None and end.stateful.tracks(flow.proto)]
        tallies = [self.tallies.of(end.interface.index) for end in counted if end.interface is not None]
        for tally in tallies:
            tally.connections += 1
            tally.half_open += judged.half_open
        judged.tallies = tuple(tallies)

    def final(self, flow: Flow) -> bool:
        """Tell whether the verdict on a flow holds for all its packets, until policies change.

        Not so where the time of day counts, an end does not track the protocol, or a limit of half-open
        connections has to know when this one is no longer half open.
        """
        judged: FlowVerdict | None = flow.judged
        if self.bound.empty:
            return True
        if judged is None or judged.per_packet or judged.until != FOREVER:
            return False
        return self._current(judged, flow, 0) and not self._half_open(judged, flow)

    def _half_open(self, judged: FlowVerdict, flow: Flow) -> bool:
        """Tell whether a flow counts as half open at an end with a limit of those."""
        if not judged.half_open:
            return False
        if not _is_established(flow) and self._limits_half_open(flow):
            return True
        self.flow_established(flow)
        return False

    def _limits_half_open(self, flow: Flow) -> bool:
        for one in (flow.client_if, flow.server_if):
            index = self.bound.index_of(one)
            if index >= 0 and self.bound.sender(index).half_opens:
                return True
        return False

    def flow_established(self, flow: Flow) -> None:
        """Take note that both ends have answered each other: the connection is no longer half open."""
        judged: FlowVerdict | None = flow.judged
        if judged is not None and judged.half_open:
            judged.half_open = False
            for tally in judged.tallies:
                tally.half_open -= 1

    def flow_ended(self, flow: Flow) -> None:
        """Take note that a flow has ended or left the table; calling it twice does no harm."""
        judged: FlowVerdict | None = flow.judged
        if judged is None:
            return
        for tally in judged.tallies:
            tally.give_back(judged.half_open)
        judged.tallies = ()
        judged.half_open = False

    def packet_ends(self, packet: Packet) -> list[End]:
        """Give the policies that have a say in a packet taken by itself."""
        return ends_of(self.bound, packet.src_if, packet.dst_if, packet.outer is not None)

    def flow_ends(self, packet: Packet, flow: Flow) -> list[End]:
        """Give the policies that have a say in a flow."""
        source, target = _client_of(packet, flow), _server_of(packet, flow)
        return ends_of(self.bound, source, target, packet.outer is not None)

    def packet_subject(self, packet: Packet) -> Subject:
        """Describe a packet for rules."""
        bound = self.bound
        return of_packet(packet, bound.rule_index(packet.src_if), bound.rule_index(packet.dst_if))

    def flow_subject(self, packet: Packet, flow: Flow) -> Subject:
        """Describe a flow for rules; ``packet`` is used as it is where it opens the flow."""
        source = self.bound.rule_index(_client_of(packet, flow))
        target = self.bound.rule_index(_server_of(packet, flow))
        if flow.judged is None and _opens(packet, flow):
            return of_packet(packet, source, target)
        return of_flow(flow, source, target)


def _timed(ends: list[End]) -> bool:
    for end in ends:  # noqa: SIM110 - compiled, a loop costs less than a generator
        if end.timed:
            return True
    return False


def _allow(said: tuple[EndJudgement, ...]) -> bool:
    return all([one.strictness <= _PASSES for one in said])  # noqa: C419 - compiled, a list costs less


def _client_of(packet: Packet, flow: Flow) -> VmInterface | None:
    """Give the client's interface, from the packet where the flow knows neither end's."""
    if flow.client_if is not None or flow.server_if is not None or packet.proto != flow.proto:
        return flow.client_if
    return packet.src_if if _forwards(packet, flow) else packet.dst_if


def _server_of(packet: Packet, flow: Flow) -> VmInterface | None:
    """Give the server's interface, from the packet where the flow knows neither end's."""
    if flow.client_if is not None or flow.server_if is not None or packet.proto != flow.proto:
        return flow.server_if
    return packet.dst_if if _forwards(packet, flow) else packet.src_if


def _forwards(packet: Packet, flow: Flow) -> bool:
    return packet.direction == TOSERVER and packet.src == flow.client


def _opens(packet: Packet, flow: Flow) -> bool:
    if packet.direction != TOSERVER or packet.proto != flow.proto or flow.flags & F_KNOWN:
        return False
    return packet.src == flow.client and packet.sport == flow.cport


def _not_opened(packet: Packet, flow: Flow, ends: list[End]) -> EndJudgement | None:
    """Refuse a TCP connection of which the SYN was not seen, at an end that is strict about it."""
    if packet.proto != PROTO_TCP or packet.tcp_flags & _OPENING == TH_SYN or _is_established(flow):
        return None
    if flow.flags & F_KNOWN:  # it was let in before, when its SYN was seen
        return None
    for end in ends:
        if end.strict and end.tracks(PROTO_TCP):
            return denied(end, Reason.STATE_INVALID, "stateful/strict")
    return None


def _is_established(flow: Flow) -> bool:
    tcp = flow.tcp
    return tcp is not None and tcp.state >= _ESTABLISHED


def _related(one: EndJudgement) -> EndJudgement:
    if one.strictness <= _PASSES or one.section == "emergency":
        return one
    by, section, rule = f"{one.policy}/related", one.section, one.rule
    return EndJudgement(
        one.interface,
        one.direction,
        one.policy,
        Verdict.ACCEPT,
        Reason.NONE,
        by,
        section,
        rule,
        one.log,
        one.logged,
    )


def _remember(flow: Flow, verdict: FlowVerdict, judgement: Judgement) -> None:
    before: FlowVerdict | None = flow.judged
    if before is not None and not before.allowed:
        flow.flags &= ~(F_DROPPED | F_REJECTED)
    flow.judged = verdict
    flow.epoch = verdict.epoch
    if judgement.strictness <= _PASSES:
        return
    flow.flags |= F_REJECTED | F_DROPPED if judgement.verdict == Verdict.REJECT else F_DROPPED
    flow.reason = judgement.reason.value
    flow.action_by = judgement.by
