"""The stages of a packet's way, each a function of (pipeline, work) that says whether to stop.

The order is data (:data:`STAGES`), and ``docs/design/pipeline.md`` is written from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.decode.anomalies import is_invalid
from appliance.decode.quoted import embedded
from appliance.engine import exceptions, overload, settle, swap
from appliance.engine.applications import judge
from appliance.engine.arrival import checksum, defragment, identify, readable, report_anomalies
from appliance.engine.counters import count_session
from appliance.engine.inspection import prevents, run_rules
from appliance.engine.lifecycle import rest
from appliance.engine.work import Work
from appliance.firewall.bound import W_CLOSES, W_INSISTS
from appliance.firewall.judgement import Judgement
from appliance.flow.key import trackable
from appliance.flow.related import related_flow
from appliance.model.chunk import Chunk
from appliance.model.event import AnomalyEvent, NoticeEvent
from appliance.model.flow import (
    F_BYPASS,
    F_DROPPED,
    F_MISSED,
    F_NO_PAYLOAD_INSPECT,
    F_SWAPPED,
    Flow,
    FlowState,
)
from appliance.model.mark import SETTLED
from appliance.model.packet import (
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    TOCLIENT,
    TOSERVER,
)
from appliance.model.tcp import TcpSession, TcpState
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_NONE = Reason.NONE
_BYPASS, _ACCEPT = int(Verdict.BYPASS), int(Verdict.ACCEPT)
_CONTINUE = False
_STOP = True
_CLOSED = int(FlowState.CLOSED)
_INSISTENT = W_INSISTS | W_CLOSES


def _refuse_unreadable(pipe: Pipeline, work: Work) -> bool:
    """No policy can be applied to what cannot be read: where there are policies, it is dropped."""
    packet = work.packet
    if pipe.firewall is None or not is_invalid(packet):
        return _CONTINUE
    work.decide(Decision(Verdict.DROP, Reason.MALFORMED, (packet.anomalies or [""])[0]))
    work.note("flow", "drop", "malformed")
    return _CONTINUE


def find_flow(pipe: Pipeline, work: Work) -> bool:
    """Look the flow up, or open one; an ICMP error belongs to the flow that it is about."""
    packet = work.packet
    if not readable(packet):
        return _refuse_unreadable(pipe, work)
    table = pipe.table
    if packet.proto in (PROTO_ICMP, PROTO_ICMPV6):
        work.related = related_flow(table, packet, embedded(packet))
    flow = packet.flow
    if flow is None:
        flow = table.lookup(packet, work.now)
    if table.ended:
        pipe.end_flows(table.drain(), work)
    if flow is not None:
        if flow.generation != pipe.generation:
            swap.renew(pipe, work, flow)
        elif flow.kernel:
            flow = settle.awaken(pipe, work, flow)
    if flow is None and work.related is None and trackable(packet):
        flow = pipe.open_flow(work)
        if flow is None:
            return _table_full(pipe, work)
    work.flow = flow
    if flow is not None:
        table.touch(flow, packet, work.now)
        if work.trace is not None:
            work.note("flow", "new" if work.new_flow else "known", f"flow {flow.id}")
    return _CONTINUE


def _table_full(pipe: Pipeline, work: Work) -> bool:
    """A connection that cannot be followed cannot be held to a policy; without policies, the setting says."""
    pipe.counters.add("flow.memcap")
    work.note("flow", "full", "the table is full of flows in use")
    exceptions.apply(pipe, work, pipe.settings.flow.memcap_policy, "flow")
    if pipe.firewall is not None:
        work.decide(Decision(Verdict.DROP, Reason.FLOW_TABLE_FULL, "flow.max-flows"))
    return work.decision.verdict > _ACCEPT


def filter_packet(pipe: Pipeline, work: Work) -> bool:
    """Ask the firewall, for both ends; a flow that was dropped stays dropped under the same policies."""
    flow, firewall = work.flow, pipe.firewall
    unjudged = work.decision is ACCEPTED and work.trace is None
    if flow is not None and firewall is not None and unjudged and firewall.passes(flow, work.now):
        return _CONTINUE
    stale = flow is None or (firewall is not None and firewall.stale(flow, work.now))
    if flow is not None and flow.flags & F_DROPPED and not stale:
        work.decide(Decision(Verdict.DROP, Reason.FLOW_DENIED, flow.action_by))
        if work.trace is not None:
            work.note("firewall", "drop", f"the flow was dropped: {flow.action_by}")
        return _STOP
    if firewall is None:
        work.note("firewall", "accept", "no policy")
        return _CONTINUE
    if work.decision is not ACCEPTED and work.decision.verdict > _ACCEPT:
        return _CONTINUE
    bypassed = stale and flow is not None and flow.flags & F_BYPASS != 0 and flow.judged is not None
    bypassed = bypassed and flow is not None and flow.judged.verdict == _BYPASS
    if flow is None and work.related is None and _about_anothers(work):
        judgement = firewall.judge_related(work.packet, work.now)
    else:
        judgement = firewall.judge(work.packet, flow if flow is not None else work.related, work.now)
    bypass = judgement.strictness == _BYPASS
    if bypassed and flow is not None and not bypass:
        pipe.unbypass(flow, work)
    if judgement.notices:
        work.events.extend(judgement.notices)
    if work.trace is not None:
        _explain(work, judgement)
    if judgement.log:
        work.events.append(logged(work, judgement))
    if bypass and flow is not None:
        pipe.bypass(flow)
    if judgement.strictness <= _ACCEPT:
        return _CONTINUE
    work.decide(judgement.decision)
    return _STOP


def _about_anothers(work: Work) -> bool:
    """Tell whether this is an ICMP error, to who is concerned, about a connection of another worker."""
    if work.origin is None or not work.origin.related:
        return False
    quoted = embedded(work.packet)
    return quoted is not None and quoted[1] == work.packet.dst


def _explain(work: Work, judgement: Judgement) -> None:
    for end in judgement.ends:
        where = f"{end.interface} {end.direction}"
        work.note("firewall", f"{end.verdict.name.lower()} ({where})", end.by)
    if not judgement.ends:
        work.note("firewall", judgement.verdict.name.lower(), judgement.by or "no policy of either end")


def logged(work: Work, judgement: Judgement) -> NoticeEvent:
    """Make the record that a firewall rule with ``log`` asks for."""
    details = {
        "verdict": judgement.verdict.name.lower(),
        "rule": judgement.by,
        "rules": list(judgement.logged),
    }
    return NoticeEvent(work.now, "firewall", work.packet, details)


def shed_load(pipe: Pipeline, work: Work) -> bool:
    """When packets come too fast, spare inspection what settings and policies give up first."""
    flow = work.flow
    if flow is None:
        return _CONTINUE
    if pipe.load:
        return not _insists(pipe, flow) and overload.relieve(pipe, work, flow)
    if flow.flags & F_MISSED:
        overload.look_again(pipe, work, flow)
    return _CONTINUE


def _insists(pipe: Pipeline, flow: Flow) -> bool:
    """Tell quickly that a packet is inspected whatever the load: the full queue drops what is too much."""
    if pipe.bound is None or flow.flags & F_MISSED:
        return False
    return pipe.bound.wishes(flow.client_if, flow.server_if) & _INSISTENT == _INSISTENT


def track_stream(pipe: Pipeline, work: Work) -> bool:
    """Follow TCP's state and put its bytes in order."""
    packet, flow = work.packet, work.flow
    if flow is None or packet.proto != PROTO_TCP or flow.proto != PROTO_TCP or not work.usable:
        return _CONTINUE
    if flow.flags & F_BYPASS or flow.kernel & SETTLED == SETTLED:
        return _CONTINUE
    if _refuse_unseen(pipe, work):
        return _STOP
    known = flow.tcp is not None
    result = pipe.tracker.handle(packet, flow, work.now)
    if result.reused:
        known = False
        flow = pipe.reopen(work, flow)
        if flow is None:
            return _CONTINUE
        result = pipe.tracker.handle(packet, flow, work.now)
    if not known and flow.tcp is not None:
        count_session(pipe.counters, flow)
    if result.swap:
        pipe.table.swap(flow)
        packet.direction = 1 - packet.direction
    pipe.table.retime(flow)
    work.chunks = result.found
    if result.found is not None:
        _count_gaps(pipe, result.found)
    work.stream_events = result.noted
    if result.noted or work.trace is not None:
        _report_stream(pipe, work, flow, result.events)
    if result.exception:
        exceptions.apply(pipe, work, result.exception, result.exception_target)
    if result.reason is not _NONE and prevents(pipe, packet):
        work.decide(Decision(Verdict.DROP, result.reason, "stream"))
    if result.bypass:
        pipe.bypass(flow)
    return _CONTINUE


