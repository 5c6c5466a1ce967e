"""Other policies, inventories, rules and settings in force between two packets."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_helpers import (
    BLOCKED,
    INLINE,
    SETTLED,
    UUID_A,
    VMS,
    Live,
    Tcp,
    ends,
    inspecting,
    inventory,
    one_policy,
    policies,
    ruleset,
    udp,
)
from scapy.layers.inet import UDP, fragment
from scapy.packet import Raw

from appliance.capture.pcap import PcapSource
from appliance.config.load import LoadOptions
from appliance.config.settings import EveOutput
from appliance.daemon.assemble import Documents, Inputs, make_engine, read_documents
from appliance.engine.build import build_pipeline
from appliance.model.event import AppEvent
from appliance.model.verdict import Reason, Verdict
from appliance.sinks.eve import EveWriter

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
INSPECTED = one_policy(inspection="{mode: prevent}")
EVIL = 'drop http any any -> any any (http.uri; content:"/evil"; sid:1;)'
BAD = 'drop tcp any any -> any any (content:"bad"; sid:2;)'


def change(live, policy="", rules="", vms=VMS, settings=INLINE, same_bound=False):
    """Swap everything for what is named; give the new inventory."""
    inv = inventory(vms)
    bound = policies(policy, inv, 1) if policy else None
    if same_bound:
        inv, bound = live.inv, live.engine.pipeline.bound
    live.engine.swap(build_pipeline(settings, inventory=inv, bound=bound, ruleset=ruleset(rules, settings)))
    live.inv = inv
    live.a, live.b = inv.interfaces[0], inv.interfaces[1] if len(inv.interfaces) > 1 else None


def opened(policy=INSPECTED, rules=EVIL, settings=INLINE, port=80):
    live, tcp = Live(policy, rules, settings), Tcp(port=port)
    for packet in tcp.open():
        live.send(packet)
    return live, tcp


def test_a_live_connection_is_judged_by_new_policies():
    live, tcp = opened(one_policy(), "")
    assert live.send(tcp.say(b"x")).mark == SETTLED
    change(live, one_policy(action="deny"))
    result = live.send(tcp.say(b"x"), known=True)
    assert (result.decision.verdict, result.decision.reason, result.mark) == (
        Verdict.DROP,
        Reason.FIREWALL,
        BLOCKED,
    )
    change(live, one_policy())
    assert live.send(tcp.say(b"x"), known=True).decision.verdict is Verdict.ACCEPT


def test_what_inspection_has_dropped_stays_dropped():
    live, tcp = opened(rules=BAD)
    assert live.send(tcp.say(b"bad")).mark == BLOCKED
    change(live, INSPECTED, EVIL)
    result = live.send(tcp.say(b"x"), known=True)
    assert (result.decision.reason, result.mark) == (Reason.FLOW_DENIED, BLOCKED)


def test_without_policies_nothing_stays_denied():
    live = Live(one_policy(action="deny"))
    assert live.send(udp()).mark == BLOCKED
    change(live)
    assert live.send(udp()).decision.verdict is Verdict.ACCEPT


def test_a_request_that_spans_the_change_is_seen_whole():
    live, tcp = opened()
    live.send(tcp.say(b"GET /ev"))
    change(live, INSPECTED, BAD + "\n" + EVIL)
    result = live.send(tcp.say(b"il HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert (result.decision.verdict, result.decision.by) == (Verdict.DROP, "1:1 ")


def test_a_new_rule_sees_what_an_open_transaction_holds_already():
    live, tcp = opened(rules='alert http any any -> any any (http.method; content:"GET"; sid:5;)')
    live.send(tcp.say(b"GET /evil HTTP/1.1\r\nHost: x\r\n"))
    change(live, INSPECTED, EVIL)
    assert live.send(tcp.say(b"A: b\r\n\r\n")).decision.verdict is Verdict.DROP


@pytest.mark.parametrize("again", [BAD, "alert udp any any -> any any (sid:9;)\n" + BAD])
def test_a_signature_that_spans_the_change_of_rules_matches(again):
    live, tcp = opened(rules=BAD)
    live.send(tcp.say(b"xxb"))
    change(live, INSPECTED, again)
    assert live.send(tcp.say(b"ad")).decision.verdict is Verdict.DROP


def test_a_rule_that_is_gone_does_not_match_and_one_that_has_matched_does_not_again():
    rules = BAD.replace("drop", "alert") + '\nalert tcp any any -> any any (content:"x"; sid:3;)'
    live, tcp = opened(rules=rules)
    live.send(tcp.say(b"bad"))
    change(live, INSPECTED, "alert udp any any -> any any (sid:9;)\n" + rules)
    live.send(tcp.say(b"x"))
    change(live, INSPECTED, BAD.replace("2;", "4;").replace("drop", "alert"))
    live.send(tcp.say(b"q"))
    assert live.alerts() == [2, 3, 4]  # the new rule sees the tail


def test_a_new_rule_on_addresses_looks_at_connections_that_are_open():
    live, tcp = opened()
    live.send(tcp.say(b"x"))
    change(live, INSPECTED, "drop ip 10.0.0.1 any -> any any (sid:7;)")
    assert live.send(tcp.say(b"x")).decision.verdict is Verdict.DROP


def test_bits_of_flows_and_hosts_and_thresholds_go_on():
    rules = """
    alert udp any any -> any any (content:"set"; flowbits:set,f; xbits:set,x,track ip_src,expire 60; sid:1;)
    alert udp any any -> any any (content:"ask"; flowbits:isset,f; xbits:isset,x,track ip_src; sid:2;)
    alert udp any any -> any any (content:"many"; threshold:type both,track by_src,count 3,seconds 60; sid:3;)
    """
    live = Live(INSPECTED, rules)
    for data in (b"set", b"many", b"many"):
        live.send(udp(data))
    change(live, INSPECTED, "alert tcp any any -> any any (sid:9;)\n" + rules)
    for data in (b"ask", b"many", b"many"):
        live.send(udp(data))
    assert live.alerts() == [1, 2, 3]
    change(live, INSPECTED, "alert tcp any any -> any any (sid:9;)")
    assert len(live.engine.pipeline.detector.thresholds.table) == 0


def test_values_that_rules_added_to_sets_stay():
    add = "alert http any any -> any any (http.host; dataset:set,seen,type string; sid:1;)"
    ask = "alert http any any -> any any (http.host; dataset:isset,seen,type string; sid:2;)"
    live, tcp = opened(rules=add)
    live.send(tcp.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    change(live, INSPECTED, ask)
    live.send(tcp.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert live.alerts() == [1, 2]


FTP = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("flow", "ftp"))),))
ONLY_FTP = one_policy(
    "firewall: {application: [{name: ftp, action: allow, protocol: tcp, destination_port: 21}]}",
    "{mode: prevent}",
    "deny",
)


def test_an_announced_connection_is_let_in_after_a_change():
    live, tcp = opened(ONLY_FTP, "", FTP, port=21)
    live.send(tcp.say(b"220 hello\r\n", back=True))
    live.send(tcp.say(b"USER x\r\n"))
    live.send(tcp.say(b"331 password\r\n", back=True))
    live.send(tcp.say(b"PASV\r\n"))
    live.send(tcp.say(b"227 Entering Passive Mode (10,0,0,2,100,0)\r\n", back=True))
    change(live, ONLY_FTP + "# changed\n", "", settings=FTP)
    other = live.send(Tcp(port=25601, client=41001).packet("S"))
    assert other.decision.verdict is Verdict.DROP
    data = live.send(Tcp(port=25600, client=41000).packet("S"))
    assert (data.decision.verdict, data.flow.app_proto) == (Verdict.ACCEPT, "ftp-data")


def test_a_datagram_that_spans_the_change_is_put_together():
    live = Live(INSPECTED, 'drop udp any any -> any any (content:"bad"; sid:2;)')
    first, second = fragment(ends() / UDP(sport=1, dport=2) / Raw(b"x" * 60 + b"bad"), fragsize=64)
    live.send(first)
    change(live, INSPECTED, 'drop udp any any -> any any (content:"bad"; sid:2;)')
    assert live.send(second).decision.verdict is Verdict.DROP


def test_limits_count_on_and_are_given_back():
    text = one_policy("stateful: {connections: 1}")
    live = Live(text)
    live.send(Tcp().packet("S"))
    change(live, text)
    assert live.send(Tcp(client=41000).packet("S")).decision.reason is Reason.LIMIT_CONNECTIONS
    live.engine.finish(live.now)
    assert live.send(Tcp(client=42000).packet("S")).decision.verdict is Verdict.ACCEPT


def test_a_blocked_source_stays_blocked():
    scan = "scan_detection: {port_sweep: {threshold: 3, window: 60s, action: block, block: 60s}}"
    live = Live(one_policy(scan))
    for port in range(1, 4):
        live.send(Tcp(port=port).packet("S"))
    change(live, one_policy(scan))
    assert live.send(udp()).decision.reason is Reason.SCAN_BLOCK


def test_flows_keep_their_interfaces_and_those_that_are_gone_are_unknown():
    live, tcp = opened(one_policy(), "")
    lines = VMS.splitlines()
    change(live, one_policy(), vms="\n".join([lines[0], lines[2], lines[1]]))
    live.a, live.b = live.b, live.a
    flow = live.send(tcp.say(b"x"), known=True).flow
    assert (flow.client_if, flow.server_if) == (live.a, live.b)
    assert flow.client_if is live.inv.interfaces[1]
    change(live, one_policy(), vms="\n".join(lines[:2]))
    flow = live.send(tcp.say(b"x"), known=True, target=None).flow
    assert (flow.client_if.vm.uuid, flow.server_if) == (UUID_A, None)


def test_a_bypassed_connection_is_inspected_when_policy_says_so():
    bypass = one_policy("firewall: {application: [{name: fast, action: bypass}]}", "{mode: prevent}")
    live, tcp = opened(bypass, BAD)
    assert live.send(tcp.say(b"bad")).mark == SETTLED
    for _ in range(100):
        tcp.say(b"z" * 60000, back=True)  # the kernel alone sees it
    change(live, INSPECTED, BAD)
    assert live.send(tcp.say(b"fine"), known=True).decision.verdict is Verdict.ACCEPT
    assert live.send(tcp.say(b"bad"), known=True).decision.verdict is Verdict.DROP


def test_a_parser_that_is_wanted_now_starts_with_the_next_request():
    plain = one_policy(inspection="{enabled: false, applications: {deny: [ssh]}}")
    live, tcp = opened(plain, "")
    assert live.send(tcp.say(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")).mark == SETTLED
    tcp.say(b"a" * 70000, back=True)
    change(live, INSPECTED, EVIL)
    assert live.send(tcp.say(b"tail of an answer", back=True)).decision.verdict is Verdict.ACCEPT
    result = live.send(tcp.say(b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"), known=True)
    assert (result.decision.verdict, result.flow.app_proto) == (Verdict.DROP, "http")


def test_a_parser_is_wanted_for_a_flow_that_was_only_recognised():
    live, tcp = opened(rules=BAD)
    flow = live.send(tcp.say(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")).flow
    assert (flow.app_proto, flow.app.parser) == ("http", None)
    change(live, INSPECTED, EVIL)
    live.send(tcp.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", back=True))
    assert live.send(tcp.say(b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")).decision.verdict is Verdict.DROP


def test_bounds_of_the_new_settings_hold():
    live, tcp = opened(rules=BAD)
    small = dataclasses.replace(INLINE.flow, max_flows=1, vlan_in_key=False)
    change(live, INSPECTED, BAD, settings=dataclasses.replace(inspecting(INLINE, depth=5), flow=small))
    assert live.send(tcp.say(b"x" * 10)).flow.tcp.client.depth_reached
    live.send(udp())
    assert len(live.table) == 1


def test_records_of_an_open_request_are_written_once():
    settings = dataclasses.replace(INLINE, eve=(EveOutput(types=frozenset(("http",))),))
    live, tcp = opened(INSPECTED, EVIL, settings)
    live.send(tcp.say(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"))
    change(live, INSPECTED, EVIL, settings=settings)
    live.send(tcp.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", back=True))
    live.events += live.engine.finish(live.now)
    assert sum(isinstance(one, AppEvent) for one in live.events) == 1


# Nothing has changed: nothing is said otherwise.


@pytest.fixture(scope="module")
def documents() -> Documents:
    options = LoadOptions(mode="prevent", sets=("stream.inline=yes",))
    found = read_documents(
        Inputs(
            options,
            (ROOT / "policies", PCAPS / "demo/bindings.yaml"),
            PCAPS / "demo/vms.yaml",
            (ROOT / "rules",),
        )
    )
    assert not found.errors
    return found


@pytest.fixture(scope="module")
def again(documents) -> Documents:
    """The same documents read anew, with the policies in force."""
    options = LoadOptions(mode="prevent", sets=("stream.inline=yes",))
    found = read_documents(Inputs(options, (), PCAPS / "demo/vms.yaml", (ROOT / "rules",)))
    found.inventory, found.bound = documents.inventory, documents.bound
    return found


def play(frames, documents, again, at):
    text = io.StringIO()
    writer = EveWriter(
        EveOutput(types=frozenset(("alert", "drop", "anomaly", "http", "smb", "flow", "files"))), text
    )
    engine, decisions, events = make_engine(documents), [], []
    for place, frame in enumerate(frames):
        if place in at:
            engine.swap(make_engine(again).pipeline)
        result = engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        decisions.append(result.decision)
        events += result.events
    for event in [*events, *engine.finish()]:
        writer.write(event)
    return decisions, [json.loads(line) for line in text.getvalue().splitlines()]


CAPTURES = {path.stem: list(PcapSource([str(path)])) for path in sorted(PCAPS.glob("*.pcap"))}


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_a_change_of_nothing_changes_nothing(name, documents, again):
    frames = CAPTURES[name]
    plain = play(frames, documents, again, ())
    assert play(frames, documents, again, range(0, len(frames), max(len(frames) // 5, 1))) == plain


@given(st.data())
def test_wherever_it_comes(documents, again, data):
    frames = CAPTURES[data.draw(st.sampled_from(["shellshock", "split-exploit", "log4shell", "traversal"]))]
    at = data.draw(st.sets(st.integers(0, len(frames)), max_size=3))
    assert play(frames, documents, again, at) == play(frames, documents, again, ())
