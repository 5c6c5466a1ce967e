"""TFTP requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import UDP, exercise, play

from appliance.protocols.detection import FAILED, Detector
from appliance.protocols.tftp import SPEC, TftpParser
from appliance.protocols.tftp.parser import read_request


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\0\1a.txt\0octet\0", {"packet": "read", "file": "a.txt", "mode": "octet"}),
        (b"\0\2b\0NetASCII\0tsize\x000\0", {"packet": "write", "file": "b", "mode": "NetASCII"}),
    ],
)
def test_requests_are_told(data, wanted):
    (tx,) = play(TftpParser, [(0, data), (1, data)], UDP).transactions
    assert tx.log() == wanted
    assert tx.done
    assert tx.skip == [False, True]


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\1", b"\0\3a\0octet\0", b"\1\1a\0octet\0", b"\0\1\0octet\0", b"\0\1a\0oct\0", b"\0\1a\0octet"],
)
def test_what_is_no_request(data):
    assert read_request(data) is None


def test_recognised_on_its_port_only():
    detector = Detector([SPEC], "udp")
    assert detector.recognise(0, b"\0\1a\0octet\0", 69, 40000) == "tftp"
    assert detector.recognise(0, b"\0\1a\0octet\0", 6969, 40000) == FAILED


@given(st.lists(st.binary(max_size=40) | st.binary(max_size=20).map(lambda b: b"\0\1" + b + b"\0octet\0")))
def test_arbitrary_datagrams_never_raise(datagrams):
    tftp = play(TftpParser, [(0, data) for data in datagrams], UDP)
    exercise(tftp, SPEC)
    assert len(tftp.transactions) <= len(datagrams)
