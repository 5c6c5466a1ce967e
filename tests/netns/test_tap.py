"""Copies of real traffic: every frame once, whole, with its tag; what the kernel drops is counted."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import pytest
from lab import Lab
from queues import port_map, until

from appliance.capture.base import CaptureError
from appliance.capture.tap import TapConfig, TapSource
from appliance.inventory.ports import PortMap
from appliance.model.verdict import ACCEPTED

pytestmark = pytest.mark.netns
TARGET = "10.9.0.2"


@pytest.fixture(scope="module")
def lab():
    with Lab("tap", netfilter=False) as made:
        made.vm("a", addresses=["10.9.0.1/24"])
        made.vm("b", addresses=["10.9.0.2/24"])
        yield made


@contextlib.contextmanager
def tap(lab, *names, ports=None, **settings):
    guests = [lab.guests[name] for name in names]
    config = TapConfig(tuple(guest.port for guest in guests), **settings)
    with lab.inside(lab.host):
        source = TapSource(config, ports or port_map(lab.guests["a"], lab.guests["b"]), time.time_ns)
    try:
        yield source
    finally:
        source.close()


def send(lab, name, *frames):
    with lab.inside(lab.guests[name]), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        for frame in frames:
            raw.sendto(frame, ("eth0", 0))


def ours(lab, body, ethertype=b"\x88\xb5", source="a", target="b"):
    return lab.guests[target].address + lab.guests[source].address + ethertype + body.ljust(46, b"\0")


def collect(source, wanted, seconds=5):
    """Read until there are ``wanted`` frames of the test, and a little longer."""
    found = []

    def step():
        found.extend(f for f in source.receive(0.05) if b"ew-" in f.data)
        return len(found) >= wanted

    until(step, seconds)
    step()
    return found


def test_each_frame_once_with_both_ends(lab):
    ports = port_map(lab.guests["a"], lab.guests["b"], zone=5)
    with tap(lab, "a", "b", ports=ports) as source:
        assert len(source.filenos()) == 2
        send(lab, "a", ours(lab, b"ew-1"), ours(lab, b"ew-2"))
        send(lab, "b", ours(lab, b"ew-3", source="b", target="a"))
        frames = collect(source, 3)
        assert sorted(frame.data for frame in frames) == sorted(
            [ours(lab, b"ew-1"), ours(lab, b"ew-2"), ours(lab, b"ew-3", source="b", target="a")]
        )
        first = next(frame for frame in frames if b"ew-1" in frame.data)
        assert (first.interface, first.linktype, first.wirelen) == (lab.guests["a"].port, 1, 60)
        a, b = (port.interface for port in ports.ports)
        assert (first.origin.source, first.origin.target, first.origin.zone) == (a, b, 5)
        source.verdict(first.token, ACCEPTED)
        source.flush()
        counters = source.counters()
        assert counters.received >= 3
        assert counters.verdicts == 1
        assert (counters.queue_drops, counters.malformed, counters.truncated) == (0, 0, 0)


def test_one_port_shows_both_directions_when_asked(lab):
    with tap(lab, "a", outgoing=True) as source:
        send(lab, "a", ours(lab, b"ew-out"))
        send(lab, "b", ours(lab, b"ew-in", source="b", target="a"))
        frames = {frame.data[14:20].strip(b"\0"): frame for frame in collect(source, 2)}
        port = lab.guests["a"].port
        assert (frames[b"ew-out"].interface, frames[b"ew-out"].egress) == (port, None)
        assert (frames[b"ew-in"].interface, frames[b"ew-in"].egress) == (None, port)
        assert frames[b"ew-in"].origin.target is frames[b"ew-out"].origin.source


def test_tags_are_put_back(lab):
    tagged = ours(lab, b"\x60\x0c\x88\xb5ew-tag", ethertype=b"\x81\x00")
    double = ours(lab, b"\x00\x63\x81\x00\x60\x0c\x88\xb5ew-qq", ethertype=b"\x88\xa8")
    with tap(lab, "a") as source:
        send(lab, "a", tagged, double)
        assert [frame.data for frame in collect(source, 2)] == [tagged, double]


def test_a_mac_that_is_no_vms_is_behind_an_uplink(lab):
    ports = PortMap(port_map(lab.guests["a"], lab.guests["b"]).ports[:1])
    with tap(lab, "a", "b", ports=ports) as source:
        send(lab, "b", ours(lab, b"ew-x", source="b", target="a"))
        (frame,) = collect(source, 1)
        assert frame.origin.source is None
        assert frame.origin.target is ports.ports[0].interface
        source.swap_ports(port_map(lab.guests["a"], lab.guests["b"]))
        send(lab, "b", ours(lab, b"ew-y", source="b", target="a"))
        (frame,) = collect(source, 1)
        assert frame.origin.source.vm.name == "b"


def test_bulk_tcp_is_seen_unsegmented_and_its_checksums_are_not_to_be_verified(lab):
    total = 4 << 20
    with lab.inside(lab.guests["b"]):
        server = socket.create_server((TARGET, 0))
    with tap(lab, "a", "b", buffer=64 << 20) as source, server:
        with lab.inside(lab.guests["a"]):
            client = socket.create_connection(server.getsockname())
        connection, _ = server.accept()
        with client, connection:
            client.settimeout(10)
            connection.settimeout(10)
            frames = []
            for _ in range(total >> 18):
                client.sendall(b"x" * (1 << 18))
                got = 0
                while got < 1 << 18:
                    got += len(connection.recv(1 << 20))
                frames += source.receive(0)
        frames += collect(source, 1 << 30, 0.3)
        tcp = [f for f in frames if f.data[12:14] == b"\x08\x00" and f.data[23] == 6 and f.origin.source]
        from_a = [f for f in tcp if f.origin.source.vm.name == "a"]
        carried = sum(struct.unpack(">H", f.data[16:18])[0] - 20 - (f.data[46] >> 4) * 4 for f in from_a)
        assert carried >= total
        big = [f for f in from_a if f.wirelen > 2000]
        assert big
        assert all(f.origin.segments and f.origin.checked for f in big)
        assert all(len(f.data) == f.wirelen for f in tcp)


def test_what_the_kernel_drops_is_counted(lab):
    with tap(lab, "a", buffer=1) as source:  # the kernel makes its smallest of it, about 2 KB
        send(lab, "a", *(ours(lab, b"ew-%d" % n) for n in range(200)))
        frames = collect(source, 200, 0.5)
        assert 0 < len(frames) < 200
        counters = source.counters()
        assert len(frames) + counters.queue_drops >= 200
        assert source.counters().queue_drops == counters.queue_drops


def test_devices_that_are_not_there(lab):
    with lab.inside(lab.host), pytest.raises(CaptureError, match="no-such"):
        TapSource(TapConfig(("no-such",)), PortMap(), time.time_ns)


@pytest.mark.parametrize(
    "fields", [{"devices": ()}, {"devices": ("a", "a")}, {"devices": ("a",), "batch": 0}]
)
def test_settings_that_cannot_be(fields):
    with pytest.raises(ValueError, match=r"must be"):
        TapConfig(**fields)


def test_a_device_that_goes_down_is_waited_for_and_one_that_is_gone_is_told():
    with Lab("tapgone", netfilter=False) as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24"])
        lab.vm("b", addresses=["10.9.0.2/24"])
        with tap(lab, "a") as source:
            lab.ip("link", "set", a.port, "down")
            assert [f for f in source.receive(0.1) if b"ew-" in f.data] == []
            lab.ip("link", "set", a.port, "up")

            def seen():
                with contextlib.suppress(OSError):
                    send(lab, "a", ours(lab, b"ew-back"))
                return any(b"ew-back" in frame.data for frame in source.receive(0.1))

            assert until(seen)
            lab.unplug(a)
            with pytest.raises(CaptureError, match=a.port):
                until(lambda: bool(source.receive(0.1) and False), 2)
