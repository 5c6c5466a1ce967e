"""Single packets that only a scanner sends."""

from __future__ import annotations

from appliance.model.packet import (
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    TH_ACK,
    TH_CWR,
    TH_ECN,
    TH_FIN,
    TH_PUSH,
    TH_SYN,
    TH_URG,
    Packet,
)

_CONTROL = 0x3F  # without the two bits of congestion control, RFC 3168
_XMAS = TH_FIN | TH_PUSH | TH_URG
_BY_FLAGS = {
    0: "null",
    TH_FIN: "fin",
    _XMAS: "xmas",
    _XMAS | TH_SYN: "os_fingerprint",
    TH_SYN | TH_FIN: "syn_fin",
    TH_SYN | TH_FIN | TH_ACK: "syn_fin",
    TH_SYN | TH_FIN | TH_PUSH: "syn_fin",
    TH_SYN | TH_FIN | TH_URG: "syn_fin",
}
_ECHO_REQUEST = 8
_PROBE_LENGTH = 300
_PROBE_PAYLOAD = b"C" * _PROBE_LENGTH


def probe_of(packet: Packet) -> str:
    """Name the kind of scan that this one packet gives away, "" for none.

    OS fingerprinting is known by packets that no stack sends: a SYN that announces congestion
    control and an urgent pointer without URG, an echo request with a code, a datagram of 300 "C",
    SYN with FIN, PSH and URG (Fyodor, "Nmap Network Scanning", chapter 8).
    """
    if packet.frag_off > 0:
        return ""
    if packet.proto == PROTO_TCP:
        return _tcp_probe(packet)
    if packet.proto == PROTO_ICMP:
        return "os_fingerprint" if packet.icmp_type == _ECHO_REQUEST and packet.icmp_code else ""
    if packet.proto == PROTO_UDP and packet.payload_len == _PROBE_LENGTH:
        return "os_fingerprint" if packet.payload() == _PROBE_PAYLOAD else ""
    return ""


def _tcp_probe(packet: Packet) -> str:
    if packet.tcp_hlen == 0:  # the header was cut short: no flags to look at
        return ""
    flags = packet.tcp_flags
    if flags & 0xFF == TH_SYN | TH_ECN | TH_CWR and packet.urgent:
        return "os_fingerprint"
    return _BY_FLAGS.get(flags & _CONTROL, "")
