"""Internet checksums (RFC 1071) of IPv4, TCP, UDP, ICMP and ICMPv6, and when not to trust a wrong one."""

from __future__ import annotations

from typing import Final

import cython

from appliance.model.packet import CSUM_BAD_IP, CSUM_BAD_L4, Packet

SAMPLE: Final = 1000  # packets looked at in mode "auto"
RATIO: Final = 10  # more than one in so many wrong: the capturing host offloads checksums


class Checksums:
    """Verifies checksums in one of four modes.

    "all" verifies always and "none" never; "mark" verifies for rules that ask, and holds nothing against a
    packet. "auto" is for captures: it takes a TCP checksum that the
    sender's stack left to the network card for right, and stops verifying for good when more than a tenth
    of the first thousand packets were wrong all the same.
    Packets that the kernel hands over before it has filled in their checksum must not be given to it.
    """

    __slots__ = ("auto", "bad", "enabled", "lenient", "sampling", "seen")

    def __init__(self, mode: str) -> None:
        """Start in ``mode``: "all", "none", "mark" or "auto"."""
        if mode not in ("all", "none", "mark", "auto"):
            raise ValueError(f"checksum mode {mode!r} is not all, none, mark or auto")
        self.enabled: bool = mode != "none"
        self.lenient: bool = mode == "mark"
        self.auto: bool = mode == "auto"
        self.sampling: bool = self.auto
        self.seen: int = 0
        self.bad: int = 0

    def verify(self, packet: Packet) -> bool:
        """Set ``packet.csum`` and tell whether the packet is usable. Carried packets are not looked at."""
        if not self.enabled:
            return True
        packet.csum = 0
        if packet.ip_version == 4 and not packet.rebuilt and not _ip_good(packet):
            packet.csum = CSUM_BAD_IP
        if packet.ip_version != 0 and not _l4_good(packet) and not (self.auto and _left_to_card(packet)):
            packet.csum |= CSUM_BAD_L4
        if self.sampling:
            self.sample(packet.csum & CSUM_BAD_L4 != 0)
        return packet.csum == 0 or self.lenient

    def verify_header(self, packet: Packet) -> bool:
        """Look at the IP header alone: the transport's checksum is right, or not there yet."""
        if not self.enabled:
            return True
        wrong = packet.ip_version == 4 and not packet.rebuilt and not _ip_good(packet)
        packet.csum = CSUM_BAD_IP if wrong else 0
        return not wrong or self.lenient

    def sample(self, bad: bool) -> None:
        """Count one packet of the sample and decide at its end."""
        self.seen += 1
        if bad:
            self.bad += 1
        if self.seen >= SAMPLE:
            self.sampling = False
            self.enabled = self.bad * RATIO <= self.seen


def _ip_good(packet: Packet) -> bool:
    total = words(packet.frame, packet.ip_off, packet.ip_off + packet.ip_hlen)
    # In Van Jacobson's uncompressed packets the protocol field was replaced after the sum was made.
    total += packet.proto - packet.frame[packet.ip_off + 9]
    return total % 65535 == 0


def _l4_good(packet: Packet) -> bool:
    """Check TCP, UDP or ICMP when its whole header was decoded; other protocols pass."""
    proto = packet.proto
    start = packet.l4_off
    end = packet.payload_off + packet.payload_len
    if packet.payload_off <= start or packet.more_frags or packet.frag_off:
        return True
    if proto == 1:
        return packet.ip_version == 6 or words(packet.frame, start, end) % 65535 == 0
    if proto == 17 and packet.frame[start + 6] == 0 and packet.frame[start + 7] == 0:
        return packet.ip_version == 4  # not computed; IPv6 has no such choice (RFC 8200 section 8.1)
    if proto not in (6, 17, 58) or 43 in packet.ext_headers:  # a routed packet sums its last destination
        return True
    total = words(packet.frame, start, end) + end - start + proto
    total += words(packet.src, 0, len(packet.src)) + words(packet.dst, 0, len(packet.dst))
    return total % 65535 == 0


def _left_to_card(packet: Packet) -> bool:
    """Tell whether a TCP checksum is what a stack writes that lets the card compute it.

    That is the sum of the pseudo header, without the length where the card cuts the segment up as well,
    or nothing at all.
    """
    if packet.proto != 6:
        return False
    field = packet.frame[packet.l4_off + 16] << 8 | packet.frame[packet.l4_off + 17]
    total = words(packet.src, 0, len(packet.src)) + words(packet.dst, 0, len(packet.dst)) + 6
    length = packet.payload_off + packet.payload_len - packet.l4_off
    return field == 0 or field % 65535 in (total % 65535, (total + length) % 65535)


def words(data: bytes, start: int, end: int) -> int:
    """Give the sum of the 16-bit words of ``data[start:end]`` modulo 65535; an odd end is padded with 0."""
    if not cython.compiled:
        value = int.from_bytes(data[start:end], "big")
        return (value << 8 if (end - start) & 1 else value) % 65535
    start, end = max(start, 0), min(end, len(data))
    base = data  # a pointer: bounds are checked above
    total = 0
    stop = end - ((end - start) & 1)
    while start < stop:
        total += base[start] << 8 | base[start + 1]
        start += 2
    if start < end:
        total += base[start] << 8
    return total % 65535
