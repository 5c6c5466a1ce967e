"""What the kernel may do by itself with the rest of a connection, so that user space sees what it needs.

After each packet :func:`remember` says it in bits of :mod:`appliance.model.mark`. ``Flow.kernel`` holds what
was said last, in the flow's own directions.
``docs/design/inline.md`` lists the conditions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from appliance.config.settings import AppSettings, EveOutput
from appliance.engine.work import Work
from appliance.firewall.bound import W_CONTROLS, W_INSPECTED
from appliance.firewall.judgement import FOREVER
from appliance.flow.key import counterpart
from appliance.model.flow import F_BYPASS, F_DROPPED, F_KNOWN, F_PASSED, F_SWAPPED, F_WATCHED, Flow
from appliance.model.mark import BLOCKED, SETTLED, SETTLED_ORIGINAL, SETTLED_REPLY, turned
from appliance.model.origin import REPLY, UNKNOWN, Origin, place_of
from appliance.model.packet import (
    PROTO_GRE,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_IPIP,
    PROTO_IPV6,
    PROTO_TCP,
    PROTO_UDP,
    TH_ACK,
    TH_SYN,
    TOCLIENT,
    TOSERVER,
    Packet,
)
from appliance.model.tcp import P_UNSEEN
from appliance.protocols.detection import FAILED

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_FTP = 21
_ENDS_WATCH = F_DROPPED | F_BYPASS | F_PASSED
# Record kinds that need no parser.
_PLAIN_RECORDS = frozenset(("alert", "drop", "flow", "netflow", "stats", "arp"))


def locate(packet: Packet, origin: Origin) -> None:
    """Note on a frame and on all that it carries which segment it was in."""
    if not origin.zone and not origin.copy:  # the only copy in the only segment
        return
    place = place_of(origin)
    inner: Packet | None = packet if place else None
    while inner is not None:
        inner.place = place
        inner = inner.inner


def orient(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """Let a new flow run the way the kernel saw it begin, where its first packet here is not its first."""
    origin, packet = work.origin, work.packet
    if origin is None or packet.outer is not None:
        return
    if origin.known:
        flow.flags |= F_KNOWN
    if origin.reply != REPLY or packet.direction != TOSERVER:
        return
    pipe.table.swap(flow)
    flow.flags ^= F_SWAPPED  # it was never taken to run the other way
    packet.direction = TOCLIENT
    if flow.proto in (PROTO_ICMP, PROTO_ICMPV6):
        question = counterpart(flow.proto, flow.icmp_type)
        flow.icmp_type = question if question >= 0 else flow.icmp_type


def awaken(pipe: Pipeline, work: Work, flow: Flow) -> Flow | None:
    """See to a packet of a flow that the kernel was to judge by itself.

    A SYN of a connection that is new to the kernel means that the flow is over: None is given then.
    """
    if not flow.kernel & SETTLED or not _opens_another(work, flow):
        return flow
    pipe.table.remove(flow)
    flow.end_reason = "forced"
    pipe.end_flows([flow], work)
    work.packet.flow = None
    return None


def _opens_another(work: Work, flow: Flow) -> bool:
    """Tell whether the packet is a SYN that is none of this connection."""
    packet, origin = work.packet, work.origin
    if packet.proto != PROTO_TCP or packet.tcp_flags & (TH_SYN | TH_ACK) != TH_SYN:
        return False
    if origin is None or origin.known:
        return False
    return flow.tcp is None or flow.tcp.client.isn != packet.seq


def remember(pipe: Pipeline, work: Work) -> int:
    """Give what the kernel may remember of the connection of a packet, in the kernel's directions."""
    flow, packet, origin = work.flow, work.packet, work.origin
    if flow is None:
        flow = work.related
    if flow is None or flow.queue < 0 or (flow.flags & F_WATCHED != 0 and _still_watched(flow)):
        return 0
    bits = _bits(pipe, packet, flow)
    if bits != flow.kernel:
        _note(pipe, flow, bits)
    if origin is None or origin.reply == UNKNOWN:
        return bits
    direction = packet.direction if work.flow is not None else _about(packet, flow)
    same = (origin.reply == REPLY) == (direction == TOCLIENT)
    return bits if same else turned(bits)


def _still_watched(flow: Flow) -> bool:
    """Tell whether a flow that rules look at has come to nothing that could end that: the everyday case."""
    if flow.flags & _ENDS_WATCH:
        return False
    tcp, detect = flow.tcp, flow.detect
    if tcp is None:
        if flow.proto == PROTO_TCP:
            return False
    elif tcp.client.depth_reached or tcp.server.depth_reached:
        return False
    return detect is None or not detect.ended


def _about(packet: Packet, flow: Flow) -> int:
    """Give the direction of an error: it goes to the end that sent what it is about."""
    return TOCLIENT if packet.dst == flow.client else TOSERVER


