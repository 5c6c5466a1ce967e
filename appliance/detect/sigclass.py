"""When a rule is evaluated, from what it looks at (manual, "rule types")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.bits import HostBitCheck
from appliance.detect.content import ContentStep
from appliance.detect.matchers import (
    ChecksumMatcher,
    FieldMatcher,
    FlagMatcher,
    OptionMatcher,
    RpcMatcher,
    SameAddress,
    VlanMatcher,
)
from appliance.detect.packetkeys import FIELDS
from appliance.detect.packettests import AppProtocolMatcher
from appliance.detect.reputation import CountryMatcher, ReputationMatcher
from appliance.detect.signature import Kind, Signature

if TYPE_CHECKING:
    from appliance.rulelang.tree import FlowOption

_DSIZE = FIELDS["dsize"]
# What is asked of one packet, and not of its flow.
_FIELDS = frozenset(getter for name, getter in FIELDS.items() if not name.startswith("flow."))
_OF_PACKETS = (
    FlagMatcher,
    OptionMatcher,
    ChecksumMatcher,
    SameAddress,
    RpcMatcher,
    VlanMatcher,
    CountryMatcher,
)
# Conditions that leave a rule one on addresses; all others are looked at packet by packet.
_STABLE = (ReputationMatcher, HostBitCheck)


def classify(signature: Signature, option: FlowOption | None) -> None:
    """Set the kind of a signature, and whether its payload is the packet's, the stream's or both."""
    protocol = signature.rule.protocol
    signature.scope = _scope(signature, option)
    if signature.frame is not None:
        signature.kind, signature.scope = Kind.FRAME, "flow"
    elif signature.tx_tests:
        signature.kind = Kind.APP
    elif signature.chain is not None:
        _payload(signature, option, protocol)
    elif _protocol_only(signature, option):
        signature.kind = Kind.PROTOCOL
    elif _address_only(signature, option):
        signature.kind = Kind.IP_ONLY
    else:
        signature.kind = Kind.STREAM if protocol == "tcp-stream" else Kind.PACKET
        signature.on_stream = protocol == "tcp-stream"


def _payload(signature: Signature, option: FlowOption | None, protocol: str) -> None:
    """Sort a rule with payload conditions."""
    stream_word = option.only_stream if option is not None else None
    packets = protocol == "tcp-pkt" or stream_word is False or _on_fields(signature)
    tcp = signature.header.protocols is None or 6 in signature.header.protocols
    signature.kind = Kind.PACKET if packets or not tcp else Kind.STREAM
    signature.on_stream = signature.kind is Kind.STREAM
    only_stream = protocol == "tcp-stream" or stream_word is True
    # Where contents count from the start, the start of each packet counts as well.
    signature.on_packet = not signature.on_stream or (not only_stream and _anchored(signature))


def _anchored(signature: Signature) -> bool:
    """Tell whether a content has an offset or depth."""
    for step in signature.chain or ():
        if isinstance(step, ContentStep) and (step.absolute_depth or step.offset or step.offset_var >= 0):
            return True
    return False


def _scope(signature: Signature, option: FlowOption | None) -> str:
    """Say what an action is for: the "flow", the "packet", or the flow if a stream has matched.

    A rule on addresses, ports or the application alone decides about connections; one that looks at the
    direction or state of a flow, or at the fields of packets, about those packets.
    """
    if signature.tx_tests or signature.protocols is not None:
        return "packet" if _on_size(signature) else "flow"
    if signature.chain is not None:
        return "stream"
    if signature.packet_tests:
        return "packet"
    if _protocol_only(signature, option):
        return "flow"
    named = all(isinstance(m, ReputationMatcher) for m in signature.matchers)
    return "flow" if option is None and named else "packet"


def _on_size(signature: Signature) -> bool:
    return any(isinstance(m, FieldMatcher) and m.getter is _DSIZE for m in signature.matchers)


def _on_fields(signature: Signature) -> bool:
    """Tell whether the rule looks at the header of packets, so that its contents are those of packets too."""
    return bool(signature.packet_tests) or any(
        isinstance(m, _OF_PACKETS) or (isinstance(m, FieldMatcher) and m.getter in _FIELDS)
        for m in signature.matchers
    )


def _protocol_only(signature: Signature, option: FlowOption | None) -> bool:
    """Only the application's name is asked for, by keyword; one in the header counts for each packet."""
    if signature.protocols is not None or signature.packet_tests or not signature.matchers:
        return False
    stateful = option is not None and (option.established is not None or option.stateless)
    if stateful and signature.rule.prefilter != "app-layer-protocol":
        return False
    return all(isinstance(matcher, AppProtocolMatcher) for matcher in signature.matchers)


def _address_only(signature: Signature, option: FlowOption | None) -> bool:
    """Only addresses and the protocol above IP are asked for."""
    if option is not None or signature.packet_tests or signature.header.with_ports:
        return False
    if signature.header.non_ip or signature.rule.protocol in {"tcp-pkt", "tcp-stream"}:
        return False
    if signature.protocols is not None or signature.rule.source.negated or signature.rule.destination.negated:
        return False
    return all(isinstance(matcher, _STABLE) for matcher in signature.matchers)
