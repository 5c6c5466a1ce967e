"""Bytes at the end of a packet that the kernel could not hand over."""

from __future__ import annotations

import dataclasses

import pytest
from live_helpers import INLINE, Live, Tcp, one_policy, udp

from appliance.model.verdict import Reason, Verdict

RULE = 'alert tcp any any -> any any (msg:"x"; content:"zz"; sid:1;)'
PREVENT = one_policy(inspection="{mode: prevent}")


@pytest.mark.parametrize(
    ("policy", "settings", "dropped"),
    [
        (PREVENT, INLINE, True),
        (PREVENT, dataclasses.replace(INLINE, mode="detect"), False),
        (one_policy(inspection="{mode: detect}"), INLINE, False),
    ],
)
def test_a_segment_that_was_not_seen_whole_does_not_pass_where_rules_may_block(policy, settings, dropped):
    live, tcp = Live(policy, RULE, settings), Tcp()
    live.send(tcp.packet("S"))
    result = live.send(tcp.packet("PA", b"data"), unseen=4)
    assert (result.decision.reason is Reason.BYTES_UNSEEN) == dropped


def test_a_datagram_that_was_not_seen_whole_passes():
    assert Live(PREVENT).send(udp(), unseen=4).decision.verdict is Verdict.ACCEPT
