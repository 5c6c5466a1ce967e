"""Captures of others: what real Suricata says of the same bytes."""

from __future__ import annotations

from collections import Counter

import pytest
from streamreplay import replay

from appliance.model.tcp import TcpState
from appliance.model.verdict import Reason
from appliance.stream.events import EVENTS

pytestmark = pytest.mark.shared

# capture, settings, events with their packets
FORGED = [(2, "pkt_invalid_timestamp"), (3, "pkt_invalid_timestamp")]
TFO = "tcp-fastopen-11-reject-syn-data/tlpw-tcp-tfo-data-on-syn-nack.pcap"
EXPECTED = [
    ("bug-3286-03-windows-evasion/with_evasion_windows.pcap", {}, FORGED),
    ("security-4710-01/input.pcap", {}, [(5, "suspected_rst_inject"), (11, "pkt_retransmission")]),
    (TFO, {}, [(2, "3whs_synack_tfo_data_ignored")]),
    ("tcp-split-handshake-01-4whs/split-handshake-4whs.pcap", {}, []),
    ("tcp-split-handshake-02-5whs/split-handshake-5whs.pcap", {}, []),
    ("bug-5881-01/input.pcap", {"inline": True}, []),
    ("bug-4702-01/input.pcap", {}, []),
    ("tcp-rst-unacked-stream-01-raw/input.pcap", {}, []),
    ("tcp-rst-unacked-stream-07-http/input.pcap", {}, []),
]
NOISY = {"pkt_broken_ack", "pkt_spurious_retransmission"}


@pytest.fixture
def captures(shared):
    return shared / "suricata-verify" / "tests"


@pytest.mark.parametrize(("name", "settings", "events"), EXPECTED, ids=[e[0] for e in EXPECTED])
def test_events(captures, name, settings, events):
    seen = replay(captures / name, **settings)
    assert [event for event in seen.events if event[1] not in NOISY] == events


def test_syn_flood_is_counted_and_the_real_connection_is_followed(captures):
    seen = replay(captures / "bug-7657-01/input.pcap")
    assert [name for _, name in seen.events].count("3whs_syn_flood") == 13
    assert seen.data(0).startswith(b"POST /?")


def test_depth_is_reported_for_each_direction(captures):
    seen = replay(captures / "smb2-03-rule/smb2.pcap", depth=50)
    assert [name for _, name in seen.events].count("reassembly_depth_reached") == 2
    assert (len(seen.data(0)), len(seen.data(1))) == (50, 50)


def test_one_packet_of_urgent_data_is_dropped(captures):
    seen = replay(captures / "tcp-urgp-02-drop-ips/tcp-urgent1.pcap", inline=True, urgent="drop")
    assert seen.reasons == {5: Reason.STREAM_URGENT}
    seen = replay(captures / "tcp-urgp-01-oob/tcp-urgent1.pcap")
    assert seen.data(0).startswith(b"GET /malicious HTTP")


def test_a_handshake_captured_out_of_order_is_blocked_inline(captures):
    seen = replay(captures / "issue-4220-01-ids/1flowB.pcap", inline=True)
    assert len(seen.reasons) == 1355
    assert seen.flows[0].tcp.state == TcpState.SYN_RECV


def test_the_same_capture_is_followed_beside_the_traffic(captures):
    seen = replay(captures / "issue-4220-01-ids/1flowB.pcap")
    assert seen.data(0).startswith(b"HELO 10.15.6.146\r\nMAIL FROM:")
    assert seen.data(1).startswith(b"220 10.15.2.203 ")
    assert "reassembly_seq_gap" not in seen.names()


RST = "tcp-rst-unacked-stream-{}/input.pcap"


def test_data_that_a_rst_left_unacknowledged_comes_at_the_end(captures):
    seen = replay(captures / RST.format("01-raw"))
    assert [(number, data) for number, _, d, data, _ in seen.chunks if d == 1 and data] == [
        (8, b"Please "),
        (0, b"Let Me In!"),
    ]
    seen = replay(captures / RST.format("06-http-nogap-ips"), inline=True)
    assert [n for n, _, d, data, _ in seen.chunks if d == 0 and data] == [4, 5, 6, 7]


OVERLAPS = [
    ("eve-payload-01-tcp-exact-overlap/tcp-overlap.pcap", "windows", b"GOOD"),
    ("eve-payload-01-tcp-exact-overlap/tcp-overlap.pcap", "old-linux", b"EVIL"),
    ("eve-payload-04-partial-overlap/tcp-overlap2.pcap", "windows", b"GOOD"),
]


@pytest.mark.parametrize(("name", "policy", "data"), OVERLAPS)
def test_overlaps(captures, name, policy, data):
    assert replay(captures / name, policy=policy).data(0) == data


def test_midstream_policy_drops_the_flow(captures):
    seen = replay(
        captures / "tcp-async-01/input.pcap", async_oneside=True, midstream_policy="drop-flow", inline=True
    )
    assert seen.exceptions[0] == (1, "drop-flow")
    assert seen.chunks == []


def test_one_sided_capture_is_followed(captures):
    seen = replay(captures / "tcp-async-01/input.pcap", midstream=True, async_oneside=True)
    assert seen.data(1).startswith(b"* OK Coremail System IMap Server Ready")
    assert b"C6 OK ID completed\r\n* 21 EXISTS" in seen.data(1)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"inline": True}, {"midstream": True, "async_oneside": True}])
def test_no_capture_upsets_the_tracker(captures, settings):
    names: Counter[str] = Counter()
    for path in sorted(captures.rglob("*.pcap")):
        if path.stat().st_size < 300_000:
            names.update(replay(path, **settings).names())
    assert set(names) <= set(EVENTS)
