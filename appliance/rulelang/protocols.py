"""Protocols that may begin a rule, what each of them can be on the wire, and their hooks."""

from __future__ import annotations

from types import MappingProxyType

# Header words below the application layer; the value is the name used in the tree.
PACKET_PROTOCOLS = MappingProxyType(
    {
        "ip": "ip",
        "ipv4": "ipv4",
        "ip4": "ipv4",
        "ipv6": "ipv6",
        "ip6": "ipv6",
        "tcp": "tcp",
        "tcp-pkt": "tcp-pkt",
        "tcp-stream": "tcp-stream",
        "udp": "udp",
        "icmp": "icmp",
        "icmpv4": "icmpv4",
        "icmpv6": "icmpv6",
        "sctp": "sctp",
        "igmp": "igmp",
        "gre": "gre",
        "esp": "esp",
        "ah": "ah",
        "ipip": "ipip",
        "pkthdr": "pkthdr",
        "ether": "ether",
        "arp": "arp",
        "vxlan": "vxlan",
        "geneve": "geneve",
    }
)

# Application protocols and the transports they run on.
APP_PROTOCOLS = MappingProxyType(
    {
        "bittorrent-dht": "udp",
        "dcerpc": "tcp udp",
        "dhcp": "udp",
        "dnp3": "tcp",
        "dns": "tcp udp",
        "dtls": "udp",
        "doh2": "tcp",
        "enip": "tcp udp",
        "ftp": "tcp",
        "ftp-data": "tcp",
        "http": "tcp",
        "http1": "tcp",
        "http2": "tcp",
        "ike": "udp",
        "imap": "tcp",
        "irc": "tcp",
        "jabber": "tcp",
        "krb5": "tcp udp",
        "ldap": "tcp udp",
        "llmnr": "tcp udp",
        "mdns": "udp",
        "modbus": "tcp",
        "mqtt": "tcp",
        "msn": "tcp",
        "mysql": "tcp",
        "nfs": "tcp udp",
        "ntp": "udp",
        "pgsql": "tcp",
        "pop3": "tcp",
        "quic": "udp",
        "rdp": "tcp",
        "redis": "tcp",
        "rfb": "tcp",
        "rsync": "tcp",
        "sip": "tcp udp",
        "smb": "tcp",
        "smtp": "tcp",
        "snmp": "udp",
        "ssh": "tcp",
        "telnet": "tcp",
        "template": "tcp",
        "tftp": "udp",
        "tls": "tcp",
        "websocket": "tcp",
    }
)

APP_ALIASES = MappingProxyType({"ssl": "tls", "ikev1": "ike", "ikev2": "ike", "http_any": "http"})

# What a rule's protocol may find a flow to be, where that is more than itself.
FAMILIES: MappingProxyType[str, frozenset[str]] = MappingProxyType(
    {
        "http": frozenset({"http1", "http2", "doh2"}),
        "http2": frozenset({"http2", "doh2"}),
        "dns": frozenset({"dns", "doh2"}),
        "dcerpc": frozenset({"dcerpc", "smb"}),
    }
)

_GENERIC = ("request_started", "request_complete", "response_started", "response_complete")
_TRANSPORT = ("flow_start", "all")

_HTTP = (
    *(
        "request_started",
        "request_line",
        "request_headers",
        "request_body",
        "request_trailer",
        "request_complete",
    ),
    *("response_started", "response_line", "response_headers", "response_body", "response_trailer"),
    "response_complete",
)
_TLS = (
    *(
        "client_in_progress",
        "client_hello_done",
        "client_cert_done",
        "client_handshake_done",
        "client_finished",
    ),
    *("server_in_progress", "server_hello", "server_hello_done", "server_cert_done", "server_handshake_done"),
    "server_finished",
)
_SSH = (
    *("request_in_progress", "request_banner_wait_eol", "request_banner_done", "request_finished"),
    *("response_in_progress", "response_banner_wait_eol", "response_banner_done", "response_finished"),
)
HOOKS = MappingProxyType(
    {
        "http1": _HTTP,
        "http": _HTTP,
        "http2": (*_GENERIC, "request_headers", "response_headers", "request_body", "response_body"),
        "tls": (*_GENERIC, *_TLS),
        "dtls": (*_GENERIC, *_TLS),
        "ssh": (*_GENERIC, *_SSH),
        "tcp": _TRANSPORT,
        "udp": _TRANSPORT,
        "tcp-pkt": _TRANSPORT,
        "icmp": _TRANSPORT,
        "ip": (*_TRANSPORT, "pre_flow", "pre_stream"),
        "ipv4": _TRANSPORT,
        "ipv6": _TRANSPORT,
    }
)


def family(protocol: str) -> frozenset[str]:
    """Name every application protocol that a rule for ``protocol`` may find."""
    return FAMILIES.get(protocol) or frozenset((protocol,))


def hooks_of(protocol: str) -> tuple[str, ...]:
    """Name the hooks of a header protocol; empty when it has none."""
    if protocol in HOOKS:
        return HOOKS[protocol]
    return _GENERIC if protocol in APP_PROTOCOLS else ()
