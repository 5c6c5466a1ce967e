"""The first stages of a packet's way: whether it is sound, whose it is, and whole datagrams of fragments.

Each is a function of (pipeline, work) that says whether to stop; those that follow, and the order of all, are
in :mod:`appliance.engine.stages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.decode.anomalies import is_invalid
from appliance.engine import exceptions
from appliance.engine.work import Work
from appliance.model.event import AnomalyEvent, NoticeEvent
from appliance.model.packet import PROTO_TCP, Packet
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_CONTINUE = False
_STOP = True
_REFUSED_FRAGMENTS = {
    "frag_ignored": Reason.FRAGMENT_LIMIT,
    "frag_pkt_too_large": Reason.FRAGMENT_INVALID,
}


def checksum(pipe: Pipeline, work: Work) -> bool:
    """Verify checksums; a TCP segment that fails takes no part in streams and parsers."""
    if not _sound(pipe, work):
        # Its receiver throws a segment away, and so must whoever follows the stream. A datagram stands for
        # itself: inspecting one that the receiver throws away does no harm.
        work.usable = work.packet.proto != PROTO_TCP
        pipe.counters.add("decoder.bad_checksum")
        if not work.usable:
            pipe.counters.add("tcp.invalid_checksum")
        work.note("checksum", "bad", "kept out of streams and parsers")
    return _CONTINUE


def _sound(pipe: Pipeline, work: Work) -> bool:
    """Tell whether checksums are right, those that mean something."""
    origin = work.origin
    if origin is None or not (origin.checked or origin.segments):
        return pipe.checksums.verify(work.packet)
    return origin.segments or pipe.checksums.verify_header(work.packet)


def report_anomalies(pipe: Pipeline, work: Work) -> bool:
    """Report what decoding found; a packet too broken to read is inspected by event rules only."""
    packet = work.packet
    if packet.anomalies is None:
        return _CONTINUE
    for name in packet.anomalies:
        pipe.counters.add("decoder.event." + name)
        work.events.append(AnomalyEvent(work.now, "decode", name, packet, None))
        work.note("decode", "anomaly", name)
    if is_invalid(packet):
        pipe.counters.add("decoder.invalid")
        work.usable = work.usable and readable(packet)
    return _CONTINUE


def identify(pipe: Pipeline, work: Work) -> bool:
    """Find the VM interfaces at both ends and whether the sender is who it says it is."""
    registry, packet, origin = pipe.registry, work.packet, work.origin
    if origin is not None and origin.unmapped and packet.outer is None:
        work.note("identify", "drop", "a port that belongs to nobody")
        work.decide(Decision(Verdict.DROP, Reason.UNKNOWN_INTERFACE, "port"))
        return _STOP
    if registry is None:
        return _CONTINUE
    if origin is None or packet.outer is not None:  # what a tunnel carries tells by its addresses alone
        registry.identify(packet)
        reason = registry.check(packet)
    else:
        reason = registry.admit(packet, origin)
    if work.trace is not None:
        for side, found in (("source", packet.src_if), ("destination", packet.dst_if)):
            work.note("identify", side, found.label if found is not None else "not in the inventory")
    if reason is None:
        return _CONTINUE
    work.events.append(NoticeEvent(work.now, reason.value, packet))
    if not _spoof_protected(pipe, packet):
        work.note("identify", "noticed", reason.value)
        return _CONTINUE
    work.note("identify", "drop", reason.value)
    work.decide(Decision(Verdict.DROP, reason, "spoof_protection"))
    return _STOP


def _spoof_protected(pipe: Pipeline, packet: Packet) -> bool:
    """Tell whether the sender's policy wants false senders dropped; without policies only a notice is due."""
    if pipe.bound is None:
        return False
    policy = pipe.bound.policy_of(packet.src_if)
    return policy is None or policy.spoof_protection


def defragment(pipe: Pipeline, work: Work) -> bool:
    """Hold fragments; the packet that completes a datagram goes on as the whole datagram."""
    packet = work.packet
    if not packet.is_fragment():
        return _CONTINUE
    if pipe.settings.defrag.unjudged == "drop" and packet.outer is None:
        work.decide(Decision(Verdict.DROP, Reason.FRAGMENT_UNJUDGED, "defrag.unjudged"))
        work.note("defrag", "drop", "a fragment, where only whole datagrams are expected")
    if is_invalid(packet):
        return _CONTINUE
    version = "ipv4" if packet.ip_version == 4 else "ipv6"
    pipe.counters.add(f"defrag.{version}.fragments")
    known = len(packet.anomalies or ())
    whole = pipe.defrag.add(packet, work.now)
    for name in (packet.anomalies or [])[known:]:
        work.events.append(AnomalyEvent(work.now, "decode", name, packet, None))
        _refuse_fragment(pipe, work, name)
    if work.inspect:
        pipe.detect_only(work)
    if whole is None:
        work.note("defrag", "held", "the datagram is not complete yet")
        return _STOP
    pipe.counters.add(f"defrag.{version}.reassembled")
    pipe.run_rebuilt(work, pipe.decoder.redecode(packet, whole.data))
    return _STOP


def _refuse_fragment(pipe: Pipeline, work: Work, anomaly: str) -> None:
    """Stop a fragment that was left out of its datagram, since the receiver may take it all the same.

    Where there are policies it is always dropped, or else a datagram that nobody judged would get through.
    """
    name = anomaly.partition(".")[2]
    if name == "frag_ignored":
        exceptions.apply(pipe, work, pipe.settings.defrag.memcap_policy, "defrag")
    reason = _REFUSED_FRAGMENTS.get(name)
    if reason is not None and pipe.firewall is not None:
        work.decide(Decision(Verdict.DROP, reason, anomaly))
        work.note("defrag", "drop", anomaly)


def readable(packet: Packet) -> bool:
    """Tell whether addresses and, where the protocol has them, ports are known.

    A bad TCP option makes a packet malformed, yet its receiver may take it: it belongs to its flow.
    """
    if packet.ip_version == 0:
        return False
    if packet.anomalies is None or packet.payload_off > packet.l4_off > 0:
        return True
    return not is_invalid(packet)
