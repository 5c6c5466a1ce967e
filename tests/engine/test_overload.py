"""What is given up when packets come too fast, and that it comes back."""

from __future__ import annotations

import dataclasses

import pytest
from live_helpers import INLINE, SECOND, SETTLED, Live, Tcp, one_policy, udp

from appliance.config.load import LoadOptions
from appliance.config.settings import OverloadSettings
from appliance.daemon.assemble import Inputs, read_documents
from appliance.model.event import NoticeEvent
from appliance.model.verdict import Reason, Verdict

OPEN = one_policy(inspection="{mode: prevent, on_overload: bypass}")
CLOSED = one_policy(inspection="{mode: prevent, on_overload: drop}")
FULL_PASSES = one_policy("fail: open", inspection="{mode: prevent, on_overload: drop}")
BAD = 'drop tcp any any -> any any (content:"bad"; sid:2;)'
EVIL = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


def opened(policy, rules=BAD, **overload):
    settings = dataclasses.replace(INLINE, overload=OverloadSettings(**overload))
    live, tcp = Live(policy, rules, settings), Tcp()
    for packet in tcp.open():
        live.send(packet)
    return live, tcp


def notices(events):
    return [event for event in events if isinstance(event, NoticeEvent) and event.name == "overload"]


def test_bulk_and_named_applications_are_given_up_first():
    live, tcp = opened(OPEN, bulk=3000)
    live.engine.load = 1
    assert live.send(tcp.say(b"x" * 100)).mark == 0
    assert live.send(tcp.say(b"x" * 4000)).mark == SETTLED
    assert live.send(tcp.say(b"bad")).decision.verdict is Verdict.ACCEPT
    live, tcp = opened(OPEN, EVIL, bypass=("http",))
    live.engine.load = 1
    assert live.send(tcp.say(GET % b"/evil")).decision.verdict is Verdict.DROP  # not known before
    live, tcp = opened(OPEN, EVIL, bypass=("http",))
    live.send(tcp.say(GET % b"/a"))
    live.engine.load = 1
    assert live.send(tcp.say(GET % b"/evil")).mark == SETTLED


def test_where_policy_wants_no_packet_uninspected_no_class_passes():
    live, tcp = opened(CLOSED, bulk=10)
    live.engine.load = 1
    live.send(tcp.say(b"x" * 100))
    assert live.send(tcp.say(b"bad")).decision.verdict is Verdict.DROP


def test_then_policy_says_whether_packets_pass_or_not():
    live, tcp = opened(OPEN)
    live.engine.load = 2
    result = live.send(tcp.say(b"bad"))
    assert (result.decision.verdict, result.mark) == (Verdict.ACCEPT, 0)
    live, tcp = opened(FULL_PASSES)
    live.engine.load = 2
    result = live.send(tcp.say(b"bad"))
    assert (result.decision.reason, result.decision.by, result.mark) == (Reason.OVERLOAD, "p/on_overload", 0)


def test_what_the_full_queue_drops_needs_no_help():
    """A flood must not black out what it leaves room for: everything that comes is inspected."""
    live, tcp = opened(CLOSED)
    live.engine.load = 2
    assert live.send(tcp.say(b"fine")).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.say(b"bad")).decision.reason is Reason.RULE
    live.engine.queue_full(7)
    (told,) = notices(live.engine.tick(live.now))
    assert (told.details["packets_dropped"], told.details["packets_queue_full"]) == (0, 7)


def test_the_stricter_end_decides():
    text = """
policies:
  - {name: open, default_action: allow, fail: open, inspection: {on_overload: bypass}}
  - {name: closed, default_action: allow, fail: open, inspection: {on_overload: drop}}
  - {name: off, default_action: allow, fail: open, inspection: {enabled: false, on_overload: drop}}
  - {name: shut, default_action: allow, inspection: {on_overload: drop}}
bindings: [{name: a, policy: open}, {name: b, policy: %s}]
unknown: open
"""
    for other, verdict in (
        ("closed", Verdict.DROP),
        ("off", Verdict.ACCEPT),
        ("open", Verdict.ACCEPT),
        ("shut", Verdict.ACCEPT),
    ):
        live = Live(text % other, BAD)
        live.engine.load = 2
        assert live.send(udp()).decision.verdict is verdict


def test_the_firewall_goes_on():
    live = Live(one_policy(inspection="{on_overload: bypass}", action="deny"), BAD)
    live.engine.load = 2
    assert live.send(udp()).decision.reason is Reason.FIREWALL


def test_nothing_is_given_up_where_nothing_is_inspected():
    live = Live(one_policy(inspection="{enabled: false, on_overload: drop}"), BAD)
    live.engine.load = 2
    assert live.send(udp()).decision.verdict is Verdict.ACCEPT
    live = Live(CLOSED)
    live.engine.load = 2
    assert live.send(udp()).decision.verdict is Verdict.ACCEPT


@pytest.mark.parametrize("level", [0, 1])
def test_inspection_comes_back_in_the_middle(level):
    live, tcp = opened(OPEN, EVIL + "\n" + BAD)
    live.send(tcp.say(GET % b"/a"))
    live.engine.load = 2
    for _ in range(5):
        live.send(tcp.say(b"HTTP/1.1 200 OK\r\n" * 100, back=True))
    live.engine.load = level
    assert live.send(tcp.say(b"rest of it", back=True)).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.say(GET % b"/evil")).decision.reason is Reason.RULE


def test_connections_that_opened_unseen_are_inspected_later():
    live, tcp = Live(OPEN, BAD), Tcp()
    live.engine.load = 2
    for packet in tcp.open():
        live.send(packet)
    live.engine.load = 0
    assert live.send(tcp.say(b"fine")).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.say(b"bad")).decision.verdict is Verdict.DROP


def test_what_was_given_up_is_counted_and_reported_once_in_a_while():
    live, tcp = opened(OPEN, bulk=10, bypass=("bulk",))
    live.engine.load = 2
    for _ in range(3):
        live.send(tcp.say(b"x"))
    live.engine.load = 1
    live.send(Tcp(client=41000).packet("S"))
    (first,) = notices(live.engine.tick(live.now))
    assert first.details == {
        "load": 1, "flows_bypassed": {"bulk": 1}, "packets_uninspected": 3, "packets_dropped": 0,
        "packets_queue_full": 0
    }  # fmt: skip
    live.engine.load = 2
    live.send(udp())
    assert notices(live.engine.tick(live.now + SECOND)) == []
    assert len(notices(live.engine.tick(live.now + 11 * SECOND))) == 1
    assert notices(live.engine.tick(live.now + 30 * SECOND)) == []
    counters = live.engine.counters()
    assert (counters["overload.packets_uninspected"], counters["overload.flows_bypassed"]) == (4, 1)


def test_a_class_that_does_not_exist_is_an_error(tmp_path):
    (tmp_path / "s.yaml").write_text("overload: {bypass: [bulk, tsl]}\n")
    found = read_documents(Inputs(LoadOptions(settings_file=str(tmp_path / "s.yaml"))))
    assert [(one.field, "tsl" in one.message) for one in found.errors] == [("overload.bypass", True)]
