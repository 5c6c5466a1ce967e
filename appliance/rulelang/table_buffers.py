"""Buffers that rules can look at: the sticky ones, the old modifiers, and contents in disguise."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.rulelang import content
from appliance.rulelang.keyword import MAY, MUST, NO, Keyword

# protocols | name [alias ...]
_STICKY = """
http1 http2|http.uri
http1 http2|http.uri.raw
http1 http2|http.method
http1 http2|http.header
http1 http2|http.header.raw
http1 http2|http.cookie
http1 http2|http.user_agent
http1 http2|http.host
http1 http2|http.host.raw
http1 http2|http.stat_code
http1 http2|http.stat_msg
http1 http2|http.request_body
http1 http2|http.response_body
http1 http2|http.protocol http_protocol
http1 http2|http.start http_start
http1 http2|http.request_line http_request_line
http1 http2|http.response_line http_response_line
http1 http2|http.header_names http_header_names
http1 http2|http.request_header
http1 http2|http.response_header
http1 http2|http.accept http_accept
http1 http2|http.accept_enc http_accept_enc
http1 http2|http.accept_lang http_accept_lang
http1 http2|http.connection http_connection
http1 http2|http.content_len http_content_len
http1 http2|http.content_type http_content_type
http1 http2|http.referer http_referer
http1 http2|http.location http_location
http1 http2|http.server http_server
http2|http2.header_name
dns|dns.query dns_query
dns|dns.queries.rrname dns.query.name
dns|dns.answers.rrname dns.answer.name
dns|dns.authorities.rrname
dns|dns.additionals.rrname
dns|dns.response.rrname
mdns|mdns.queries.rrname
mdns|mdns.answers.rrname
mdns|mdns.authorities.rrname
mdns|mdns.additionals.rrname
mdns|mdns.response.rrname
tls dtls|tls.sni tls_sni
tls dtls|tls.cert_subject tls_cert_subject
tls dtls|tls.cert_issuer tls_cert_issuer
tls dtls|tls.cert_serial tls_cert_serial
tls dtls|tls.cert_fingerprint tls_cert_fingerprint
tls dtls|tls.certs tls_certs
tls dtls|tls.subjectaltname
tls dtls|tls.random
tls dtls|tls.random_time
tls dtls|tls.random_bytes
tls dtls|tls.alpn
tls dtls quic|ja3.hash ja3_hash
tls dtls quic|ja3.string ja3_string
tls dtls quic|ja3s.hash
tls dtls quic|ja3s.string
tls dtls quic|ja4.hash ja4_hash
quic|quic.version
quic|quic.sni
quic|quic.ua
quic|quic.cyu.hash
quic|quic.cyu.string
ssh|ssh.proto ssh_proto
ssh|ssh.software ssh_software
ssh|ssh.hassh
ssh|ssh.hassh.string
ssh|ssh.hassh.server
ssh|ssh.hassh.server.string
smtp|smtp.helo
smtp|smtp.mail_from
smtp|smtp.rcpt_to
smtp|email.from
smtp|email.to
smtp|email.cc
smtp|email.subject
smtp|email.date
smtp|email.message_id
smtp|email.x_mailer
smtp|email.url
smtp|email.received
smtp|email.body_md5
ftp|ftp.command
ftp|ftp.command_data
ftp|ftp.reply
ftp|ftp.completion_code
dcerpc|dcerpc.stub_data dce_stub_data
smb|smb.named_pipe smb_named_pipe
smb|smb.share smb_share
smb|smb.ntlmssp_user
smb|smb.ntlmssp_domain
krb5|krb5.cname krb5_cname
krb5|krb5.sname krb5_sname
sip|sip.method
sip|sip.uri
sip|sip.request_line
sip|sip.response_line
sip|sip.stat_code
sip|sip.stat_msg
sip|sip.protocol
sip|sip.from
sip|sip.to
sip|sip.via
sip|sip.user_agent
sip|sip.content_type
sip|sip.content_length
sip|sdp.session_name
sip|sdp.session_info
sip|sdp.origin
sip|sdp.uri
sip|sdp.email
sip|sdp.phone_number
sip|sdp.connection_data
sip|sdp.bandwidth
sip|sdp.time
sip|sdp.repeat_time
sip|sdp.timezone
sip|sdp.encryption_key
sip|sdp.attribute
sip|sdp.media.media
sip|sdp.media.media_info
sip|sdp.media.connection_data
sip|sdp.media.encryption_key
snmp|snmp.community
snmp|snmp.usm
ike|ike.init_spi
ike|ike.resp_spi
ike|ike.vendor
ike|ike.key_exchange_payload
ike|ike.nonce_payload
mqtt|mqtt.connect.clientid
mqtt|mqtt.connect.username
mqtt|mqtt.connect.password
mqtt|mqtt.connect.willtopic
mqtt|mqtt.connect.willmessage
mqtt|mqtt.connect.protocol_string
mqtt|mqtt.publish.topic
mqtt|mqtt.publish.message
mqtt|mqtt.subscribe.topic
mqtt|mqtt.unsubscribe.topic
rfb|rfb.name
dnp3|dnp3_data dnp3.data
enip|enip.product_name
enip|enip.service_name
ldap|ldap.request.dn
ldap|ldap.request.attribute_type
ldap|ldap.responses.dn
ldap|ldap.responses.message
ldap|ldap.responses.attribute_type
pgsql|pgsql.query
mysql|mysql.query
redis|redis.command
websocket|websocket.payload
ntp|ntp.reference_id
template|template.buffer
http1 http2 smtp ftp ftp-data smb nfs|file.data file_data
http1 http2 smtp ftp ftp-data smb nfs|file.name
http1 http2 smtp ftp ftp-data smb nfs|file.magic
|base64_data
|tcp.hdr
|udp.hdr
|ipv4.hdr
|ipv6.hdr
|icmpv4.hdr
|icmpv6.hdr
|igmp.hdr
|ip.src
|ip.dst
"""

# old modifier | buffer
_OLD = """
http_uri|http.uri
http_raw_uri|http.uri.raw
http_method|http.method
http_header|http.header
http_raw_header|http.header.raw
http_cookie|http.cookie
http_user_agent|http.user_agent
http_host|http.host
http_raw_host|http.host.raw
http_stat_code|http.stat_code
http_stat_msg|http.stat_msg
http_client_body|http.request_body
http_server_body|http.response_body
"""

# name | protocols | buffer : a content of its own, in quotes
_DISGUISED = """
filename|http1 http2 smtp ftp ftp-data smb nfs|file.name
fileext|http1 http2 smtp ftp ftp-data smb nfs|file.name
filemagic|http1 http2 smtp ftp ftp-data smb nfs|file.magic
tls.subject|tls dtls|tls.cert_subject
tls.issuerdn|tls dtls|tls.cert_issuer
tls.fingerprint|tls dtls|tls.cert_fingerprint
ssh.softwareversion|ssh|ssh.software
"""

_HTTP = ("http1", "http2")


def _rows(text: str) -> Iterator[list[str]]:
    """Split a table into rows and cells."""
    for line in text.split("\n"):
        if line:
            yield line.split("|")


def buffer_keywords() -> Iterator[Keyword]:
    """Give every keyword that selects a buffer or brings one along."""
    for protocols, names in _rows(_STICKY):
        name, *aliases = names.split()
        yield Keyword(
            name,
            "buffer",
            content.read_sticky,
            "[to_server|to_client]",
            MAY,
            tuple(protocols.split()),
            tuple(aliases),
        )
    yield Keyword("pkt_data", "buffer", content.read_payload, argument=NO)
    for name, buffer in _rows(_OLD):
        yield Keyword(
            name, "old modifier", content.read_old_modifier, argument=NO, protocols=_HTTP, buffer=buffer
        )
    yield Keyword("uricontent", "match", content.read_content, '[!]"pattern"', MUST, _HTTP, buffer="http.uri")
    for name, protocols, buffer in _rows(_DISGUISED):
        yield Keyword(
            name, "match", content.read_within, '[!]"text"', MUST, tuple(protocols.split()), buffer=buffer
        )
