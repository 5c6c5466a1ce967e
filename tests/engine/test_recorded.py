"""Events are made for what some output records."""

from __future__ import annotations

import dataclasses

import pytest
from live_helpers import INLINE, Live, Tcp, one_policy

from appliance.config.settings import EveOutput
from appliance.model.event import AppEvent, FileEvent

EVIL = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("alert", "drop"), []),
        (("http",), [AppEvent]),
        (("files",), [FileEvent]),
        (("http", "files"), [FileEvent, AppEvent]),
        (None, [FileEvent, AppEvent]),
    ],
)
def test_transactions_and_files_are_reported_where_an_output_wants_them(types, expected):
    eve = () if types is None else (EveOutput(types=frozenset(types)),)
    settings = dataclasses.replace(INLINE, eve=eve)
    live, tcp = Live(one_policy(inspection="{mode: prevent}"), EVIL, settings), Tcp(port=80)
    for frame in tcp.open():
        live.send(frame)
    live.send(tcp.say(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"))
    live.send(tcp.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", back=True))
    live.events += live.engine.finish(live.now)
    assert [type(one) for one in live.events if isinstance(one, AppEvent | FileEvent)] == expected
