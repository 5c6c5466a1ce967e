"""Keywords that compare numbers."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.rulelang import enums, numbers
from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused
from appliance.rulelang.keyword import MUST, Keyword
from appliance.rulelang.tree import IntMatch, IntSet

# protocols | bits (negative: signed) | name [alias ...] [=words]
_PLAIN = """
|16|dsize
|8|ttl
|8|tos
|16|id
|16|fragoffset
|8|itype
|8|icode
|16|icmp_id
|16|icmp_seq
|32|icmpv6.mtu
|8|igmp.type
|8|igmp.code
|32|tcp.seq seq
|32|tcp.ack ack
|16|tcp.window window
|16|tcp.mss
|8|tcp.wscale
|32|flow.age
|8|vlan.layers
|24|vxlan_vni vxlan.vni
dns|8|dns.opcode =DNS_OPCODES
dns|16|dns.rcode =DNS_RCODES
dns|16|dns.rrtype =DNS_TYPES
mdns|16|mdns.rrtype =DNS_TYPES
http2|8|http2.frametype =HTTP2_FRAMES
http2|32|http2.errorcode =HTTP2_ERRORS
http2|8|http2.priority
http2|32|http2.window
tls dtls|32|tls.cert_chain_len
dhcp|64|dhcp.leasetime
dhcp|64|dhcp.rebinding_time
dhcp|64|dhcp.renewal_time
ike|8|ike.exchtype
ike|32|ike.key_exchange_payload_length
ike|32|ike.nonce_payload_length
krb5|32|krb5_msg_type krb5.msg_type
krb5|-32|krb5_err_code krb5.err_code
mqtt|8|mqtt.type =MQTT_TYPES
mqtt|8|mqtt.protocol_version
mqtt|8|mqtt.qos
mqtt|8|mqtt.reason_code mqtt.connack.return_code
nfs|32|nfs_version nfs.version
nfs|32|nfs_procedure nfs.procedure =NFS_PROCEDURES
ntp|8|ntp.version
ntp|8|ntp.mode =NTP_MODES
ntp|8|ntp.stratum
rfb|32|rfb.sectype
snmp|32|snmp.version
snmp|32|snmp.pdu_type =SNMP_PDUS
websocket|8|websocket.opcode =WEBSOCKET_OPCODES
websocket|32|websocket.mask
enip|16|enip_command enip.command =ENIP_COMMANDS
enip|32|enip.status =ENIP_STATUSES
enip|16|enip.capabilities
enip|32|enip.cip_attribute
enip|32|enip.cip_class
enip|32|enip.cip_instance
enip|8|enip.cip_status
enip|16|enip.cip_extendedstatus
enip|16|enip.device_type
enip|16|enip.identity_status
enip|16|enip.product_code
enip|16|enip.protocol_version
enip|16|enip.revision
enip|32|enip.serial
enip|8|enip.state
enip|16|enip.vendor_id
ldap|32|ldap.responses.count
ftp|16|ftp.dynamic_port
dnp3|8|dnp3_func dnp3.func =DNP3_FUNCTIONS
template|32|template.number
"""

_DIRECTION = r"either|both|toserver|toclient|to_server|to_client"

_SPECIAL = (
    Keyword("bsize", "match", numbers.read_bsize, "[<|>|!]number or low<>high", bits=64),
    Keyword(
        "urilen",
        "number",
        numbers.read_trailed,
        "number[,norm|raw]",
        protocols=("http1", "http2"),
        bits=16,
        pattern="|norm|raw",
    ),
    Keyword(
        "vlan.id", "number", numbers.read_trailed, "number[,layer]", bits=16, pattern=r"|all|any|-?[0-3]"
    ),
    Keyword(
        "flow.pkts",
        "number",
        numbers.read_led,
        "either|toserver|toclient,number",
        bits=64,
        pattern=_DIRECTION,
    ),
    Keyword(
        "flow.bytes",
        "number",
        numbers.read_led,
        "either|toserver|toclient,number",
        bits=64,
        pattern=_DIRECTION,
    ),
    Keyword(
        "filesize",
        "number",
        numbers.read_led,
        "[to_server|to_client,]number",
        bits=64,
        protocols=("http1", "http2", "smtp", "ftp", "ftp-data", "smb", "nfs"),
        pattern="|to_server|to_client",
    ),
    Keyword(
        "ldap.request.operation",
        "number",
        numbers.read_number,
        "name or number",
        protocols=("ldap",),
        names=enums.LDAP_OPERATIONS,
    ),
    Keyword(
        "ldap.responses.operation",
        "number",
        numbers.read_trailed,
        "name or number[,index]",
        protocols=("ldap",),
        names=enums.LDAP_OPERATIONS,
        pattern=r"|all|any|-?\d{1,4}",
    ),
    Keyword(
        "ldap.responses.result_code",
        "number",
        numbers.read_trailed,
        "name or number[,index]",
        protocols=("ldap",),
        names=enums.LDAP_RESULTS,
        pattern=r"|all|any|-?\d{1,4}",
    ),
    Keyword(
        "dcerpc.opnum",
        "number",
        numbers.read_set,
        "number[,low-high …]",
        protocols=("dcerpc",),
        aliases=("dce_opnum",),
        bits=16,
    ),
    Keyword(
        "mqtt.flags",
        "number",
        numbers.read_flags,
        "[!]dup,[!]retain",
        protocols=("mqtt",),
        names=enums.MQTT_FLAGS,
        bits=8,
    ),
    Keyword(
        "mqtt.connect.flags",
        "number",
        numbers.read_flags,
        "[!]username,[!]password,…",
        protocols=("mqtt",),
        names=enums.MQTT_CONNECT_FLAGS,
        bits=8,
    ),
    Keyword(
        "websocket.flags",
        "number",
        numbers.read_flags,
        "[!]fin,[!]comp or &mask=value",
        protocols=("websocket",),
        names=enums.WEBSOCKET_FLAGS,
        bits=8,
    ),
    Keyword(
        "http2.size_update",
        "number",
        numbers.read_number,
        "number",
        protocols=("http2",),
        bits=64,
    ),
)

_STRONG = ((17, 20), (25, 26))  # RFC 8429 and RFC 6649 deprecate the others


def read_ticket_encryption(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``krb5.ticket_encryption``: weak, strong, or a list of names and numbers."""
    word = value.lower().removeprefix("!").strip()
    if word in {"weak", "strong"}:
        negated = (word == "weak") != value.startswith("!")
        draft.add(IntSet(keyword.name, _STRONG, negated, position=draft.position))
        return
    numbers.read_set(draft, keyword, value)


