"""The closed table of what can be wrong with a packet's headers.

Names are Suricata's decode events without the ``decoder.`` prefix, so that rules written with
``decode-event`` mean the same here. ``docs/anomalies.md`` is made from this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.model.packet import Packet

DECODE, DEFRAG, RESERVED = "decode", "defrag", "reserved"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One named anomaly.

    ``invalid``: the layer cannot be read, so the packet is malformed as a whole; otherwise it is
    merely odd. ``stage`` says who raises it: "decode", "defrag", or "reserved" for a name that
    rules may use but that nothing raises.
    """

    name: str
    meaning: str
    invalid: bool
    stage: str = DECODE


# Layer, then rows of: name ("!" in front: invalid), meaning[, stage].
_ROWS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "ipv4",
        (
            ("!pkt_too_small", "fewer than 20 bytes are left for the header"),
            ("!hlen_too_small", "header length field below 20 bytes"),
            ("!iplen_smaller_than_hlen", "total length smaller than the header"),
            ("!trunc_pkt", "total length exceeds the bytes present"),
            ("!wrong_ip_version", "version is not 4"),
            ("opt_invalid", "option of a type that is not known"),
            ("!opt_invalid_len", "option with an impossible length"),
            ("!opt_malformed", "option whose contents contradict themselves"),
            ("opt_pad_required", "options do not fill a multiple of 8 bytes"),
            ("opt_eol_required", "a lone byte after the last option is not end-of-list"),
            ("opt_duplicate", "an option that may stand once stands twice"),
            ("!opt_unknown", "synonym of ipv4.opt_invalid in old rules", RESERVED),
            ("!icmpv6", "ICMPv6 inside IPv4"),
            ("frag_pkt_too_large", "fragments reach beyond 65,535 bytes", DEFRAG),
            ("frag_overlap", "fragments overlap with different data", DEFRAG),
            ("frag_ignored", "fragment not taken: reassembly is at its limit", DEFRAG),
        ),
    ),
    (
        "icmpv4",
        (
            ("!pkt_too_small", "message shorter than its type requires"),
            ("unknown_type", "type that is not known"),
            ("unknown_code", "code that the type does not have"),
            ("!ipv4_trunc_pkt", "quoted packet shorter than an IPv4 header"),
            ("!ipv4_unknown_ver", "quoted packet is not IPv4"),
        ),
    ),
    (
        "icmpv6",
        (
            ("!pkt_too_small", "fewer than 8 bytes"),
            ("unknown_type", "type that is not known"),
            ("unknown_code", "code that the type does not have"),
            ("!ipv6_unknown_version", "quoted packet is not IPv6"),
            ("!ipv6_trunc_pkt", "quoted packet shorter than an IPv6 header"),
            ("mld_message_with_invalid_hl", "multicast listener message with a hop limit other than 1"),
            ("unassigned_type", "type that IANA has not assigned"),
            ("experimentation_type", "type reserved for private experiments"),
        ),
    ),
    ("igmp", (("!pkt_too_small", "fewer than 8 bytes"),)),
    (
        "ipv6",
        (
            ("!pkt_too_small", "fewer than 40 bytes are left for the header"),
            ("!trunc_pkt", "payload length exceeds the bytes present"),
            ("!trunc_exthdr", "extension header, or what it announces, is cut off"),
            ("exthdr_dupl_fh", "second fragment header"),
            ("exthdr_useless_fh", "fragment header on a packet that is not a fragment"),
            ("exthdr_dupl_rh", "second routing header"),
            ("exthdr_dupl_hh", "second hop-by-hop header"),
            ("exthdr_dupl_dh", "third destination options header"),
            ("exthdr_dupl_ah", "second authentication header"),
            ("exthdr_dupl_eh", "second ESP header", RESERVED),
            ("!exthdr_invalid_optlen", "option does not fit its extension header"),
            ("!wrong_ip_version", "version is not 6"),
            ("exthdr_ah_res_not_null", "reserved field of the authentication header is not 0"),
            ("hopopts_unknown_opt", "hop-by-hop option that is not known"),
            ("hopopts_only_padding", "hop-by-hop header with nothing but padding"),
            ("dstopts_unknown_opt", "destination option that is not known"),
            ("dstopts_only_padding", "destination options header with nothing but padding"),
            ("rh_type_0", "routing header type 0, deprecated by RFC 5095"),
            ("zero_len_padn", "PadN option without data"),
            ("fh_non_zero_reserved_field", "reserved field of the fragment header is not 0"),
            ("data_after_none_header", "data after a header that announces none"),
            ("unknown_next_header", "next header that is not known"),
            ("icmpv4", "ICMPv4 inside IPv6"),
            ("frag_pkt_too_large", "fragments reach beyond 65,535 bytes", DEFRAG),
            ("frag_overlap", "fragments overlap with different data", DEFRAG),
            ("frag_invalid_length", "fragment that is not the last is no multiple of 8 bytes", DEFRAG),
            ("frag_ignored", "fragment not taken: reassembly is at its limit", DEFRAG),
            ("!ipv4_in_ipv6_too_small", "carried IPv4 packet shorter than its header"),
            ("ipv4_in_ipv6_wrong_version", "carried packet should be IPv4 and is not"),
            ("!ipv6_in_ipv6_too_small", "carried IPv6 packet shorter than its header"),
            ("ipv6_in_ipv6_wrong_version", "carried packet should be IPv6 and is not"),
        ),
    ),
    (
        "tcp",
        (
            ("!pkt_too_small", "fewer than 20 bytes"),
            ("!hlen_too_small", "header length exceeds the bytes present"),
            ("!invalid_optlen", "header length field below 20 bytes"),
            ("!opt_invalid_len", "option with an impossible length"),
            ("opt_duplicate", "an option that may stand once stands twice"),
        ),
    ),
    (
        "udp",
        (
            ("!pkt_too_small", "length field exceeds the bytes present"),
            ("!hlen_too_small", "fewer than 8 bytes"),
            ("!hlen_invalid", "synonym of udp.len_invalid in old rules", RESERVED),
            ("!len_invalid", "length field below 8 bytes"),
        ),
    ),
    ("sctp", (("!pkt_too_small", "fewer than 12 bytes"),)),
    ("esp", (("!pkt_too_small", "fewer than 8 bytes"),)),
    (
        "arp",
        (
            ("!pkt_too_small", "fewer than 28 bytes"),
            ("!unsupported_hardware", "hardware type is not Ethernet"),
            ("!unsupported_protocol", "protocol type is not IPv4"),
            ("!unsupported_pkt", "longer than ARP and the padding of a frame"),
            ("!invalid_hardware_size", "hardware address length is not 6"),
            ("!invalid_protocol_size", "protocol address length is not 4"),
            ("!unsupported_opcode", "operation that is not known"),
        ),
    ),
    ("sll", (("!pkt_too_small", "fewer than 16 bytes"),)),
    ("sll2", (("!pkt_too_small", "fewer than 20 bytes"),)),
    (
        "ethernet",
        (
            ("!pkt_too_small", "fewer than 14 bytes"),
            ("unknown_ethertype", "protocol that is not decoded"),
        ),
    ),
    ("chdlc", (("!pkt_too_small", "fewer than 4 bytes"),)),
    ("dce", (("!pkt_too_small", "no Ethernet header after the FabricPath tag"),)),
    (
        "ppp",
        (
            ("!pkt_too_small", "cut off before the protocol field ends"),
            ("!vju_pkt_too_small", "uncompressed Van Jacobson packet shorter than an IPv4 header"),
            ("!ip4_pkt_too_small", "IPv4 packet shorter than its header"),
            ("!ip6_pkt_too_small", "IPv6 packet shorter than its header"),
            ("!wrong_type", "protocol that is not known"),
            ("unsup_proto", "network protocol that is not decoded"),
        ),
    ),
    (
        "pppoe",
        (
            ("!pkt_too_small", "shorter than the header of its stage"),
            ("!wrong_code", "discovery code that is not known"),
            ("!malformed_tags", "discovery tags do not fit the packet"),
        ),
    ),
    (
        "gre",
        (
            ("!pkt_too_small", "fewer than 4 bytes"),
            ("!wrong_version", "version is neither 0 nor 1"),
            ("!version0_recur", "version 0 with recursion control"),
            ("!version0_flags", "version 0 with reserved flags"),
            ("!version0_hdr_too_big", "version 0 header exceeds the packet"),
            ("!version0_malformed_sre_hdr", "version 0 source route exceeds the packet"),
            ("!version1_chksum", "version 1 with a checksum"),
            ("!version1_route", "version 1 with routing"),
            ("!version1_ssr", "version 1 with a strict source route"),
            ("!version1_recur", "version 1 with recursion control"),
            ("!version1_flags", "version 1 with reserved flags"),
            ("!version1_no_key", "version 1 without a key"),
            ("!version1_wrong_protocol", "version 1 that does not carry PPP"),
            ("!version1_malformed_sre_hdr", "version 1 has no source route", RESERVED),
            ("!version1_hdr_too_big", "version 1 header exceeds the packet"),
        ),
    ),
    (
        "vlan",
        (
            ("!header_too_small", "fewer than 4 bytes after the tag's type"),
            ("!unknown_type", "tag followed by a protocol that is not decoded"),
            ("!too_many_layers", "more than three tags"),
        ),
    ),
    ("ieee8021ah", (("!header_too_small", "fewer than 18 bytes after the tag's type"),)),
    (
        "vntag",
        (
            ("!header_too_small", "fewer than 6 bytes after the tag's type"),
            ("!unknown_type", "tag followed by a protocol that is not decoded"),
        ),
    ),
    (
        "etag",
        (
            ("!header_too_small", "fewer than 8 bytes after the tag's type"),
            ("!unknown_type", "tag followed by a protocol that is not decoded"),
        ),
    ),
    ("ipraw", (("!invalid_ip_version", "raw packet is neither IPv4 nor IPv6"),)),
    (
        "ltnull",
        (
            ("!pkt_too_small", "fewer than 4 bytes"),
            ("!unsupported_type", "address family is not IP"),
        ),
    ),
    (
        "mpls",
        (
            ("!header_too_small", "label stack has no bottom"),
            ("!pkt_too_small", "nothing after the label stack"),
            ("bad_label_router_alert", "router alert label at the bottom"),
            ("bad_label_implicit_null", "implicit null label on the wire"),
            ("bad_label_reserved", "reserved label"),
            ("unknown_payload_type", "payload is neither IP nor a pseudowire"),
        ),
    ),
    ("vxlan", (("!unknown_payload_type", "carried frame has a protocol that is not decoded"),)),
    ("geneve", (("!unknown_payload_type", "carries a protocol that is not decoded"),)),
    (
        "erspan",
        (
            ("!header_too_small", "header cut off"),
            ("!unsupported_version", "version does not fit the GRE protocol"),
            ("!too_many_vlan_layers", "what vlan.too_many_layers says inside ERSPAN too", RESERVED),
        ),
    ),
    (
        "nsh",
        (
            ("!header_too_small", "fewer than 8 bytes"),
            ("unsupported_version", "version is not 0"),
            ("!bad_header_length", "header length does not fit its type or the packet"),
            ("reserved_type", "metadata type 0"),
            ("unsupported_type", "metadata type that is not known"),
            ("unknown_payload", "carries a protocol that is not decoded"),
        ),
    ),
    ("", (("!too_many_layers", "more headers or tunnels inside each other than are followed"),)),
)


