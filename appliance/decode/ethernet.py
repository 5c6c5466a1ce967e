"""Ethernet, its tags, and other headers that lead from one EtherType to the next.

Each function reads at ``packet.payload_off``, moves it past the header, and returns the EtherType
of what follows or -1 when nothing can follow. IEEE 802.3, 802.1Q, 802.1ah, 802.1BR.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.decode.numbers import MAX_LAYERS, MAX_VLANS
from appliance.model.cut import cut
from appliance.model.packet import Packet


def ethernet(packet: Packet) -> int:
    """Read the Ethernet header of a frame: both MACs and the type."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 14:
        packet.note("ethernet.pkt_too_small")
        return -1
    packet.eth_dst = cut(frame, off, off + 6)
    packet.eth_src = cut(frame, off + 6, off + 12)
    packet.payload_off = off + 14
    packet.payload_len -= 14
    return frame[off + 12] << 8 | frame[off + 13]


def nested_ethernet(packet: Packet) -> int:
    """Read an Ethernet header inside a link-layer tunnel; the MACs stay those of the wire."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 14:
        packet.note("ethernet.pkt_too_small")
        return -1
    packet.payload_off = off + 14
    packet.payload_len -= 14
    return frame[off + 12] << 8 | frame[off + 13]


def advance(packet: Packet, size: int) -> None:
    """Move the cursor over ``size`` bytes that are known to be there."""
    packet.payload_off += size
    packet.payload_len -= size


def u16(packet: Packet, at: int) -> int:
    """Read 16 bits ``at`` bytes past the cursor."""
    off = packet.payload_off + at
    return packet.frame[off] << 8 | packet.frame[off + 1]


def llc(packet: Packet) -> int:
    """Read 802.2 LLC; SNAP (RFC 1042) gives an EtherType, anything else ends decoding here.

    ``packet.ethertype`` holds the 802.3 length when it comes from a frame; padding is cut off.
    """
    length = packet.ethertype
    if packet.linktype not in (113, 276) and length < packet.payload_len:  # cooked headers hold no length
        packet.payload_len = length
    packet.ethertype = 4
    off = packet.payload_off
    frame = packet.frame
    if packet.payload_len < 8 or frame[off : off + 3] != b"\xaa\xaa\x03":
        return -1
    if frame[off + 3 : off + 6] not in (b"\x00\x00\x00", b"\x00\x00\xf8"):
        return -1
    kind = u16(packet, 6)
    advance(packet, 8)
    return kind if kind > 0x05FF else -1


def vlan(packet: Packet) -> int:
    """Read an 802.1Q or 802.1ad tag."""
    if packet.payload_len < 4:
        packet.note("vlan.header_too_small")
        return -1
    if len(packet.vlans) >= MAX_VLANS:
        packet.note("vlan.too_many_layers")
        return -1
    off = packet.payload_off
    frame = packet.frame
    packet.vlans = (*packet.vlans, (frame[off] & 0x0F) << 8 | frame[off + 1])
    packet.payload_off = off + 4
    packet.payload_len -= 4
    return frame[off + 2] << 8 | frame[off + 3]


def vntag(packet: Packet) -> int:
    """Read a Cisco VN-Tag: four bytes, then the type."""
    return _tag(packet, 6, "vntag.header_too_small")


def etag(packet: Packet) -> int:
    """Read an 802.1BR E-TAG: six bytes, then the type."""
    return _tag(packet, 8, "etag.header_too_small")


def backbone(packet: Packet) -> int:
    """Read an 802.1ah service tag: four bytes, the customer's MACs, then the type."""
    return _tag(packet, 18, "ieee8021ah.header_too_small")


def _tag(packet: Packet, size: int, anomaly: str) -> int:
    if packet.payload_len < size:
        packet.note(anomaly)
        return -1
    kind = u16(packet, size - 2)
    advance(packet, size)
    return kind