def _count_gaps(pipe: Pipeline, chunks: list[Chunk]) -> None:
    for chunk in chunks:
        if chunk.gap:
            pipe.counters.add("tcp.reassembly_gap")


def _refuse_unseen(pipe: Pipeline, work: Work) -> bool:
    """Drop a segment whose last bytes did not fit into the kernel's message: its receiver would read them.

    No common stack makes segments that large (the limit is 65,531 bytes of IP), so it asks to be overlooked.
    """
    origin = work.origin
    if origin is None or not origin.unseen or not prevents(pipe, work.packet):
        return False
    work.decide(Decision(Verdict.DROP, Reason.BYTES_UNSEEN, "stream"))
    work.note("stream", "drop", "its last bytes were not handed over")
    return True


def _report_stream(pipe: Pipeline, work: Work, flow: Flow, events: list[str]) -> None:
    if work.trace is not None:
        state = TcpState(flow.tcp.state).name.lower() if flow.tcp is not None else "not followed"
        work.note("stream", state, ", ".join(events))
    for name in events:
        pipe.counters.add("stream." + name)
        work.events.append(AnomalyEvent(work.now, "stream", name, work.packet, flow))


def parse_application(pipe: Pipeline, work: Work) -> bool:
    """Feed parsers and the stream's rules with the bytes that are now in order."""
    flow, packet = work.flow, work.packet
    if flow is None or flow.flags & (F_BYPASS | F_NO_PAYLOAD_INSPECT):
        return _CONTINUE
    if flow.kernel & SETTLED == SETTLED:
        return _CONTINUE
    udp = packet.proto == PROTO_UDP and flow.proto == PROTO_UDP
    if not work.chunks and not (udp and work.usable and packet.payload_len):
        return _refused(work)
    known, failing, swapped = flow.app_proto, _failed(flow), flow.flags & F_SWAPPED
    if work.chunks:
        for chunk in work.chunks:
            if flow.flags & F_SWAPPED != swapped:
                chunk.direction = 1 - chunk.direction
            pipe.feed(flow, chunk, work.now)
        tcp = flow.tcp
        if tcp is not None and (tcp.client.depth_reached or tcp.server.depth_reached):
            _cut(pipe, work, flow, tcp)
    else:
        pipe.app.datagram(packet, flow, work.now)
        pipe.announce(flow, work.now)
    if flow.flags & F_SWAPPED != swapped:
        packet.direction = 1 - packet.direction
    if flow.app_proto != known:
        work.note("application", flow.app_proto)
        judge(pipe, work, flow)
    if not failing and _failed(flow) and pipe.settings.app.error_policy != "ignore":
        exceptions.apply(pipe, work, pipe.settings.app.error_policy, "app_layer")
    return _refused(work)


