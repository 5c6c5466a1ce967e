"""What to say to the two ends when a packet is rejected: TCP resets, ICMP and ICMPv6 errors.

Nothing here sends. The frames are in the name of the other end, since the appliance has no address of its
own, and carry the VLAN tags of the packet they answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.capture.place import NO_MAC
from appliance.decode.checksum import words
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, TH_ACK, TH_FIN, TH_RST, TH_SYN, Packet

_TAGS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_TTL = 64
_QUOTE4 = 576 - 20 - 8  # RFC 1812 section 4.3.2.3: the error is no larger than 576 bytes
_QUOTE6 = 1280 - 40 - 8  # RFC 4443 section 2.4 (c): nor than the smallest MTU
_QUERIES = frozenset({0, 8, 13, 14, 15, 16, 17, 18})  # ICMP that is no error (RFC 1122 section 3.2.2)
_ECHO6 = frozenset({128, 129})
_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class Refusal:
    """A frame to send: back out of the port that the packet came in by, or on to its receiver."""

    frame: bytes
    to_sender: bool


def refusals(packet: Packet, both: bool = True) -> list[Refusal]:
    """Say what to send when ``packet``, the outermost of an Ethernet frame, is rejected.

    TCP gets a reset (RFC 9293 section 3.10.7), to its sender and, unless ``both`` is off or the packet only
    opens a connection, to its receiver. Other protocols get an error to the sender: administratively
    prohibited (ICMP type 3 code 13, RFC 1812 section 5.2.7.1; ICMPv6 type 1 code 1, RFC 4443 section 3.1).
    Nothing answers a reset, an ICMP error, a group or broadcast, a fragment other than the first, or what has
    no usable addresses (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)). The caller bounds the rate.
    """
    middle = _between(packet)
    if middle is None or not _answerable(packet):
        return []
    if packet.proto == PROTO_TCP:
        return _resets(packet, middle, both)
    if not _may_be_reported(packet):
        return []
    return [Refusal(_back(packet, middle) + _error(packet), True)]


def _between(packet: Packet) -> bytes | None:
    """Give what stands between the MACs and the IP header, None when it is more than VLAN tags."""
    frame = packet.frame
    if packet.linktype != 1 or packet.start or packet.ip_version not in _ETHERTYPES:
        return None
    at = 12
    while frame[at : at + 2] in _TAGS:
        at += 4
    if at + 2 != packet.ip_off or frame[at : at + 2] != _ETHERTYPES[packet.ip_version]:
        return None
    return frame[12 : at + 2]


def _answerable(packet: Packet) -> bool:
    if packet.frag_off or packet.eth_dst[0] & 1 or packet.eth_src[0] & 1:
        return False
    if len(packet.src) != len(packet.dst) or not packet.src:
        return False
    return _one_host(packet.src) and _one_host(packet.dst)


def _one_host(address: bytes) -> bool:
    if len(address) == 16:
        return address[0] != 0xFF and any(address)
    return 0 < address[0] < 224 and address[0] != 127


def _may_be_reported(packet: Packet) -> bool:
    if packet.proto == PROTO_ICMP:
        return packet.ip_version == 4 and packet.icmp_type in _QUERIES and packet.payload_off > packet.l4_off
    if packet.proto == PROTO_ICMPV6:
        return packet.icmp_type in _ECHO6
    return packet.proto >= 0


def _resets(packet: Packet, middle: bytes, both: bool) -> list[Refusal]:
    flags = packet.tcp_flags
    if packet.tcp_hlen < 20 or flags & TH_RST:
        return []
    length = packet.payload_len + bool(flags & TH_SYN) + bool(flags & TH_FIN)
    if flags & TH_ACK:
        back = _tcp(packet, True, packet.ack, 0, TH_RST)
    else:
        back = _tcp(packet, True, 0, (packet.seq + length) % _MODULUS, TH_RST | TH_ACK)
    out = [Refusal(_back(packet, middle) + back, True)]
    # Who gets the first SYN knows of no connection; who gets the answer to it wants its SYN acknowledged.
    opens = flags & TH_SYN and not flags & TH_ACK
    if both and not opens and packet.eth_dst != NO_MAC:
        on = _tcp(packet, False, packet.seq, packet.ack, TH_RST | flags & TH_ACK)
        out.append(Refusal(packet.eth_dst + packet.eth_src + middle + on, False))
    return out


def _back(packet: Packet, middle: bytes) -> bytes:
    return packet.eth_src + packet.eth_dst + middle


def _tcp(packet: Packet, to_sender: bool, seq: int, ack: int, flags: int) -> bytes:
    ports = packet.dport, packet.sport
    src, dst = packet.dst, packet.src
    if not to_sender:
        ports, src, dst = ports[::-1], dst, src
    numbers = b"".join(port.to_bytes(2, "big") for port in ports)
    head = numbers + seq.to_bytes(4, "big") + ack.to_bytes(4, "big")
    segment = head + bytes((0x50, flags)) + bytes(6)
    total = _sum(src + dst) + PROTO_TCP + len(segment) + _sum(segment)
    return _ip(src, dst, PROTO_TCP, segment[:16] + _complement(total) + segment[18:], 0)


def _error(packet: Packet) -> bytes:
    """Make the ICMP error with its IP header; it quotes the packet as far as the standards want."""
    frame = packet.frame
    start = packet.ip_off
    end = min(len(frame), start + max(packet.ip_len, packet.ip_hlen)) if packet.ip_len else len(frame)
    if packet.ip_version == 4:
        body = bytes((3, 13, 0, 0, 0, 0, 0, 0)) + frame[start : min(end, start + _QUOTE4)]
        body = body[:2] + _complement(_sum(body)) + body[4:]
        return _ip(packet.dst, packet.src, PROTO_ICMP, body, 0xC0)
    body = bytes((1, 1, 0, 0, 0, 0, 0, 0)) + frame[start : min(end, start + _QUOTE6)]
    total = _sum(packet.dst + packet.src) + PROTO_ICMPV6 + len(body) + _sum(body)
    body = body[:2] + _complement(total) + body[4:]
    return _ip(packet.dst, packet.src, PROTO_ICMPV6, body, 0)


def _ip(src: bytes, dst: bytes, proto: int, body: bytes, tos: int) -> bytes:
    if len(src) == 16:
        return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes((proto, _TTL)) + src + dst + body
    size = (20 + len(body)).to_bytes(2, "big")
    head = bytes((0x45, tos)) + size + b"\0\0\x40\0" + bytes((_TTL, proto, 0, 0)) + src + dst
    return head[:10] + _complement(_sum(head)) + head[12:] + body


def _sum(data: bytes) -> int:
    return int(words(data, 0, len(data)))


def _complement(total: int) -> bytes:
    return (0xFFFF - total % 0xFFFF).to_bytes(2, "big")