def read_indications(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``dnp3_ind``: one of the named bits is set."""
    names = keyword.names or {}
    mask = 0
    for word in value.lower().replace("|", ",").split(","):
        if word.strip() not in names:
            raise Refused(f"unknown indication '{word.strip()[:40]}'", f"known: {', '.join(names)}")
        mask |= names[word.strip()]
    draft.add(IntMatch(keyword.name, "&", mask, position=draft.position))


def number_keywords() -> Iterator[Keyword]:
    """Give every keyword that compares a number."""
    for line in _PLAIN.split("\n"):
        if not line:
            continue
        protocols, bits, words = line.split("|")
        name, *rest = words.split()
        table = next((word[1:] for word in rest if word[0] == "="), "")
        yield Keyword(
            name,
            "number",
            numbers.read_number,
            "name or number" if table else "number, <number, low<>high, &mask=value",
            MUST,
            tuple(protocols.split()),
            tuple(word for word in rest if word[0] != "="),
            names=getattr(enums, table) if table else None,
            bits=int(bits),
        )
    yield from _SPECIAL
    for counter in ("flow.pkts", "flow.bytes"):
        for way in ("toclient", "toserver"):
            yield Keyword(
                f"{counter}_{way}",
                "number",
                numbers.read_one_way,
                "number",
                buffer=counter,
                bits=64,
                pattern=way,
            )
    yield Keyword(
        "krb5.ticket_encryption",
        "number",
        read_ticket_encryption,
        "weak, strong or name or number[,…]",
        protocols=("krb5",),
        names=enums.KRB5_ENCTYPES,
        bits=-32,
    )
    yield Keyword(
        "dnp3_ind",
        "number",
        read_indications,
        "name[,name …]",
        protocols=("dnp3",),
        aliases=("dnp3.ind",),
        names=enums.DNP3_INDICATIONS,
        bits=16,
    )
