"""What replay says of a capture is what the appliance said of the traffic."""

from __future__ import annotations

import struct
import sys
import time

import pytest

from appliance.capture.pcap import PcapSource
from appliance.config.load import LoadOptions
from appliance.daemon.assemble import Inputs, make_engine, read_documents
from appliance.model.event import AlertEvent
from appliance.model.verdict import Verdict
from tests.netns.lab import Lab, call
from tests.netns.running import Running, listen, say
from tests.netns.test_enforced import ALLOWED, ATTACK, DENIED, REJECTED, RULE, policies

pytestmark = pytest.mark.netns

RULES = RULE + (
    'alert http any any -> any any (msg:"path"; http.uri; content:"/look"; sid:2;)\n'
    'alert udp any any -> any any (msg:"datagram"; content:"marked"; sid:3;)\n'
)


@pytest.fixture
def lab():
    with Lab("same") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        yield lab


def comments(path):
    """Read the verdict that each frame of a recording has in its comment."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", data, at + 20)
            place = at + 28 + (captured + 3 & ~3)
            _, length = struct.unpack_from("<HH", data, place)
            found.append(data[place + 4 : place + 4 + length].decode())
        at += size
    return found


def test_verdicts_and_alerts_are_equal(lab, tmp_path):
    for port in (ALLOWED, DENIED, REJECTED):
        listen(lab, lab.b, port)
    listen(lab, lab.b, ALLOWED, "udp")
    out = tmp_path / "recorded.pcapng"
    with Running(lab, tmp_path, [policies()], RULES) as appliance:
        recording = lab.spawn(
            lab.host, sys.executable, "-m", "appliance.cli", "capture", "--socket", str(appliance.socket),
            "--vm", "b", "--out", str(out), "--seconds", "14",
        )  # fmt: skip
        appliance.wait_for(out.exists, "recording")
        time.sleep(1)
        for address in ("10.9.0.2", "fd09::2"):
            say(lab, lab.a, address, ALLOWED, b"GET /look HTTP/1.1\r\nHost: b\r\n\r\n")
            say(lab, lab.a, address, ALLOWED, b"y" * 20_000)
            say(lab, lab.a, address, DENIED, patience=0.3)
            say(lab, lab.a, address, REJECTED, patience=0.3)
            say(lab, lab.a, address, ALLOWED, b"a marked one", "udp")
            say(lab, lab.a, address, ALLOWED, ATTACK, patience=0.5)
        said, _ = recording.communicate(timeout=30)
        assert "frames in" in said, said
        live = sorted(r["alert"]["signature_id"] for r in appliance.records("alert"))
    lines = comments(out)
    assert {"accepted", "blocked"} == set(lines)
    documents = read_documents(
        Inputs(
            LoadOptions(mode="prevent", inline=True),
            policies=(tmp_path / "policies.yaml",),
            inventory=tmp_path / "vms.yaml",
            rules=(tmp_path / "local.rules",),
        )
    )
    assert not documents.errors
    engine = make_engine(documents)
    verdicts, alerts = [], []
    for frame in PcapSource([str(out)]):
        result = engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        verdicts.append("blocked" if result.decision.verdict > Verdict.ACCEPT else "accepted")
        alerts += [event.rule.sid for event in result.events if isinstance(event, AlertEvent)]
    assert verdicts == lines
    assert sorted(alerts) == live
    assert set(live) == {1, 2, 3}


def test_a_recording_is_read_by_others(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    out = tmp_path / "recorded.pcapng"
    with Running(lab, tmp_path, [policies()]) as appliance:
        recording = lab.spawn(
            lab.host, sys.executable, "-m", "appliance.cli", "capture", "--socket", str(appliance.socket),
            "--vm", "a", "--out", str(out), "--packets", "4",
        )  # fmt: skip
        appliance.wait_for(out.exists, "recording")
        appliance.wait_for(
            lambda: (
                say(lab, lab.a, "10.9.0.2", ALLOWED, b"z" * 5000) == "echo" and recording.poll() is not None
            ),
            "end",
        )
    shown = call("tcpdump", "-nr", str(out))
    assert f"10.9.0.2.{ALLOWED}" in shown