def _cut(pipe: Pipeline, work: Work, flow: Flow, tcp: TcpSession) -> None:
    """Tell the application layer of directions that are not looked at beyond what they have brought."""
    depth = pipe.tracker.streams.depth
    if tcp.client.depth_reached and tcp.client.delivered >= depth:
        pipe.app.cut(flow, TOSERVER, work.now)
    if tcp.server.depth_reached and tcp.server.delivered >= depth:
        pipe.app.cut(flow, TOCLIENT, work.now)


def _refused(work: Work) -> bool:
    """Tell whether a policy has refused the application."""
    return work.decision is not ACCEPTED and work.decision.reason is Reason.APPLICATION


def _failed(flow: Flow) -> bool:
    """Tell whether the flow's parser has given up."""
    state = flow.app
    return state is not None and state.parser is not None and state.parser.failed


def detect(pipe: Pipeline, work: Work) -> bool:
    """Run the rules."""
    if pipe.detector is None:
        return _CONTINUE
    if not work.inspect:
        work.note("detect", "skipped", "not inspected")
        return _CONTINUE
    run_rules(pipe, work)
    return _CONTINUE


def log_application(pipe: Pipeline, work: Work) -> bool:
    """Report finished transactions and files, then let go of them."""
    flow = work.flow
    if flow is None:
        return _CONTINUE
    if flow.app is not None:
        pipe.log_app(flow, work.now, work.packet, work.events)
        if pipe.let_go and flow.app_proto in pipe.let_go:
            parser = flow.app.parser
            if parser is not None and parser.bypass and not flow.flags & F_BYPASS:
                pipe.bypass(flow)
    if flow.state == _CLOSED and flow.detect is not None:
        rest(flow)
    return _CONTINUE


Stage = Callable[["Pipeline", Work], bool]

# Stages run in this order for every packet, and for each packet that a tunnel carries.
STAGES: tuple[tuple[str, Stage], ...] = (
    ("checksum", checksum),
    ("anomalies", report_anomalies),
    ("identify", identify),
    ("defrag", defragment),
    ("flow", find_flow),
    ("firewall", filter_packet),
    ("overload", shed_load),
    ("stream", track_stream),
    ("application", parse_application),
    ("detect", detect),
    ("log", log_application),
)


def run_all(pipe: Pipeline, work: Work) -> None:
    """Run :data:`STAGES` until one stops; written out, so that compiled stages call each other directly."""
    if checksum(pipe, work) or report_anomalies(pipe, work) or identify(pipe, work) or defragment(pipe, work):
        return
    if find_flow(pipe, work) or filter_packet(pipe, work) or shed_load(pipe, work):
        return
    if not (track_stream(pipe, work) or parse_application(pipe, work) or detect(pipe, work)):
        log_application(pipe, work)
