"""Link layers other than Ethernet: from a link type of the pcap registry to an EtherType.

Every reader starts at ``packet.payload_off``, moves past its header and returns the EtherType of
what follows, or -1. https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.decode.ethernet import advance, ethernet, u16
from appliance.decode.numbers import IPV4_OF_VJ
from appliance.model.packet import Packet

# Address families as Linux, the BSDs, macOS and Windows number them.
_FAMILIES = {2: 0x0800, 10: 0x86DD, 23: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}


def null(packet: Packet) -> int:
    """Read the address family of BSD loopback; its byte order is that of the capturing host."""
    if packet.payload_len < 4:
        packet.note("ltnull.pkt_too_small")
        return -1
    off = packet.payload_off
    head = packet.frame[off : off + 4]
    advance(packet, 4)
    little = _FAMILIES.get(int.from_bytes(head, "little"), -1)
    kind = little if little >= 0 else _FAMILIES.get(int.from_bytes(head, "big"), -1)
    if kind < 0:
        packet.note("ltnull.unsupported_type")
    return kind


def raw(packet: Packet) -> int:
    """Tell IPv4 from IPv6 by the version where there is no link header."""
    if packet.payload_len < 20:
        packet.note("ipv4.pkt_too_small")
        return -1
    version = packet.frame[packet.payload_off] >> 4
    if version == 4:
        return 0x0800
    if version == 6:
        return 0x86DD
    packet.note("ipraw.invalid_ip_version")
    return -1


def sll(packet: Packet) -> int:
    """Read a Linux cooked header; the sender's address is kept when it looks like a MAC."""
    if packet.payload_len < 16:
        packet.note("sll.pkt_too_small")
        return -1
    off = packet.payload_off
    if u16(packet, 4) == 6:
        packet.eth_src = packet.frame[off + 6 : off + 12]
    kind = u16(packet, 14)
    advance(packet, 16)
    return kind


def sll2(packet: Packet) -> int:
    """Read a Linux cooked header, version 2."""
    if packet.payload_len < 20:
        packet.note("sll2.pkt_too_small")
        return -1
    off = packet.payload_off
    if packet.frame[off + 11] == 6:
        packet.eth_src = packet.frame[off + 12 : off + 18]
    kind = u16(packet, 0)
    advance(packet, 20)
    return kind


def chdlc(packet: Packet) -> int:
    """Read a Cisco HDLC header (RFC 1547 section 4.3.1)."""
    if packet.payload_len < 4:
        packet.note("chdlc.pkt_too_small")
        return -1
    kind = u16(packet, 2)
    advance(packet, 4)
    return kind


# PPP protocol: what follows, the bytes it needs, what to note when they are not there.
_PPP_IP: dict[int, tuple[int, int, str]] = {
    0x0021: (0x0800, 20, "ppp.ip4_pkt_too_small"),
    0x0057: (0x86DD, 40, "ppp.ip6_pkt_too_small"),
    0x002F: (IPV4_OF_VJ, 20, "ppp.vju_pkt_too_small"),
    0x0281: (0x8847, 0, ""),
    0x0283: (0x8847, 0, ""),
}

# Network protocols of the IANA registry that nothing here reads.
_PPP_UNSUPPORTED = frozenset(
    {0x0023, 0x0025, 0x0027, 0x0029, 0x002B, 0x002D, 0x0031, 0x0033, 0x0035, 0x003D, 0x004F}
    | {0x00FB, 0x00FD, 0x0201, 0x0203, 0x0231, 0x0233, 0x0235, 0x4001, 0x4003, 0x4021, 0x4023, 0x4025}
)


def ppp(packet: Packet) -> int:
    """Read a PPP header; address and control, and half the protocol, may be left out (RFC 1661)."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len >= 2 and frame[off] == 0xFF and frame[off + 1] == 0x03:
        advance(packet, 2)
        off += 2
    if packet.payload_len >= 1 and frame[off] & 1:
        advance(packet, 1)
        return ppp_protocol(packet, frame[off])
    if packet.payload_len < 2:
        packet.note("ppp.pkt_too_small")
        return -1
    advance(packet, 2)
    return ppp_protocol(packet, frame[off] << 8 | frame[off + 1])


def ppp_protocol(packet: Packet, proto: int) -> int:
    """Give the EtherType that PPP's ``proto`` stands for; control protocols end decoding quietly."""
    entry = _PPP_IP.get(proto)
    if entry is not None:
        if packet.payload_len < entry[1]:
            packet.note(entry[2])
            return -1
        return entry[0]
    if proto in _PPP_UNSUPPORTED:
        packet.note("ppp.unsup_proto")
    elif not (proto & 0x8000 and proto & 1):  # 8xxx and cxxx configure: LCP, PAP, CHAP, IPCP, ...
        packet.note("ppp.wrong_type")
    return -1


def pppoe_session(packet: Packet) -> int:
    """Read a PPPoE session header and PPP's protocol (RFC 2516 section 6)."""
    if packet.payload_len < 8:
        packet.note("pppoe.pkt_too_small")
        return -1
    length = u16(packet, 4)
    proto = u16(packet, 6)
    advance(packet, 8)
    if length < 2:
        packet.payload_len = 0
    elif length - 2 < packet.payload_len:
        packet.payload_len = length - 2
    return ppp_protocol(packet, proto)


_PPPOE_CODES = frozenset({0x09, 0x07, 0x19, 0x65, 0xA7})  # PADI PADO PADR PADS PADT


def pppoe_discovery(packet: Packet) -> int:
    """Check a PPPoE discovery packet: code and tags (RFC 2516 section 5). Nothing follows."""
    if packet.payload_len < 6:
        packet.note("pppoe.pkt_too_small")
        return -1
    length = u16(packet, 4)
    code = packet.frame[packet.payload_off + 1]
    advance(packet, 6)
    if code not in _PPPOE_CODES:
        packet.note("pppoe.wrong_code")
        return -1
    if length > packet.payload_len:
        packet.note("pppoe.malformed_tags")
        return -1
    packet.payload_len = length
    _check_tags(packet)
    return -1


def _check_tags(packet: Packet) -> None:
    at = 0
    while at + 4 <= packet.payload_len:
        kind = u16(packet, at)
        at += 4 + u16(packet, at + 2)
        if kind == 0:  # end of list
            return
    if at != packet.payload_len:
        packet.note("pppoe.malformed_tags")


LINKS: dict[int, Callable[[Packet], int]] = {
    0: null,
    1: ethernet,
    9: ppp,
    12: raw,
    14: raw,
    50: ppp,
    101: raw,
    104: chdlc,
    108: null,
    113: sll,
    228: raw,
    229: raw,
    276: sll2,
}
