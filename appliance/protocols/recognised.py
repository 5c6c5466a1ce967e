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


_SSH = (Pattern(b"SSH-"),)
_TORRENT = (Pattern(b"\x13BitTorrent protocol"),)
_IMAP_GREETING = (Pattern(b"* OK ", nocase=True), Pattern(b"* CAPABILITY ", nocase=True))


def _mongodb(data: bytes) -> int:
    """Little-endian message length, and an operation code that clients and servers send."""
    if len(data) < 16:
        return PROBE_MAYBE
    length, code = int.from_bytes(data[:4], "little"), int.from_bytes(data[12:16], "little")
    return PROBE_YES if 16 <= length <= 48 << 20 and code in {1, 2004, 2010, 2011, 2012, 2013} else PROBE_NO


def _socks5(data: bytes) -> int:
    """Version 5 and a list of authentication methods of the announced length (RFC 1928 section 3)."""
    if len(data) < 3:
        return PROBE_MAYBE if data[:1] in {b"", b"\x05"} else PROBE_NO
    return PROBE_YES if data[0] == 5 and 0 < data[1] == len(data) - 2 else PROBE_NO


def _openvpn(data: bytes) -> int:
    """Hard reset of a client or server with key id 0, and a session id."""
    fits = len(data) >= 14 and data[0] in {0x38, 0x40, 0x50}
    return PROBE_YES if fits and any(data[1:9]) else PROBE_NO


def _ajp(data: bytes) -> int:
    """Magic number of the web server's side, length and a known message type."""
    if len(data) < 5:
        return PROBE_MAYBE if data[:2] in {b"", b"\x12", b"\x124"} else PROBE_NO
    return PROBE_YES if data[:2] == b"\x124" and data[4] in {2, 7, 8, 10} else PROBE_NO


def _coap(data: bytes) -> int:
    """Version 1, a token of at most eight bytes, a method or response code (RFC 7252 section 3)."""
    if len(data) < 4 or data[0] >> 6 != 1 or data[0] & 0x0F > 8:
        return PROBE_NO
    return PROBE_YES if data[1] >> 5 in {0, 2, 4, 5} and data[1] & 0x1F <= 31 else PROBE_NO


def _port(number: int) -> tuple[tuple[int, int], ...]:
    return ((number, number),)


_MEMCACHED = tuple(Pattern(word) for word in (b"get ", b"gets ", b"set ", b"stats\r", b"version\r"))
_RTSP = tuple(Pattern(word) for word in (b"DESCRIBE rtsp://", b"OPTIONS rtsp://", b"SETUP rtsp://"))
_GIT = (Pattern(b"git-upload-pack /", 4), Pattern(b"git-receive-pack /", 4))
_XMPP = (Pattern(b"<stream:stream "), Pattern(b"<?xml version='1.0'?><stream:stream "))
_X11 = (Pattern(b"l\0\x0b\0"), Pattern(b"B\0\0\x0b"))

SPECS: tuple[ProtocolSpec, ...] = (
    ProtocolSpec("ssh", patterns=(_SSH, _SSH)),
    ProtocolSpec("bittorrent", patterns=(_TORRENT, _TORRENT)),
    ProtocolSpec("imap", patterns=((Pattern(b"1 capability", nocase=True),), _IMAP_GREETING)),
    ProtocolSpec("pop3", patterns=((), (Pattern(b"+OK"), Pattern(b"-ERR")))),
    ProtocolSpec("rfb", patterns=((), (Pattern(b"RFB 00"),))),
    ProtocolSpec("irc", patterns=((Pattern(b"NICK "), Pattern(b"CAP LS")), ())),
    ProtocolSpec("stun", ("udp",), probings=(Probing(_stun, 0), Probing(_stun, 1))),
    ProtocolSpec("wireguard", ("udp",), probings=(Probing(_wireguard, 0), Probing(_wireguard, 1))),
    ProtocolSpec("ajp", probings=(Probing(_ajp, 0, _port(8009)),)),
    ProtocolSpec("amqp", patterns=((Pattern(b"AMQP\0"),), (Pattern(b"AMQP\0"),))),
    ProtocolSpec("coap", ("udp",), probings=(Probing(_coap, 0, _port(5683)),)),
    ProtocolSpec("git", patterns=(_GIT, ())),
    ProtocolSpec("memcached", patterns=(_MEMCACHED, ())),
    ProtocolSpec("mongodb", probings=tuple(Probing(_mongodb, side, _port(27017)) for side in (0, 1))),
    ProtocolSpec(
        "openvpn", ("udp",), probings=tuple(Probing(_openvpn, side, _port(1194)) for side in (0, 1))
    ),
    ProtocolSpec("rsync", patterns=((Pattern(b"@RSYNCD: "),), (Pattern(b"@RSYNCD: "),))),
    ProtocolSpec("rtsp", patterns=(_RTSP, (Pattern(b"RTSP/1.0 "),))),
    ProtocolSpec("socks", probings=(Probing(_socks5, 0, _port(1080)),)),
    ProtocolSpec("x11", patterns=(_X11, ())),
    ProtocolSpec("xmpp", patterns=(_XMPP, _XMPP)),
)
