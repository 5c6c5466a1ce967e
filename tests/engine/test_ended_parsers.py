"""What a flow holds when its connection has ended, until it leaves the table."""

from __future__ import annotations

import dataclasses

import pytest
from live_helpers import INLINE, Live, Tcp, one_policy
from scapy.layers.inet import TCP

from appliance.config.settings import EveOutput
from appliance.model.event import AppEvent, FlowEvent
from appliance.sinks.flowlog import flow_record
from appliance.sinks.header import Context

EVIL = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'
REQUEST = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ended(*said):
    """A connection on which pieces were said in turn, both ends closed."""
    output = EveOutput(types=frozenset(("http", "flow")))
    settings = dataclasses.replace(INLINE, eve=(output,))
    live, tcp = Live(one_policy(inspection="{mode: prevent}"), EVIL, settings), Tcp()
    for packet in tcp.open():
        live.send(packet)
    for number, data in enumerate(said):
        live.send(tcp.say(data, back=bool(number % 2)))
    for back in (False, True):
        live.send(tcp.packet("FA", back=back))
    return live, tcp, live.send(tcp.packet("A")).flow


@pytest.mark.parametrize("exchanges", [1, 3])
def test_an_ended_connection_keeps_no_parser_and_its_records(exchanges):
    live, _, flow = ended(*[REQUEST, ANSWER] * exchanges)
    assert (flow.app.proto, flow.app.parser, flow.app.probe) == ("http", None, None)
    live.events += live.engine.finish(live.now)
    assert sum(isinstance(one, AppEvent) for one in live.events) == exchanges
    (over,) = (one for one in live.events if isinstance(one, FlowEvent))
    assert flow_record(Context(EveOutput()), over)["flow"]["tx_cnt"] == exchanges


def test_late_data_of_an_ended_connection_is_no_new_request():
    live, tcp, flow = ended(REQUEST, ANSWER)
    late = tcp.say(REQUEST)
    for back in (0, len(REQUEST) + 1):  # behind its end, and once more what was there
        late[TCP].seq -= back
        live.send(late)
    assert flow.app.parser is None
    live.events += live.engine.finish(live.now)
    assert sum(isinstance(one, AppEvent) for one in live.events) == 1


def test_an_ended_connection_keeps_nothing_for_rules():
    live, tcp, flow = ended(REQUEST, ANSWER)
    assert flow.detect is None
    live.send(tcp.packet("FA"))  # it comes again: the acknowledgement was lost
    live.events += live.engine.finish(live.now)
    assert not live.alerts()
    assert sum(isinstance(one, FlowEvent) for one in live.events) == 1


def test_what_comes_last_is_looked_at_before():
    live, _, flow = ended(REQUEST, ANSWER, REQUEST.replace(b"/a", b"/evil"))
    assert live.alerts() == [1]
    live.events += live.engine.finish(live.now)
    assert live.alerts() == [1]
    assert flow.app.proto == "http"


def test_an_unfinished_connection_is_looked_at_when_it_ends():
    rule = 'alert http any any -> any any (http.response_body; content:"tail"; endswith; sid:2;)'
    live, tcp = Live(one_policy(inspection="{mode: detect}"), rule), Tcp()
    for packet in tcp.open():
        live.send(packet)
    live.send(tcp.say(REQUEST))
    live.send(tcp.say(b"HTTP/1.1 200 OK\r\n\r\nsome tail", back=True))  # its length is told by its end
    flow = live.send(tcp.packet("A")).flow
    assert flow.detect is not None
    live.events += live.engine.finish(live.now)
    assert live.alerts() == [2]
