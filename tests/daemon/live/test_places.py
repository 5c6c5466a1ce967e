"""Which port is whose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.daemon.live.document import BridgeDocument
from appliance.daemon.live.places import Device, locate, zone_of
from appliance.inventory.inventory import build
from appliance.inventory.ports import NO_VLAN
from appliance.model.identity import Vm, VmInterface

BR0 = BridgeDocument(name="br0", uplinks=("up0",))
BR1 = BridgeDocument(name="br1")
MAC_A, MAC_B = bytes.fromhex("525400000001"), bytes.fromhex("525400000002")
VM_A, VM_B = Vm("a", "a"), Vm("b", "b")


def interface(vm, mac, **more):
    return VmInterface(0, vm, "eth0", mac, **more)


def inventory(*interfaces):
    return build([(one.vm, [one]) for one in interfaces])


def device(name, bridge="br0", **more):
    return Device(name, hash(name) % 1000 + 1, more.pop("mac", b"\2\0\0\0\0\1"), bridge, **more)


def owners(places):
    return {
        port.name: (port.interface.vm.name if port.interface is not None else "uplink")
        for port in places.ports.ports
    }


def test_the_inventory_names_a_port():
    known = inventory(interface(VM_A, MAC_A, port="tap0"), interface(VM_B, MAC_B))
    places = locate([device("tap0"), device("tap1"), device("up0")], [BR0], known, {})
    assert owners(places) == {"tap0": "a", "up0": "uplink"}
    assert places.unbound == ("tap1",)
    assert places.absent == ("b/eth0",)


def test_a_tap_of_libvirt_tells_its_guest():
    known = inventory(interface(VM_A, MAC_A))
    places = locate([device("vnet0", mac=b"\xfe" + MAC_A[1:])], [BR0], known, {})
    assert owners(places) == {"vnet0": "a"}


def test_a_vlan_of_a_trunk_tells_its_interface_and_the_bridge_is_one_segment():
    known = inventory(interface(VM_A, MAC_A, vlan=101), interface(VM_B, MAC_B, vlan=102))
    places = locate([device("t.101", vlan=101), device("t.102", vlan=102)], [BR0], known, {})
    assert owners(places) == {"t.101": "a", "t.102": "b"}
    assert [port.zone for port in places.ports.ports] == [zone_of(0, NO_VLAN)] * 2


def test_a_mac_that_was_seen_places_an_interface():
    known = inventory(interface(VM_A, MAC_A), interface(VM_B, MAC_B))
    seen = {"veth1": frozenset({MAC_B, b"\2\0\0\0\0\7"})}
    places = locate([device("veth0"), device("veth1")], [BR0], known, seen)
    assert owners(places) == {"veth1": "b"}


def test_a_mac_seen_at_two_ports_places_nobody():
    known = inventory(interface(VM_A, MAC_A))
    seen = {"veth0": frozenset({MAC_A}), "veth1": frozenset({MAC_A})}
    assert owners(locate([device("veth0"), device("veth1")], [BR0], known, seen)) == {}


def test_two_known_macs_behind_one_port_place_nobody():
    known = inventory(interface(VM_A, MAC_A), interface(VM_B, MAC_B))
    seen = {"veth0": frozenset({MAC_A, MAC_B})}
    assert owners(locate([device("veth0")], [BR0], known, seen)) == {}


def test_an_interface_with_a_named_port_is_not_taken_by_sight():
    known = inventory(interface(VM_A, MAC_A, port="tap9"))
    seen = {"veth0": frozenset({MAC_A})}
    assert owners(locate([device("veth0")], [BR0], known, seen)) == {}


def test_a_mac_already_placed_cannot_be_claimed_elsewhere():
    known = inventory(interface(VM_A, MAC_A))
    devices = [device("vnet0", mac=b"\xfe" + MAC_A[1:]), device("veth1")]
    places = locate(devices, [BR0], known, {"veth1": frozenset({MAC_A})})
    assert owners(places) == {"vnet0": "a"}


def test_devices_of_other_bridges_are_nobodys_business():
    known = inventory(interface(VM_A, MAC_A, port="tap0"))
    assert owners(locate([device("tap0", bridge="other")], [BR0, BR1], known, {})) == {}


def test_bridges_are_segments_of_their_own():
    assert len({zone_of(number, vlan) for number in range(15) for vlan in (-1, 1, 4095)}) == 45
    assert max(zone_of(number, 4095) for number in range(15)) < 1 << 16


@given(st.permutations(["tap0", "vnet0", "t.7", "veth0", "veth1", "up0"]), st.permutations([0, 1, 2, 3]))
def test_order_does_not_matter(names, order):
    interfaces = [
        interface(Vm(str(n), f"vm{n}"), bytes([0x52, 0, 0, 0, 0, n]), **more)
        for n, more in enumerate(({"port": "tap0"}, {}, {"vlan": 7}, {}))
    ]
    details = {"vnet0": {"mac": b"\xfe\0\0\0\0\1"}, "t.7": {"vlan": 7}}
    devices = [device(name, **details.get(name, {})) for name in names]
    seen = {"veth0": frozenset({interfaces[3].mac})}
    places = locate(devices, [BR0], inventory(*(interfaces[n] for n in order)), seen)
    assert owners(places) == {"tap0": "vm0", "vnet0": "vm1", "t.7": "vm2", "veth0": "vm3", "up0": "uplink"}
    assert places.unbound == ("veth1",)


def test_what_the_file_names_and_nobody_has_made_is_told():
    places = locate([device("tap0")], [BR0, BR1], inventory(), {})
    assert places.missing == ("br0", "up0", "br1")
    here = [device("br0", bridge=""), device("br1", bridge=""), device("up0")]
    assert locate(here, [BR0, BR1], inventory(), {}).missing == ()
