"""What waits for an answer that nobody looks at any more does not wait for ever."""

from __future__ import annotations

import ipaddress

import pytest
from live_helpers import INLINE, SETTLED_ORIGINAL, SETTLED_REPLY, A, B, Live, Tcp, inspecting, one_policy

from appliance.engine.ended import KernelEntry
from appliance.model.app import COMPLETE
from appliance.model.verdict import Verdict

INSPECTED = one_policy(inspection="{mode: prevent}")
RULES = """
drop http any any -> any any (http.uri; content:"/evil"; sid:1;)
alert http any any -> any any (http.stat_code; content:"200"; sid:2;)
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 500\r\n\r\n" + b"a" * 500


def address(text):
    return ipaddress.ip_address(text).packed


def request(path=b"/index.html"):
    return b"GET " + path + b" HTTP/1.1\r\nHost: here.example\r\n\r\n"


def begun(depth):
    live, tcp = Live(INSPECTED, RULES, inspecting(INLINE, depth=depth)), Tcp()
    live.marks(*tcp.open())
    return live, tcp


def parser(live):
    (flow,) = live.table.flows()
    return flow.app.parser


def beyond(live, tcp):
    """Ask until the server's direction is beyond the depth."""
    for _ in range(20):
        live.send(tcp.say(request()))
        if live.send(tcp.say(ANSWER, back=True)).mark & SETTLED_REPLY:
            return
    pytest.fail("the depth was not reached")


def test_requests_beyond_the_depth_of_answers_do_not_pile_up():
    live, tcp = begun(depth=10_000)
    beyond(live, tcp)
    for _ in range(100):
        live.send(tcp.say(request()))
        assert len(parser(live).transactions) <= 1
    assert len(parser(live).waiting) == 0
    assert parser(live).next_tx > 100


def test_answers_beyond_the_depth_of_requests_do_not_pile_up():
    live, tcp = begun(depth=20_000)
    live.send(tcp.say(b"POST / HTTP/1.1\r\nHost: here.example\r\nContent-Length: 30000\r\n\r\n"))
    live.send(tcp.say(b"q" * 15_000))
    assert live.send(tcp.say(b"q" * 15_000)).mark & SETTLED_ORIGINAL
    for _ in range(30):
        live.send(tcp.say(ANSWER, back=True))
        assert len(parser(live).transactions) <= 1


def test_they_are_inspected_all_the_same():
    live, tcp = begun(depth=10_000)
    beyond(live, tcp)
    assert live.send(tcp.say(request())).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.say(request(b"/evil"))).decision.verdict is Verdict.DROP
    assert live.alerts()[-1] == 1


def test_an_answer_that_reaches_over_the_depth_is_inspected_up_to_it():
    live, tcp = begun(depth=300)
    live.send(tcp.say(request()))
    live.send(tcp.say(ANSWER, back=True))
    assert live.alerts() == [2]
    assert not parser(live).transactions


def test_requests_after_the_server_has_ended_do_not_pile_up():
    live, tcp = begun(depth=1_000_000)
    live.send(tcp.say(request()))
    live.send(tcp.say(ANSWER, back=True))
    live.send(tcp.packet("FA", back=True))
    for _ in range(50):
        live.send(tcp.say(request()))
        held = parser(live).transactions
        assert len(held) <= 1
        assert all(tx.progress[1] == COMPLETE for tx in held)
    assert live.send(tcp.say(request(b"/evil"))).decision.verdict is Verdict.DROP


def test_the_late_end_of_a_settled_connection_is_not_that_of_the_next_on_its_ports():
    live, tcp = begun(depth=10_000)
    beyond(live, tcp)
    live.send(tcp.packet("RA"))
    entry = KernelEntry(6, (address(A), address(B)), (40000, 80), (50, 50), (3000, 30_000))
    following = Tcp(isn=900_000)
    live.send(following.packet("S"), known=False)
    live.send(following.packet("SA", back=True))
    assert live.engine.kernel_ended(entry, live.now) == []
    live.send(following.say(request()))
    (flow,) = live.table.flows()
    assert flow.tcp.client.isn == 900_000
    assert live.send(following.say(request(b"/evil"))).decision.verdict is Verdict.DROP
