"""Community ID version 1: the same short name for a connection in every tool.

Source: github.com/corelight/community-id-spec.
"""

from __future__ import annotations

import base64
import hashlib

from appliance.model.flow import Flow
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP

# ICMP types that answer each other; all others are one-way and have their code in the port's place.
_PAIRS4 = ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))
_PAIRS6 = ((128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145))
ANSWERS4 = {**dict(_PAIRS4), **{b: a for a, b in _PAIRS4}}
ANSWERS6 = {**dict(_PAIRS6), **{b: a for a, b in _PAIRS6}}
_WITH_PORTS = frozenset((PROTO_TCP, PROTO_UDP, PROTO_SCTP))


def answer_type(flow: Flow) -> int | None:
    """Give the ICMP type that answers the flow's first packet; None when nothing does."""
    return (ANSWERS4 if flow.ip_version == 4 else ANSWERS6).get(flow.icmp_type)


def community_id(flow: Flow, seed: int) -> str:
    """Name a flow; both directions have the same name."""
    one_way = False
    sport, dport = flow.cport, flow.sport
    if flow.proto in {PROTO_ICMP, PROTO_ICMPV6}:
        answer = answer_type(flow)
        one_way = answer is None
        sport, dport = flow.icmp_type, flow.icmp_code if answer is None else answer
    here, there = (flow.client, sport & 0xFFFF), (flow.server, dport & 0xFFFF)
    if not one_way and there < here:
        here, there = there, here
    ports = b""
    if flow.proto in _WITH_PORTS or flow.proto in {PROTO_ICMP, PROTO_ICMPV6}:
        ports = here[1].to_bytes(2, "big") + there[1].to_bytes(2, "big")
    head = (seed & 0xFFFF).to_bytes(2, "big") + here[0] + there[0] + bytes((flow.proto & 0xFF, 0))
    digest = hashlib.sha1(head + ports, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode("ascii")
