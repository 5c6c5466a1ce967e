"""Syslog messages and CEF lines: form, escaping, bounds, fields, severities."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syslog_receiver import take_apart

from appliance.sinks.cef import LABELS, CefFormatter
from appliance.sinks.severity import severities
from appliance.sinks.syslog import JsonBody, SyslogFormatter, timestamp

DOCS = Path(__file__).resolve().parents[2] / "docs"
ALERT = {
    "timestamp": "2026-01-02T03:04:05.678901+0000", "flow_id": 77, "in_iface": "br0", "event_type": "alert",
    "vlan": [12], "src_ip": "10.0.0.1", "src_port": 1234, "dest_ip": "10.0.0.2", "dest_port": 445,
    "proto": "TCP",
    "ether": {"src_mac": "02:00:00:00:00:01", "dest_mac": "02:00:00:00:00:02"},
    "alert": {
        "action": "blocked", "gid": 1, "signature_id": 42, "rev": 3, "signature": "EW SMB | remote = \\code",
        "category": "Attempted Administrator Privilege Gain", "severity": 1,
        "metadata": {"cve": ["CVE_2017_0144"]},
        "references": [
            "https://cve.mitre.org/cgi-bin/cvename.cgi?name=2017-0145", "https://example.org/2019-1234",
        ],
    },
    "app_proto": "smb",
    "vm": {
        "src": {"uuid": "uuid-1", "name": "web-1", "interface": "eth0", "policy": "web"},
        "dest": {"uuid": "uuid-2", "name": "db-1", "interface": "eth1", "policy": "database"},
    },
    "payload": "QUFB" * 100,
}  # fmt: skip
DROP = {
    "timestamp": "2026-01-02T03:04:05.678901+0000", "event_type": "drop",
    "src_ip": "2001:0db8:0000:0000:0000:0000:0000:0001",
    "dest_ip": "2001:0db8:0000:0000:0000:0000:0000:0002", "proto": "UDP", "src_port": 1, "dest_port": 53,
    "drop": {"len": 40, "reason": "firewall", "by": "web/no-dns"},
}  # fmt: skip
NOTICE = {
    "timestamp": "2026-01-02T03:04:05.678901+0000", "event_type": "eastwall", "src_ip": "10.0.0.1",
    "eastwall": {"event": "scan.port_sweep", "interface": "web-1/eth0", "policy": "web", "blocked": True},
}  # fmt: skip


def formatter(body=None, limit=8192, **changed):
    given_ = {"facility": "local0", "host": "host-1", "app_name": "eastwall", "enterprise": 32473, "pid": 9}
    return SyslogFormatter(body or JsonBody(), limit=limit, **{**given_, **changed})


def line_of(record):
    return json.dumps(record, separators=(",", ":")).encode()


def parameters(data):
    """Read structured data back (RFC 5424 section 6.3)."""
    found = re.findall(rb' ([!-~]+?)="((?:[^"\\\]]|\\.)*)"', data)
    return {name.decode(): re.sub(rb'\\(["\\\]])', rb"\1", value).decode() for name, value in found}


def test_a_message():
    message = formatter().message(ALERT, line_of(ALERT))
    parts = take_apart(message)
    assert message.startswith(
        b'<130>1 2026-01-02T03:04:05.678901Z host-1 eastwall 9 alert [meta sequenceId="1"]'
    )
    assert parameters(parts["data"]) == {
        "sequenceId": "1", "src": "10.0.0.1", "spt": "1234", "dst": "10.0.0.2", "dpt": "445", "proto": "TCP",
        "flow": "77", "sid": "42", "action": "blocked", "srcVm": "uuid-1", "dstVm": "uuid-2",
    }  # fmt: skip
    assert json.loads(parts["body"]) == ALERT


def test_header_fields_cannot_be_broken_out_of():
    hostile = {"event_type": "a b\n<1>1 \x00é" * 9, "timestamp": "2026 - -\n"}
    parts = take_apart(formatter(host="my host\n", app_name="").message(hostile, b"{}"))
    assert (parts["time"], parts["host"], parts["app"]) == (b"-", b"my_host_", b"-")
    assert len(parts["id"]) == 32


def test_structured_data_is_escaped():
    drop = {**DROP, "drop": {"by": 'a"]\\ b="\n\x1b\ud800', "reason": "x" * 999}}
    parts = take_apart(formatter().message(drop, line_of(drop)))
    found = parameters(parts["data"])
    assert found["rule"] == 'a"]\\ b="  ?' or found["rule"] == 'a"]\\ b="   '
    assert len(found["reason"]) == 255


def test_sequence_numbers_tell_what_is_missing():
    made = formatter()
    found = [parameters(take_apart(made.message(DROP, b"{}"))["data"])["sequenceId"] for _ in range(3)]
    assert found == ["1", "2", "3"]


@pytest.mark.parametrize("limit", [480, 700, 1000, 1500, 8192])
def test_no_message_is_longer_and_json_stays_json(limit):
    body = JsonBody()
    message = formatter(body, limit).message(ALERT, line_of(ALERT))
    assert len(message) <= limit
    parts = take_apart(message)
    if limit >= 700:
        record = json.loads(parts["body"])
        assert (record["src_ip"], record["event_type"]) == ("10.0.0.1", "alert")
        assert record.get("truncated", False) is (limit < 1500)
        assert ("alert" in record) is (limit >= 1000)
    assert body.shortened == (limit < 1500)


def test_longest_possible_header_fits_the_smallest_message():
    made = formatter(limit=480, host="h" * 300, app_name="a" * 48, pid=4_194_304, enterprise=(1 << 32) - 1)
    message = made.message({**ALERT, "event_type": "e" * 40}, line_of(ALERT))
    assert len(message) <= 480
    assert take_apart(message)["id"] == b"e" * 32


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = dict.fromkeys((*ALERT, *DROP, *NOTICE, "http", "files"), ODD)


@given(st.fixed_dictionaries({}, optional=NAMES))
def test_nothing_in_a_record_breaks_a_message(record):
    record = json.loads(json.dumps(record))
    for body in (JsonBody(), CefFormatter("1", "host")):
        message = formatter(body, 2048).message(record, line_of(record))
        assert len(message) <= 2048
        parts = take_apart(message)
        if isinstance(body, CefFormatter):
            assert b"\n" not in parts["body"]
            assert cef(parts["body"])


def test_timestamps():
    assert timestamp("2026-01-02T03:04:05.678901+0000") == "2026-01-02T03:04:05.678901Z"
    assert timestamp(None) == timestamp("2026") == "-"


def cef(line):
    """Read a CEF line back: seven header fields and the extension."""
    fields = re.split(rb"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(fields) == 8, line
    pairs = re.findall(rb"(?:^| )([A-Za-z0-9]+)=((?:[^=\\]|\\.)*)(?= [A-Za-z0-9]+=|$)", fields[7])
    values = {
        key.decode(): re.sub(
            rb"\\([=\\nr])", lambda m: {b"n": b"\n", b"r": b"\r"}.get(m[1], m[1]), value
        ).decode()
        for key, value in pairs
    }
    return fields[:7], values


def make(record, room=8192):
    return CefFormatter("0.1", "host-1").make(record, b"", room)


def test_cef_of_an_alert():
    header, values = cef(make(ALERT))
    assert header == [
        b"CEF:0", b"Eastwall", b"Eastwall", b"0.1", b"1:42", rb"EW SMB \| remote = \\code", b"9"
    ]  # fmt: skip
    assert values == {
        "rt": "1767323045678", "dvchost": "host-1", "act": "blocked", "src": "10.0.0.1", "dst": "10.0.0.2",
        "spt": "1234", "dpt": "445", "proto": "TCP", "app": "smb", "deviceExternalId": "uuid-2",
        "shost": "web-1",
        "dhost": "db-1", "cs1": "1:42:3", "cs1Label": "rule", "cs2": "database", "cs2Label": "policy",
        "cs3": "CVE-2017-0144,CVE-2017-0145", "cs3Label": "cve", "cs4": "uuid-1/eth0",
        "cs4Label": "sourceInterface", "cs5": "uuid-2/eth1", "cs5Label": "destinationInterface",
        "cat": "Attempted Administrator Privilege Gain", "cn1": "77", "cn1Label": "flowId",
        "deviceInboundInterface": "br0", "cn2": "12", "cn2Label": "vlan", "smac": "02:00:00:00:00:01",
        "dmac": "02:00:00:00:00:02",
    }  # fmt: skip


def test_cef_of_a_drop_with_ipv6():
    header, values = cef(make(DROP))
    assert header[4:] == [b"drop:firewall", b"Packet dropped: firewall", b"5"]
    assert values["c6a2"] == "2001:db8::1"
    assert values["c6a3Label"] == "Destination IPv6 Address"
    assert "src" not in values
    assert (values["act"], values["reason"], values["cs1"]) == ("blocked", "firewall", "web/no-dns")


def test_cef_of_notices():
    header, values = cef(make(NOTICE))
    assert header[4:] == [b"eastwall:scan.port_sweep", b"Protection: scan.port_sweep", b"7"]
    assert (values["cs6"], values["msg"]) == ("scan.port_sweep", "web-1/eth0")
    logged = {"event": "firewall", "verdict": "accept", "rule": "web/a=b", "rules": ["x", "y"]}
    _, values = cef(make({**NOTICE, "eastwall": logged}))
    assert (values["act"], values["cs1"], values["msg"]) == ("allowed", "web/a=b", "x,y")


def test_cef_escapes():
    hostile = {**ALERT, "http": {"url": "/a=b\\c|d\r\ncs1=evil", "http_user_agent": "x" * 5000}}
    line = make(hostile)
    assert rb"request=/a\=b\\c|d\r\ncs1\=evil " in line
    assert b"\n" not in line
    _, values = cef(line)
    assert values["cs1"] == "1:42:3"
    assert len(values["requestClientApplication"]) == 1023


def test_cef_leaves_out_whole_fields_when_there_is_no_room():
    made, whole = CefFormatter("0.1", "host-1"), 0
    for room in range(100, 650):
        line = made.make(ALERT, b"", room)
        _, values = cef(line)
        assert len(line) <= room
        whole += "dmac" in values
        assert all(key + "Label" in values for key in LABELS if key in values)
    assert made.shortened + whole == 550
    assert 0 < whole < 150
    _, values = cef(made.make(ALERT, b"", 300))
    assert {"rt", "src", "dst"} <= values.keys()


def test_every_cef_field_is_documented():
    page = (DOCS / "outputs.md").read_text()
    web = {"http": {"url": "/", "http_method": "GET", "http_user_agent": "a", "http_refer": "b"}}
    files = {"files": [{"filename": "a", "size": 1, "sha256": "c"}]}
    used = {key for record in (ALERT, DROP, NOTICE) for key in cef(make({**record, **web, **files}))[1]}
    for key in used - {label + "Label" for label in LABELS}:
        assert f"`{key}`" in page, key
    for key, label in LABELS.items():
        assert f"`{label}`" in page, key


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"event_type": "alert", "alert": {"severity": 1}}, (2, 9)),
        ({"event_type": "alert", "alert": {"severity": 2}}, (3, 7)),
        ({"event_type": "alert", "alert": {"severity": 3}}, (4, 5)),
        ({"event_type": "alert", "alert": {"severity": 255}}, (5, 3)),
        ({"event_type": "alert", "alert": {"severity": -1}}, (2, 9)),
        ({"event_type": "alert", "alert": "?"}, (5, 3)),
        ({"event_type": "drop"}, (4, 5)),
        ({"event_type": "anomaly"}, (5, 3)),
        ({"event_type": "eastwall", "eastwall": {"event": "spoofed_mac"}}, (4, 7)),
        ({"event_type": "eastwall", "eastwall": {"event": "firewall", "verdict": "accept"}}, (6, 1)),
        ({"event_type": "eastwall", "eastwall": {"event": "firewall", "verdict": "drop"}}, (4, 5)),
        ({"event_type": "eastwall", "eastwall": {"event": "application_denied"}}, (4, 5)),
        ({"event_type": "eastwall"}, (5, 4)),
        ({"event_type": "dns"}, (6, 1)),
        ({"event_type": ["dns"]}, (6, 1)),
    ],
)
def test_severities(record, expected):
    assert severities(record) == expected