def dce(packet: Packet) -> int:
    """Read a Cisco FabricPath tag, which an Ethernet frame follows."""
    if packet.payload_len < 16:
        packet.note("dce.pkt_too_small")
        return -1
    advance(packet, 2)
    return nested_ethernet(packet)


# MPLS labels below 16 have a meaning of their own (RFC 3032, RFC 7274).
_BAD_LABELS = {1: "mpls.bad_label_router_alert", 3: "mpls.bad_label_implicit_null"}


def mpls(packet: Packet) -> int:
    """Read an MPLS label stack (RFC 3032) and tell by its last label or the next byte what follows."""
    depth = 0
    while True:
        depth += 1
        if depth > MAX_LAYERS:
            packet.note("too_many_layers")
            return -1
        if packet.payload_len < 4:
            packet.note("mpls.header_too_small")
            return -1
        label = u16(packet, 0) << 4 | packet.frame[packet.payload_off + 2] >> 4
        bottom = packet.frame[packet.payload_off + 2] & 1
        advance(packet, 4)
        if bottom:
            break
    if label in (0, 2):
        return 0x86DD if label else 0x0800
    if label < 16:
        packet.note(_BAD_LABELS.get(label, "mpls.bad_label_reserved"))
        return -1
    return _after_labels(packet)


def _after_labels(packet: Packet) -> int:
    if packet.payload_len < 4:
        packet.note("mpls.pkt_too_small")
        return -1
    nibble = packet.frame[packet.payload_off] >> 4
    if nibble == 4:
        return 0x0800
    if nibble == 6:
        return 0x86DD
    if nibble == 0:  # pseudowire control word, RFC 4385
        advance(packet, 4)
        return nested_ethernet(packet)
    packet.note("mpls.unknown_payload_type")
    return -1


# NSH metadata type: lengths allowed in bytes (RFC 8300 section 2.2).
_NSH_LENGTHS = {1: (24, 24), 2: (8, 252)}
_NSH_NEXT = {1: 0x0800, 2: 0x86DD, 5: 0x8847}


def nsh(packet: Packet) -> int:
    """Read a network service header (RFC 8300)."""
    if packet.payload_len < 8:
        packet.note("nsh.header_too_small")
        return -1
    frame = packet.frame
    off = packet.payload_off
    if frame[off] >> 6:
        packet.note("nsh.unsupported_version")
        return -1
    size = (frame[off + 1] & 0x3F) * 4
    kind = frame[off + 2] & 0x0F
    if size > packet.payload_len:
        packet.note("nsh.bad_header_length")
        return -1
    limits = _NSH_LENGTHS.get(kind)
    if limits is None:
        packet.note("nsh.unsupported_type" if kind else "nsh.reserved_type")
        return -1
    if not limits[0] <= size <= limits[1]:
        packet.note("nsh.bad_header_length")
        return -1
    advance(packet, size)
    return _after_nsh(packet, frame[off + 3])


def _after_nsh(packet: Packet, proto: int) -> int:
    if proto == 3:
        return nested_ethernet(packet)
    kind = _NSH_NEXT.get(proto, -1)
    if kind < 0:
        packet.note("nsh.unknown_payload")
    return kind


Shim = Callable[[Packet], int]

TAGS: dict[int, Shim] = {
    0x8100: vlan,
    0x88A8: vlan,
    0x9100: vlan,
    0x88E7: backbone,
    0x8903: dce,
    0x8926: vntag,
    0x893F: etag,
    0x8847: mpls,
    0x8848: mpls,
    0x894F: nsh,
}

# What to note when one of these leads to a type that is not decoded.
UNKNOWN_AFTER: dict[int, str] = {
    0x8100: "vlan.unknown_type",
    0x88A8: "vlan.unknown_type",
    0x9100: "vlan.unknown_type",
    0x8926: "vntag.unknown_type",
    0x893F: "etag.unknown_type",
}
