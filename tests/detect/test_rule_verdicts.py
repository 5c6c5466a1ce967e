"""What a match does: verdicts, order, limits; and rules on the steps of transactions."""

from dataclasses import replace

import pytest
from detect_world import (
    BUFFERS,
    NOW,
    SETTINGS,
    ToyTx,
    detector,
    flow,
    packet,
    parse,
    refused,
    rules_of,
    sids,
    tcp,
)

from appliance.config.settings import DetectSettings
from appliance.detect.compiler import compile_rules
from appliance.detect.detector import Detector
from appliance.model.app import COMPLETE
from appliance.model.chunk import Chunk
from appliance.model.flow import F_DROPPED, F_PASSED


@pytest.mark.parametrize(
    ("inline", "body", "flags", "verdict", "scope"),
    [
        (True, 'drop tcp any any -> any 80 (content:"bad";)', F_DROPPED, "drop", "flow"),
        (False, 'drop tcp any any -> any 80 (content:"bad";)', 0, "drop", "flow"),
        (True, 'pass tcp any any -> any 80 (content:"bad";)', F_PASSED, "pass", "flow"),
        (True, "drop tcp any any -> any 80 (flags:A;)", 0, "drop", "packet"),
        (True, "drop tcp any any -> any 80 (flow:stateless; flags:A;)", 0, "drop", "packet"),
        (True, 'pass tcp any any -> any 80 (msg:"x";)', F_PASSED, "pass", "flow"),
    ],
)
def test_verdicts(inline, body, flags, verdict, scope):
    engine, stream = detector(body, 'alert tcp any any -> any 80 (content:"next";)'), flow()
    engine.stream_data(stream, Chunk(0, 0, b"bad"))
    found = engine.inspect(tcp(tcp_flags=16), stream, NOW, inline)
    assert (found.verdict, found.scope) == (verdict, scope)
    assert stream.flags & (F_DROPPED | F_PASSED) == flags
    engine.stream_data(stream, Chunk(0, 3, b"next"))
    assert sids(engine.inspect(tcp(), stream, NOW)) == ([2] if scope == "packet" else [])


@pytest.mark.parametrize("body", ["any 80 (flow:to_server;)", "any any (flow:to_server,stateless;)"])
@pytest.mark.parametrize("action", ["pass", "drop"])
def test_direction_and_state_concern_packets(action, body):
    engine, stream = detector(f"{action} tcp any any -> {body}"), flow()
    found = [engine.inspect(tcp(), stream, NOW, True) for _ in range(2)]
    assert [(one.verdict, one.scope) for one in found] == [(action, "packet")] * 2
    assert not stream.flags & (F_DROPPED | F_PASSED)


def test_pass_hides_alerts_and_order_is_by_action():
    engine = detector(
        'alert udp any any -> any any (content:"abc";)',
        'reject udp any any -> any any (content:"abc";)',
        'drop udp any any -> any any (content:"abc";)',
        'pass udp any any -> any any (content:"abcd";)',
    )
    assert sids(engine.inspect(packet(b"abc"), None, NOW)) == [3, 2, 1]
    assert sids(engine.inspect(packet(b"abcd"), None, NOW)) == []


def test_pass_with_alert_is_reported_and_still_ends_the_list():
    engine = detector(
        'alert udp any any -> any any (content:"abc";)',
        'pass udp any any -> any any (content:"abc"; alert;)',
    )
    found = engine.inspect(packet(b"abc"), None, NOW)
    assert (sids(found), found.verdict) == ([2], "pass")


def test_a_pass_after_a_drop_hides_the_rest_but_does_not_undo_it():
    settings = DetectSettings(action_order=("drop", "pass", "reject", "alert"))
    engine = detector(
        'alert udp any any -> any any (content:"abc";)',
        'pass udp any any -> any any (content:"abc";)',
        'drop udp any any -> any any (content:"abc";)',
        settings=settings,
    )
    found = engine.inspect(packet(b"abc"), None, NOW)
    assert (sids(found), found.verdict) == ([3], "drop")


def test_alert_limit():
    bodies = [f'alert udp any any -> any any (content:"abc"; priority:{n + 1};)' for n in range(20)]
    found = detector(*bodies).inspect(packet(b"abc"), None, NOW)
    assert sids(found) == list(range(1, SETTINGS.packet_alert_max + 1))
    assert found.discarded == 5


class OnlySecond:
    """Leaves the second rule on, and makes it drop."""

    def enabled(self, rule_index):
        return rule_index == 1

    def action(self, rule_index):
        return "drop"


