"""The stages of a packet's way, each a function of (pipeline, work) that says whether to stop.

The order is data (:data:`STAGES`), and ``docs/design/pipeline.md`` is written from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.decode import anomalies
from appliance.engine import exceptions
from appliance.engine.work import Work
from appliance.model.event import AnomalyEvent, NoticeEvent
from appliance.model.flow import F_BYPASS, F_DROPPED, F_NO_PAYLOAD_INSPECT
from appliance.model.packet import CSUM_BAD_IP, PROTO_TCP, PROTO_UDP, TOSERVER
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_CONTINUE = False
_STOP = True


def checksum(pipe: Pipeline, work: Work) -> bool:
    """Verify checksums; a packet that fails takes no part in streams and parsers."""
    if not pipe.checksums.verify(work.packet):
        work.usable = False
        pipe.counters.add("decoder.bad_checksum")
        work.note("checksum", "bad", "kept out of streams and parsers")
    return _CONTINUE


def report_anomalies(pipe: Pipeline, work: Work) -> bool:
    """Report what decoding found; a packet too broken to read is inspected by event rules only."""
    packet = work.packet
    if packet.anomalies is None:
        return _CONTINUE
    for name in packet.anomalies:
        pipe.counters.add("decoder.event." + name)
        work.events.append(AnomalyEvent(work.now, "decode", name, packet, None))
        work.note("decode", "anomaly", name)
    if anomalies.is_invalid(packet.anomalies):
        pipe.counters.add("decoder.invalid")
        work.usable = False
    return _CONTINUE


def identify(pipe: Pipeline, work: Work) -> bool:
    """Find the VM interfaces at both ends and whether the sender is who it says it is."""
    registry = pipe.registry
    if registry is None:
        return _CONTINUE
    packet = work.packet
    registry.identify(packet)
    if work.trace is not None:
        for side, found in (("source", packet.src_if), ("destination", packet.dst_if)):
            work.note("identify", side, found.label if found is not None else "not in the inventory")
    reason = registry.check(packet)
    if reason is None or not pipe.spoof_protected(packet):
        return _CONTINUE
    work.events.append(NoticeEvent(work.now, reason.value, packet))
    work.note("identify", "drop", reason.value)
    work.decide(Decision(Verdict.DROP, reason, "spoof_protection"))
    return _STOP


def defragment(pipe: Pipeline, work: Work) -> bool:
    """Hold fragments; the packet that completes a datagram goes on as the whole datagram."""
    packet = work.packet
    if not packet.is_fragment() or not work.usable:
        return _CONTINUE
    pipe.counters.add("defrag.ipv4.fragments" if packet.ip_version == 4 else "defrag.ipv6.fragments")
    known = len(packet.anomalies or ())
    whole = pipe.defrag.add(packet, work.now)
    for name in (packet.anomalies or [])[known:]:
        work.events.append(AnomalyEvent(work.now, "decode", name, packet, None))
    if whole is None:
        work.note("defrag", "held", "datagram not complete yet")
        pipe.detect_only(work)
        return _STOP
    pipe.counters.add("defrag.ipv4.reassembled" if packet.ip_version == 4 else "defrag.ipv6.reassembled")
    pipe.detect_only(work)
    pipe.run_rebuilt(work, pipe.decoder.redecode(packet, whole))
    return _STOP


def find_flow(pipe: Pipeline, work: Work) -> bool:
    """Look the flow up, or open one."""
    packet = work.packet
    if packet.ip_version == 0 or packet.csum & CSUM_BAD_IP:
        return _CONTINUE
    if anomalies.is_invalid(packet.anomalies):
        return _CONTINUE
    work.flow = pipe.flow_of(work)
    if work.flow is None and not pipe.relates(work):
        pipe.counters.add("flow.memcap")
        work.decide(Decision(Verdict.DROP, Reason.FLOW_TABLE_FULL, "flow.max_flows"))
        work.note("flow", "drop", "the table is full")
        return _STOP
    if work.trace is not None and work.flow is not None:
        work.note("flow", "new" if work.new_flow else "known", f"flow {work.flow.id}")
    return _CONTINUE


def filter_packet(pipe: Pipeline, work: Work) -> bool:
    """Ask the firewall, for both ends; a flow that was dropped stays dropped."""
    flow = work.flow
    if flow is not None and flow.flags & F_DROPPED:
        work.decide(Decision(Verdict.DROP, Reason.FLOW_DENIED, flow.action_by))
        work.note("firewall", "drop", f"the flow was dropped: {flow.action_by}")
        return _STOP
    if pipe.firewall is None:
        work.note("firewall", "accept", "no policy")
        return _CONTINUE
    pipe.judge(work)
    return work.decision.verdict > Verdict.ACCEPT


def track_stream(pipe: Pipeline, work: Work) -> bool:
    """Follow TCP's state and put its bytes in order."""
    packet, flow = work.packet, work.flow
    if flow is None or packet.proto != PROTO_TCP or not work.usable or packet.is_fragment():
        return _CONTINUE
    result = pipe.tracker.handle(packet, flow, work.now)
    if result.reused:
        flow = pipe.reopen(work, flow)
        result = pipe.tracker.handle(packet, flow, work.now)
    pipe.table.retime(flow)
    work.chunks = result.chunks
    work.stream_events = result.events
    if work.trace is not None:
        state = flow.tcp.state if flow.tcp is not None else "none"
        work.note("stream", str(state), ", ".join(result.events))
    for name in result.events:
        pipe.counters.add("stream.event." + name)
        work.events.append(AnomalyEvent(work.now, "stream", name, packet, flow))
    exceptions.apply(pipe, work, result.exception, result.exception_target)
    if result.reason is not Reason.NONE and pipe.settings.prevent:
        work.decide(Decision(Verdict.DROP, result.reason, "stream"))
    return _CONTINUE


def parse_application(pipe: Pipeline, work: Work) -> bool:
    """Feed parsers and the stream's rules with the bytes that are now in order."""
    flow, packet = work.flow, work.packet
    if flow is None or flow.flags & (F_BYPASS | F_NO_PAYLOAD_INSPECT) or not work.inspect:
        return _CONTINUE
    if work.chunks:
        for chunk in work.chunks:
            pipe.feed(flow, chunk, work.now)
    elif packet.proto == PROTO_UDP and work.usable and packet.payload_len and not packet.is_fragment():
        pipe.app.datagram(packet, flow, work.now)
    pipe.after_app(work)
    return _CONTINUE


def detect(pipe: Pipeline, work: Work) -> bool:
    """Run the rules."""
    if not work.inspect:
        work.note("detect", "skipped", "not inspected")
        return _CONTINUE
    pipe.run_rules(work)
    return _CONTINUE


def log_application(pipe: Pipeline, work: Work) -> bool:
    """Report finished transactions and files, then let go of them."""
    flow = work.flow
    if flow is not None and flow.app is not None:
        pipe.log_app(flow, work.now, work.packet, work.events)
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
    ("stream", track_stream),
    ("application", parse_application),
    ("detect", detect),
    ("log", log_application),
)