def _entries() -> Iterator[Anomaly]:
    for layer, rows in _ROWS:
        for row in rows:
            name = row[0].removeprefix("!")
            full = f"{layer}.{name}" if layer else name
            yield Anomaly(full, row[1], row[0].startswith("!"), row[2] if len(row) > 2 else DECODE)


TABLE: dict[str, Anomaly] = {entry.name: entry for entry in _entries()}
ANOMALIES: tuple[str, ...] = tuple(TABLE)
INVALID: frozenset[str] = frozenset(entry.name for entry in TABLE.values() if entry.invalid)


def is_invalid(packet: Packet) -> bool:
    """Tell whether an anomaly of ``packet`` itself (not of what it carries) makes it malformed."""
    return packet.anomalies is not None and not INVALID.isdisjoint(packet.anomalies)


def as_markdown() -> str:
    """Give the text of ``docs/anomalies.md``."""
    lines = [
        "# Decode anomalies",
        "",
        "Made from `appliance/decode/anomalies.py`; do not edit. In rules: `decode-event:<name>`; in EVE:",
        "`anomaly.event: decoder.<name>`. *invalid* means that a layer of the packet cannot be read and the",
        "packet counts as malformed; *event* means that it is odd and goes on. *Raised by* names the stage;",
        "`reserved` names are accepted in rules and never raised.",
        "",
        "| name | kind | raised by | meaning |",
        "|---|---|---|---|",
    ]
    for entry in TABLE.values():
        kind = "invalid" if entry.invalid else "event"
        lines.append(f"| `{entry.name}` | {kind} | {entry.stage} | {entry.meaning} |")
    return "\n".join(lines) + "\n"
