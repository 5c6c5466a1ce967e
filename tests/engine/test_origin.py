"""Frames whose place on the switch is known: interfaces by port, segments, copies, connections under way."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_helpers import (
    INLINE,
    MAC_A,
    MAC_B,
    NOW,
    SECOND,
    UUID_A,
    UUID_B,
    VMS,
    A,
    B,
    Live,
    Tcp,
    ends,
    inspecting,
    one_policy,
    ping,
    udp,
)
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from appliance.capture.base import Frame
from appliance.capture.pcap import PcapSource
from appliance.config.load import LoadOptions
from appliance.config.settings import EveOutput
from appliance.daemon.assemble import Documents, Inputs, make_engine, read_documents
from appliance.decode.decoder import Decoder
from appliance.inventory.registry import Registry
from appliance.model.origin import Origin
from appliance.model.verdict import Reason, Verdict
from appliance.sinks.eve import EveWriter

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
KINDS = frozenset(("alert", "drop", "anomaly", "http", "dns", "tls", "ssh", "smb", "flow", "files", "stats"))
STRICT = one_policy("stateful: {strict: true}", "{mode: prevent}")
BAD = 'drop tcp any any -> any any (content:"bad"; sid:1;)'
HTTP = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'


# What interfaces there are, and who lies about it.


def test_interfaces_are_those_behind_the_ports():
    live = Live(one_policy())
    packet = live.send(udp(), source=live.a, target=None).packet
    assert (packet.src_if, packet.dst_if) == (live.a, None)


def test_interfaces_of_an_older_inventory_are_found_by_identity():
    live, other = Live(one_policy()), Live(one_policy())
    packet = live.send(udp(), source=other.a, target=other.b).packet
    assert (packet.src_if, packet.dst_if) == (live.a, live.b)
    vm = VMS.replace(UUID_A, UUID_B.replace("6f", "70"))
    assert live.send(udp(), source=Live(one_policy(), vms=vm).a).packet.src_if is None


def test_an_honest_sender_is_no_voucher_for_the_next():
    live = Live(one_policy())
    where = Origin(live.a, live.b)
    whole = Ether(src=MAC_A, dst=MAC_B) / IP(src=A, dst=B) / UDP()
    forged = Ether(src=MAC_A, dst=MAC_B) / IP(src="10.0.0.9", dst=B) / UDP()
    other = Ether(src=MAC_B, dst=MAC_B) / IP(src=A, dst=B) / UDP()
    said = [live.send(one, origin=where).decision.reason for one in (whole, forged, whole, other, whole)]
    assert said == [Reason.NONE, Reason.SPOOFED_IP, Reason.NONE, Reason.SPOOFED_MAC, Reason.NONE]
    assert where.vouched is not None
    arp = Ether(src=MAC_A, dst=MAC_B) / ARP(hwsrc=MAC_A, psrc="10.0.0.9")
    assert live.send(arp, origin=where).decision.reason is Reason.SPOOFED_ARP


def test_nobody_vouches_for_who_has_no_address_yet():
    live = Live(one_policy())
    where = Origin(live.a, live.b)
    asks = Ether(src=MAC_A, dst=MAC_B) / IP(src="0.0.0.0", dst=B) / UDP(dport=67)  # noqa: S104 - in a packet
    other = Ether(src=MAC_A, dst=MAC_B) / IP(src="0.0.0.0", dst=B) / UDP(dport=80)  # noqa: S104 - in a packet
    said = [live.send(one, origin=where).decision.reason for one in (asks, other)]
    assert said == [Reason.NONE, Reason.SPOOFED_IP]
    assert where.vouched is None


def test_another_inventory_looks_again():
    live = Live(one_policy())
    where = Origin(live.a, live.b)
    assert live.send(udp(), origin=where).decision.reason is Reason.NONE
    moved = Live(one_policy(), vms=VMS.replace(f"addresses: [{A}]", "addresses: [10.0.0.9]"))
    assert moved.send(udp(), origin=where).decision.reason is Reason.SPOOFED_IP
    assert live.send(udp(), origin=where).decision.reason is Reason.NONE


@pytest.mark.parametrize(
    ("frame", "uplink", "reason"),
    [
        (Ether(src="52:54:00:00:00:77", dst=MAC_B) / IP(src=A, dst=B) / UDP(), False, Reason.SPOOFED_MAC),
        (Ether(src=MAC_B, dst=MAC_B) / IP(src=A, dst=B) / UDP(), False, Reason.SPOOFED_MAC),
        (Ether(src=MAC_A, dst=MAC_B) / IP(src="10.0.0.9", dst=B) / UDP(), False, Reason.SPOOFED_IP),
        (Ether(src=MAC_A, dst=MAC_B) / ARP(hwsrc=MAC_A, psrc="10.0.0.9"), False, Reason.SPOOFED_ARP),
        (Ether(src=MAC_A, dst=MAC_B) / ARP(hwsrc=MAC_B, psrc=A), False, Reason.SPOOFED_ARP),
        (Ether(src=MAC_A, dst=MAC_B) / IP(src=A, dst=B) / UDP(), False, Reason.NONE),
        (Ether(src=MAC_A, dst=MAC_B) / IP(src=A, dst=B) / UDP(), True, Reason.SPOOFED_MAC),
        (Ether(src="52:54:00:00:00:77", dst=MAC_B) / IP(src=A, dst=B) / UDP(), True, Reason.SPOOFED_MAC),
        (Ether(src="52:54:00:00:00:77", dst=MAC_B) / IP(src="8.8.8.8", dst=B) / UDP(), True, Reason.NONE),
    ],
)
def test_a_sender_is_who_its_port_says(frame, uplink, reason):
    live = Live(one_policy())
    found = live.send(frame, source=None if uplink else live.a, target=live.b)
    assert found.decision.reason is reason


def test_a_vm_of_another_host_comes_in_by_the_uplink():
    live = Live(one_policy(), vms=VMS.replace(", port: tap0", ""))
    result = live.send(udp(), source=None, target=live.b)
    assert (result.decision.verdict, result.packet.src_if) == (Verdict.ACCEPT, None)


def test_a_port_of_nobody_lets_nothing_in():
    result = Live().send(udp(), unmapped=True)
    assert (result.decision.reason, result.mark) == (Reason.UNKNOWN_INTERFACE, 0)


# Segments and copies.


def test_equal_addresses_in_two_segments_do_not_mix():
    live = Live(one_policy())
    flows = [live.send(udp(), zone=zone).flow for zone in (0, 1, 2, 1)]
    assert len({id(flow) for flow in flows}) == 3
    assert flows[1] is flows[3]
    answer = live.send(udp(back=True), zone=1)
    assert answer.flow is flows[1]


def test_each_copy_of_a_frame_for_many_is_a_flow_of_its_own():
    live = Live(one_policy())
    frame = Ether(src=MAC_A, dst="ff:ff:ff:ff:ff:ff") / IP(src=A, dst="10.0.0.255") / UDP(sport=1, dport=2)
    flows = [live.send(frame, copy=copy, target=live.b).flow for copy in (1, 2)]
    assert flows[0] is not flows[1]
    assert flows[0].server_if is live.b


def test_fragments_of_two_segments_do_not_mix():
    whole = ends() / UDP(sport=1, dport=2) / Raw(b"x" * 100)
    first, second = fragment(whole, fragsize=64)
    live = Live(one_policy())
    assert live.send(first, zone=1).flow is None
    assert live.send(second, zone=2).flow is None
    done = live.send(second, zone=1)
    assert (done.flow.place >> 32, done.flow.client_if) == (1, live.a)


def test_what_a_tunnel_carries_is_in_the_segment_of_the_tunnel():
    inner = Ether(src="02:00:00:00:00:08", dst="02:00:00:00:00:09") / IP(src=A, dst=B) / UDP(dport=53)
    live = Live(one_policy())
    live.send(ends() / UDP(sport=4789, dport=4789) / Raw(b"\x08\0\0\0\0\0\1\0" + bytes(inner)), zone=1)
    assert sorted((flow.place >> 32, flow.depth) for flow in live.table.flows()) == [(1, 0), (1, 1)]


def test_host_bits_and_thresholds_are_those_of_a_segment():
    rules = """
    alert udp any any -> any any (content:"set"; xbits:set,x,track ip_src,expire 60; sid:1;)
    alert udp any any -> any any (content:"ask"; xbits:isset,x,track ip_src; sid:2;)
    alert udp any any -> any any (content:"many"; threshold:type both,track by_src,count 2,seconds 9; sid:3;)
    """
    live = Live(one_policy(inspection="{mode: detect}"), rules)
    for data, zone in ((b"set", 1), (b"ask", 2), (b"ask", 1), (b"many", 1), (b"many", 2), (b"many", 1)):
        live.send(udp(data), zone=zone)
    assert live.alerts() == [1, 2, 3]


def test_checksums_may_be_filled_in_later():
    live = Live(
        one_policy(inspection="{mode: prevent}"), 'drop tcp any any -> any any (content:"bad"; sid:1;)'
    )
    tcp = Tcp()
    for packet in tcp.open():
        live.send(packet)
    packet = tcp.say(b"bad")
    packet[TCP].chksum = 1
    assert live.send(packet).decision.verdict is Verdict.ACCEPT
    assert live.send(packet, checked=True).decision.verdict is Verdict.DROP


# Connections that were there before.


def test_strictness_does_not_refuse_what_was_let_in_before():
    tcp = Tcp()
    tcp.open()
    packet = tcp.say(b"GET /evil HTTP/1.1\r\n\r\n")
    assert Live(STRICT).send(packet).decision.reason is Reason.STATE_INVALID
    live = Live(STRICT, HTTP)
    result = live.send(packet, known=True)
    assert (result.decision.verdict, result.decision.reason) == (Verdict.DROP, Reason.RULE)


@pytest.mark.parametrize("midstream", ["ignore", "drop-flow"])
def test_a_known_connection_runs_as_the_kernel_saw_it_begin(midstream):
    tcp = Tcp()
    tcp.open()
    live = Live(STRICT, HTTP, inspecting(INLINE, midstream_policy=midstream))
    flow = live.send(tcp.say(b"half an answer", back=True)).flow
    assert (flow.client_if, flow.server_if, flow.sport) == (live.a, live.b, 80)
    assert flow.pkts_tc == 1
    result = live.send(tcp.say(b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"), known=True)
    assert (result.flow, result.decision.reason) == (flow, Reason.RULE)


def test_a_known_connection_is_judged_by_its_service():
    web = "{name: w, action: allow, protocol: tcp, destination_port: 80}"
    only = f"stateful: {{strict: true}}, firewall: {{application: [{web}]}}"
    for port, verdict in ((80, Verdict.ACCEPT), (81, Verdict.DROP)):
        live, tcp = Live(one_policy(only, action="deny")), Tcp(port=port)
        tcp.open()
        assert live.send(tcp.say(b"x", back=True)).decision.verdict is verdict


@pytest.mark.parametrize("flags", ["FA", "RA", "R", "SA", "A", "FPA"])
def test_any_segment_of_a_known_connection_passes(flags):
    tcp = Tcp()
    tcp.open()
    live = Live(STRICT, HTTP)
    data = b"x" if "P" in flags else b""
    assert live.send(tcp.packet(flags, data, back=True)).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.packet("A")).decision.verdict is Verdict.ACCEPT


def test_bytes_in_the_fin_of_a_known_connection_are_inspected():
    tcp = Tcp()
    tcp.open()
    live = Live(STRICT, BAD)
    assert live.send(tcp.packet("FPA", b"bad"), known=True).decision.verdict is Verdict.DROP


def test_answers_of_datagrams_and_pings_find_their_question():
    live = Live(one_policy())
    flow = live.send(udp(back=True)).flow
    assert (flow.client_if, flow.sport) == (live.a, 53)
    flow = live.send(ping(back=True)).flow
    assert (flow.client_if, flow.icmp_type) == (live.a, 8)
    assert live.send(ping()).flow is flow


def test_known_connections_are_no_port_sweep():
    text = one_policy("scan_detection: {host_sweep: {threshold: 3, window: 60s, action: block, block: 60s}, "
                      "port_sweep: {threshold: 3, window: 60s, action: block, block: 60s}}")  # fmt: skip
    for known, last in ((True, Verdict.ACCEPT), (False, Verdict.DROP)):
        live = Live(text)
        found = [live.send(Tcp(port=port).packet("A"), known=known).decision.verdict for port in range(1, 6)]
        assert found[-1] is last


def test_an_evicted_flow_is_taken_up_again():
    live, tcp = Live(STRICT, HTTP), Tcp()
    for packet in (*tcp.open(), tcp.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")):
        live.send(packet)
    live.engine.tick(live.now + 10**15)
    assert len(live.table) == 0
    assert (
        live.send(tcp.say(b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"), known=True).decision.reason
        is Reason.RULE
    )


# With or without: the same is said of frames for one receiver.


@pytest.fixture(scope="module")
def documents() -> Documents:
    options = LoadOptions(mode="prevent", sets=("stream.inline=yes",))
    policies = (ROOT / "policies", PCAPS / "demo/bindings.yaml")
    found = read_documents(Inputs(options, policies, PCAPS / "demo/vms.yaml", (ROOT / "rules",)))
    assert not found.errors
    return found


def play(frames: list[Frame], documents: Documents, origins: bool):
    text, decisions = io.StringIO(), []
    writer = EveWriter(EveOutput(types=KINDS), text)
    engine, registry = make_engine(documents), Registry(documents.inventory)
    decoder = Decoder(documents.settings.decode)
    events = []
    for frame in frames:
        origin = None
        if origins:
            seen = decoder.decode(frame.data, frame.linktype, frame.now, frame.number)
            registry.identify(seen)
            origin = Origin(seen.src_if, seen.dst_if)
        result = engine.process(
            frame.data, frame.linktype, frame.now, frame.number, frame.wirelen, None, origin
        )
        decisions.append(result.decision)
        events += result.events
    for event in [*events, *engine.finish()]:
        writer.write(event)
    return decisions, [json.loads(line) for line in text.getvalue().splitlines()]


def unlike(records):
    """The kernel would have seen less of flows that it settles: how they ended may differ, nothing else."""
    return [one for one in records if one["event_type"] != "stats"]


@pytest.mark.parametrize("capture", sorted(PCAPS.glob("*.pcap")), ids=lambda path: path.stem)
def test_an_origin_changes_no_verdict_and_no_record(capture, documents):
    frames = list(PcapSource([str(capture)]))
    without, given_ = play(frames, documents, False), play(frames, documents, True)
    assert given_[0] == without[0]
    assert unlike(given_[1]) == unlike(without[1])


FRAMES = [frame for path in sorted(PCAPS.glob("*.pcap")) for frame in PcapSource([str(path)])]


@given(st.data())
def test_an_origin_changes_nothing_for_mixed_up_frames(documents, data):
    chosen = data.draw(st.lists(st.integers(0, len(FRAMES) - 1), min_size=1, max_size=25))
    frames = [
        Frame(FRAMES[at].data, 1, NOW + number * SECOND // 10, FRAMES[at].wirelen, number)
        for number, at in enumerate(chosen, 1)
    ]
    assert play(frames, documents, True)[0] == play(frames, documents, False)[0]