def test_filter_of_interfaces():
    engine = detector(
        'alert udp any any -> any any (content:"abc";)', 'alert udp any any -> any any (content:"abc";)'
    )
    found = engine.inspect(packet(b"abc"), None, NOW, True, None, OnlySecond())
    assert sids(found) == [2]
    assert found.verdict == "drop"


def test_replace_is_reported():
    engine = detector('alert udp any any -> any any (content:"abc"; replace:"xyz";)')
    assert engine.inspect(packet(b"..abc"), None, NOW, True).replaces == [(2, b"xyz")]


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ("alert tcp any any -> any any (iprep:src,BadHosts,>,10;)", "iprep"),
        ("alert tcp any any -> any any (geoip:src,CH;)", "geoip"),
        ("alert tcp any any -> any any (filemd5:none.list;)", "filemd5"),
        ('alert tcp any any -> any any (pcre:"/a(b/";)', "pcre"),
        ('alert http any any -> any any (http.server; content:"x";)', "http.server"),
    ],
)
def test_refused_by_name(body, keyword):
    assert refused(body) == [keyword]


def test_rule_of_two_directions_is_refused():
    rules = parse('alert http any any -> any any (http.uri; content:"a"; sid:1;)')
    stat = parse('alert http any any -> any any (http.stat_code; content:"4"; sid:2;)')
    mixed = replace(rules[0], options=rules[0].options + stat[0].options)
    errors = compile_rules([mixed, *stat], SETTINGS, BUFFERS, {}, None)[1]
    assert [(e.keyword, e.sid) for e in errors] == [("flow", 1)]


STEPS = {"request_line": (0, 20), "request_body": (0, 40), "response_started": (1, -1)}


def with_steps(*bodies):
    rules, errors = compile_rules(
        parse(rules_of(*bodies)),
        SETTINGS,
        BUFFERS,
        {},
        states=lambda protocol, name: STEPS.get(name) if protocol == "http" else None,
    )
    return rules, [error.keyword for error in errors]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('alert http:request_line any any -> any any (msg:"x";)', [0, 1, 0, 0, 0]),
        ('alert http:request_body any any -> any any (msg:"x";)', [0, 0, 1, 1, 1]),
        ("alert http any any -> any any (app-layer-state:request_body;)", [0, 0, 1, 0, 0]),
        ("alert http any any -> any any (app-layer-state:<request_body;)", [1, 0, 0, 0, 0]),
        ("alert http any any -> any any (app-layer-state:>request_body;)", [0, 0, 0, 0, 1]),
    ],
)
def test_steps_of_transactions(body, expected):
    ruleset, errors = with_steps(body)
    assert errors == []
    engine, tx = Detector(ruleset, SETTINGS), ToyTx(0, (0, 0))
    stream = flow(6, "http", [tx])
    found = []
    for step in (0, 30, 40, 40, COMPLETE):
        tx.progress[0] = step
        stream.app.fed[0] += 10
        found.append(len(sids(engine.inspect(tcp(), stream, NOW))))
        assert sids(engine.inspect(tcp(), stream, NOW)) == []
    assert found == expected


def test_a_step_that_no_protocol_has_is_refused():
    assert with_steps('alert http:request_trailer any any -> any any (msg:"x";)')[1] == ["hook"]


def test_flow_start_is_the_first_packet():
    engine, stream = detector('alert tcp:flow_start any any -> any any (msg:"x";)'), flow()
    found = []
    for number in (1, 2):
        stream.pkts_ts = number
        found.append(sids(engine.inspect(tcp(), stream, NOW)))
    assert found == [[1], []]


def test_a_packet_with_a_wrong_checksum_is_no_part_of_an_application():
    engine, stream = detector("alert http any any -> any any (flow:established;)"), flow(6, "http")
    assert sids(engine.inspect(tcp(csum=2), stream, NOW)) == []
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1]


def test_a_step_counts_in_both_directions_once_there_is_data():
    ruleset, _ = with_steps("alert http any any -> any any (app-layer-state:request_body;)")
    engine, tx = Detector(ruleset, SETTINGS), ToyTx(0, (40, 40))
    stream = flow(6, "http", [tx])
    assert sids(engine.inspect(tcp(b"", 1), stream, NOW)) == []
    stream.app.fed = [1, 1]
    assert [sids(engine.inspect(tcp(b"", way), stream, NOW)) for way in (0, 1)] == [[1], [1]]
