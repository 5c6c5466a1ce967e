"""Headers: actions, protocols, hooks, directions, and the errors about them."""

from __future__ import annotations

import pytest

from appliance.rulelang.header import ACTIONS
from appliance.rulelang.tree import PortSet, Rule, RuleError
from appliance.rulelang.validate import implied_protocol, implied_protocols


@pytest.mark.parametrize("action", [*ACTIONS, "ALERT"])
def test_actions(read, action) -> None:
    assert read(f"{action} tcp any any -> any any (sid:1;)").action == action.lower()


@pytest.mark.parametrize(
    ("word", "protocol", "hook"),
    [
        ("tcp", "tcp", ""),
        ("IP", "ip", ""),
        ("ip4", "ipv4", ""),
        ("tcp-pkt", "tcp-pkt", ""),
        ("pkthdr", "pkthdr", ""),
        ("ikev2", "ike", ""),
        ("ssl", "tls", ""),
        ("http1:request_headers", "http1", "request_headers"),
        ("dns:request_complete", "dns", "request_complete"),
        ("tcp:flow_start", "tcp", "flow_start"),
        ("tls:client_hello_done", "tls", "client_hello_done"),
    ],
)
def test_protocols(read, word, protocol, hook) -> None:
    rule = read(f"alert {word} any any -> any any (sid:1;)")
    assert (rule.protocol, rule.hook) == (protocol, hook)


def test_lists_may_hold_blanks(read) -> None:
    rule = read("alert tcp [1.1.1.1, 2.2.2.2] [80, 81] <> any ![22, 23] (sid:1;)")
    assert rule.source.ranges == ((4, 0x01010101, 0x01010101), (4, 0x02020202, 0x02020202))
    assert rule.source_ports == PortSet(((80, 81),))
    assert rule.direction == "<>"
    assert rule.destination_ports.ranges == ((0, 21), (24, 65535))


@pytest.mark.parametrize(
    ("header", "column", "reason", "hint"),
    [
        ("alrt tcp any any -> any any", 1, "unknown action 'alrt'", "alert"),
        ("accept tcp any any -> any any", 1, "firewall", "pass"),
        ("accept:flow tcp any any -> any any", 1, "firewall", "pass"),
        ("alert tpc any any -> any any", 7, "unknown protocol 'tpc'", "tcp"),
        ("alert tcp any any any any", 1, "6 parts", "write:"),
        ("alert tcp any any <- any any", 19, "'<-' is not a direction", "->"),
        ("alert tcp any any => any any", 19, "application protocol", "->"),
        ("alert tcp $HOMENET any -> any any", 11, "$HOMENET is not defined", "HOME_NET"),
        ("alert tcp any any -> any 99999", 26, "not a port", "65535"),
        ("alert dns:request_body any any -> any any", 11, "no hook", "request_"),
        ("", 1, "not complete", "write:"),
    ],
)
def test_bad_headers(read, header, column, reason, hint) -> None:
    error = read(f'{header} (msg:"x"; sid:7;)')
    assert isinstance(error, RuleError)
    assert error.position.column == column
    assert reason in error.reason
    assert hint in error.hint
    assert error.sid == 7


@pytest.mark.parametrize(
    ("head", "body", "protocol"),
    [
        ("tcp", 'http.uri; content:"a";', "http"),
        ("tcp", 'content:"a"; http_uri;', "http"),
        ("tcp", 'tls.sni; content:"a";', "tls"),
        ("ip", "dns.opcode:1;", "dns"),
        ("tcp", "app-layer-event:ssh.long_banner;", "ssh"),
        ("tcp", 'content:"a";', ""),
        ("http", 'content:"a";', "http"),
        ("tcp", 'ja3.hash; content:"a";', "tls"),
        ("ip", 'ja3.hash; content:"a";', ""),
        ("udp", 'tls.sni; content:"a";', "dtls"),
        ("tcp", 'frame:smtp.data; content:"a";', "smtp"),
        ("tcp", 'file.data; content:"a"; smtp.helo; content:"b";', "smtp"),
        ("tcp", "dcerpc.opnum:1,3-5;", "dcerpc"),
        ("tcp", 'http.uri; content:"a"; dns.query; content:"b";', "doh2"),
    ],
)
def test_implied_protocol(read, head, body, protocol) -> None:
    rule = read(f"alert {head} any any -> any any ({body} sid:1;)")
    assert isinstance(rule, Rule), rule
    assert implied_protocol(rule) == protocol


def test_implied_protocols_of_shared_keyword(read) -> None:
    rule = read('alert ip any any -> any any (ja3.hash; content:"a"; sid:1;)')
    assert implied_protocols(rule) == {"tls", "dtls", "quic"}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("http", 'tls.sni; content:"a";'),
        ("tcp", 'http.uri; content:"a"; tls.sni; content:"b";'),
        ("ssh", "app-layer-event:http.foo;"),
        ("smtp", 'pcre:"/a/U";'),
    ],
)
def test_protocol_conflicts(refusal, head, body) -> None:
    assert " is for " in refusal(body, f"alert {head} any any -> any any").reason


@pytest.mark.parametrize(
    ("head", "body"),
    [("smb", "dcerpc.opnum:3;"), ("http2", 'http.uri; content:"a";'), ("dcerpc", "dcerpc.opnum:3;"),
     ("http1", 'file.data; content:"a";')],
)  # fmt: skip
def test_protocol_families_agree(options, head, body) -> None:
    assert options(body, f"alert {head} any any -> any any")
