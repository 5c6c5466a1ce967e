"""Protocols that are named but not parsed, so that application control can allow or refuse them."""

from __future__ import annotations

from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec


def _stun(data: bytes) -> int:
    """STUN header with its magic cookie (RFC 8489 section 5)."""
    if len(data) < 20 or data[0] & 0xC0 or data[4:8] != b"\x21\x12\xa4\x42":
        return PROBE_NO
    return PROBE_YES if int.from_bytes(data[2:4], "big") == len(data) - 20 else PROBE_NO


def _wireguard(data: bytes) -> int:
    """WireGuard handshake messages have a fixed type, reserved zeros and length."""
    sizes = {1: 148, 2: 92, 3: 64}
    fits = data[1:4] == b"\0\0\0" and sizes.get(data[0]) == len(data) if data else False
    return PROBE_YES if fits else PROBE_NO


def _telnet(data: bytes) -> int:
    """Option negotiation (RFC 854): IAC, WILL to DONT, option; twice, since one may be chance."""
    for place, low, high in ((0, 0xFF, 0xFF), (1, 0xFB, 0xFE), (2, 0, 49), (3, 0xFF, 0xFF), (4, 0xFA, 0xFE)):
        if place >= len(data):
            return PROBE_MAYBE
        if not low <= data[place] <= high:
            return PROBE_NO
    return PROBE_YES


_SSH = (Pattern(b"SSH-"),)
_TORRENT = (Pattern(b"\x13BitTorrent protocol"),)
_IAC = (Pattern(b"\xff", confirm=_telnet),)
_IMAP_GREETING = (Pattern(b"* OK ", nocase=True), Pattern(b"* CAPABILITY ", nocase=True))

SPECS: tuple[ProtocolSpec, ...] = (
    ProtocolSpec("ssh", patterns=(_SSH, _SSH)),
    ProtocolSpec("bittorrent", patterns=(_TORRENT, _TORRENT)),
    ProtocolSpec("imap", patterns=((Pattern(b"1 capability", nocase=True),), _IMAP_GREETING)),
    ProtocolSpec("pop3", patterns=((), (Pattern(b"+OK"), Pattern(b"-ERR")))),
    ProtocolSpec("rfb", patterns=((), (Pattern(b"RFB 00"),))),
    ProtocolSpec("irc", patterns=((Pattern(b"NICK "), Pattern(b"CAP LS")), ())),
    ProtocolSpec("telnet", patterns=(_IAC, _IAC)),
    ProtocolSpec("stun", ("udp",), probings=(Probing(_stun, 0), Probing(_stun, 1))),
    ProtocolSpec("wireguard", ("udp",), probings=(Probing(_wireguard, 0), Probing(_wireguard, 1))),
)
