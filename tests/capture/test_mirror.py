"""Whose frame a copy is, by its port and its MACs."""

from __future__ import annotations

import pytest

from appliance.capture.mirror import Mirror
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface

MACS = [b"\x02\0\0\0\0" + bytes([n]) for n in range(5)]
A, B, C, D = (VmInterface(n, Vm(str(n), str(n)), "eth0", MACS[n]) for n in range(4))
TWIN = VmInterface(4, Vm("twin", "twin"), "eth0", MACS[0])


def origin(ports, index, frame, sent=False, vlan=0, info=0):
    return Mirror(PortMap(ports)).origin(index, sent, vlan, frame, info)


def frame(source, target):
    return MACS[target] + MACS[source] + b"\x08\x00"


PORTS = [Port("a", 1, A), Port("b", 2, B), Port("up", 3, uplink=True)]


@pytest.mark.parametrize(
    ("index", "sent", "source", "target", "ends"),
    [
        (1, False, 0, 1, (A, B)),
        (2, True, 0, 1, (A, B)),
        (1, False, 0, 4, (A, None)),
        (1, True, 4, 0, (None, A)),
        (3, False, 4, 1, (None, B)),
        (3, True, 0, 4, (A, None)),
        (9, False, 0, 1, (A, B)),  # a mirror port that the map does not know
        (1, False, 1, 4, (A, None)),  # the port tells, whatever the frame says
    ],
)
def test_both_ends(index, sent, source, target, ends):
    found = origin(PORTS, index, frame(source, target), sent)
    assert (found.source, found.target) == ends


def test_the_same_mac_in_two_segments():
    ports = [Port("a", 1, A, zone=1), Port("t", 2, TWIN, zone=2), Port("b", 3, B, zone=2)]
    found = origin(ports, 3, frame(1, 0))
    assert (found.source, found.target, found.zone) == (B, TWIN, 2)


def test_a_mac_that_two_interfaces_have_tells_nobody():
    ports = [Port("a", 1, A), Port("t", 2, TWIN), Port("b", 3, B)]
    assert origin(ports, 3, frame(1, 0)).target is None


def test_a_vlan_of_a_trunk_is_a_port():
    ports = [Port("trunk", 1, C, vlan=30, zone=3), Port("trunk", 1, D, vlan=40, zone=4), Port("b", 2, B)]
    assert origin(ports, 1, frame(4, 1), vlan=30).source is C
    assert origin(ports, 1, frame(4, 1), vlan=40).zone == 4
    assert origin(ports, 1, frame(4, 1)).source is None


@pytest.mark.parametrize(
    ("info", "checked", "segments"), [(0, False, False), (1, True, False), (3, True, True)]
)
def test_checksums(info, checked, segments):
    found = origin(PORTS, 1, frame(0, 1), info=info)
    assert (found.checked, found.segments) == (checked, segments)


def test_what_is_remembered_is_bounded_and_right():
    mirror = Mirror(PortMap(PORTS))
    for n in range(10_000):
        data = MACS[1] + b"\x06\0\0" + n.to_bytes(3, "big") + b"\x08\x00"
        assert mirror.origin(3, False, 0, data, 0).target is B
    assert mirror.origin(3, False, 0, frame(0, 1), 0).source is A
    assert mirror.origin(3, False, 0, frame(0, 1), 0) is mirror.origin(3, False, 0, frame(0, 1), 0)
    assert len(mirror._known) <= 4096