def _note(pipe: Pipeline, flow: Flow, bits: int) -> None:
    pipe.table.settle(flow, bits)
    tcp = flow.tcp
    if tcp is None:
        return
    if bits & SETTLED_ORIGINAL:
        tcp.client.flags |= P_UNSEEN
    if bits & SETTLED_REPLY:
        tcp.server.flags |= P_UNSEEN


def _bits(pipe: Pipeline, packet: Packet, flow: Flow) -> int:
    """Give what may be remembered, where the client's direction is the original one."""
    judged = flow.judged
    if flow.flags & F_DROPPED:
        denied_for_now = judged is not None and not judged.allowed and judged.until != FOREVER
        return 0 if denied_for_now else BLOCKED
    firewall = pipe.firewall
    if firewall is not None and not firewall.final(flow):
        return 0
    if _may_carry(pipe, packet, flow):
        return 0
    detector = pipe.detector
    if detector is not None and detector.follows(flow):
        return 0
    return _uninspected(pipe, flow)


def _may_carry(pipe: Pipeline, packet: Packet, flow: Flow) -> bool:
    """Tell whether a flow is a tunnel: what it carries has policies of its own."""
    if packet.inner is not None or flow.proto in (PROTO_IPIP, PROTO_IPV6, PROTO_GRE):
        return True
    if flow.proto != PROTO_UDP:
        return False
    decode = pipe.settings.decode
    if decode.teredo and not decode.teredo_ports:
        return True  # any port may carry it
    ports = (*decode.vxlan_ports, *decode.geneve_ports, *(decode.teredo_ports if decode.teredo else ()))
    return flow.sport in ports or flow.cport in ports


def _uninspected(pipe: Pipeline, flow: Flow) -> int:
    """Give the directions in which nobody waits for packets any more."""
    if flow.flags & F_BYPASS:
        return SETTLED
    wishes = _wishes(pipe, flow)
    inspected = wishes & W_INSPECTED != 0
    if inspected and pipe.detector is not None and not _over(flow):
        bits = _beyond_depth(pipe, flow)
        if not bits:
            flow.flags |= F_WATCHED
        return bits
    waits = (wishes & W_CONTROLS or (inspected and pipe.recorded)) and _app_waits(flow)
    return _beyond_depth(pipe, flow) if waits or _announces(pipe, flow) else SETTLED


def _wishes(pipe: Pipeline, flow: Flow) -> int:
    """Say what the policies of both ends want, in bits ``W_``: traffic that is nobody's is inspected."""
    if pipe.bound is None:
        return W_INSPECTED
    return pipe.bound.wishes(flow.client_if, flow.server_if) or W_INSPECTED


def _over(flow: Flow) -> bool:
    """Tell whether a rule has ended inspection of the flow."""
    detect = flow.detect
    return flow.flags & F_PASSED != 0 or (detect is not None and detect.ended)


def _beyond_depth(pipe: Pipeline, flow: Flow) -> int:
    """Give the directions of which as many bytes were looked at as the settings want.

    Beside the traffic data waits for the acknowledgement that travels the other way: then both or none.
    """
    tcp, depth = flow.tcp, pipe.tracker.streams.depth
    if tcp is None or not depth:
        return 0
    bits = SETTLED_ORIGINAL if tcp.client.depth_reached and tcp.client.delivered >= depth else 0
    if tcp.server.depth_reached and tcp.server.delivered >= depth:
        bits |= SETTLED_REPLY
    return bits if pipe.tracker.streams.inline or bits == SETTLED else 0


def _app_waits(flow: Flow) -> bool:
    """Tell whether recognition or a parser could still make something of more bytes."""
    if flow.proto not in (PROTO_TCP, PROTO_UDP):
        return False
    app = flow.app
    if app is None or not app.proto or app.resuming:
        return True
    if app.proto == FAILED or app.parser is None:
        return False
    return not (app.parser.failed or app.parser.bypass)


def _announces(pipe: Pipeline, flow: Flow) -> bool:
    """Tell whether the flow may announce connections that the firewall then lets in, as FTP does."""
    if pipe.firewall is None or flow.proto != PROTO_TCP or not pipe.app.parses("ftp"):
        return False
    app = flow.app
    if app is None or not app.proto:
        return _FTP in (flow.cport, flow.sport)
    return app.proto == "ftp" and _app_waits(flow)


def records_applications(outputs: Iterable[EveOutput]) -> bool:
    """Tell whether an output has records that parsers make."""
    return any(one.types - _PLAIN_RECORDS for one in outputs)


def let_go(settings: AppSettings) -> frozenset[str]:
    """Name the protocols whose flows pass uninspected once they are encrypted.

    It is Suricata's option ``encryption-handling`` (older: ``no-reassemble``) of TLS and SSH; without it they
    are followed on.
    """
    found = [name for name in ("ssh", "tls") if _bypasses(settings.options(name))]
    return frozenset(found)


def _bypasses(options: dict[str, Any]) -> bool:
    return options.get("encryption-handling") == "bypass" or options.get("no-reassemble") is True
