"""Identification of both ends and checks of what the sender claims."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.document import parse_document
from appliance.inventory.document import load_inventory, parse_inventory
from appliance.inventory.intervals import IntervalMap
from appliance.inventory.registry import Registry
from appliance.model.packet import Packet
from appliance.model.verdict import Reason

TEXT = b"""
vms:
  - uuid: 11111111-1111-1111-1111-111111111111
    name: web
    os: linux
    tags: [prod]
    interfaces:
      - {name: eth0, mac: 52:54:00:00:00:01, network: lan, addresses: [10.0.0.1, "fe80::1", "2001:db8::1"]}
      - {name: eth1, mac: 10:20:30:40:50:54, network: back}
  - uuid: 22222222-2222-2222-2222-222222222222
    name: db
    interfaces:
      - {name: eth0, mac: 52-54-00-00-00-02, network: lan, addresses: [10.0.0.2]}
      - {name: tw0, mac: 5254.0000.0009, network: a, vlan: 7}
  - uuid: 33333333-3333-3333-3333-333333333333
    name: router
    interfaces:
      - {name: tw0, mac: 52:54:00:00:00:09, network: b, vlan: 8}
      - {name: any, mac: 52:54:00:00:00:03, network: lan, addresses: [0.0.0.0/0]}
"""


@pytest.fixture
def registry():
    document, errors = parse_document(TEXT, "inv.yaml")
    inventory, errors = parse_inventory(document, errors)
    assert not errors
    return Registry(inventory)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


WEB, DB, ROUTER, STRANGER = (mac(f"52:54:00:00:00:0{n}") for n in (1, 2, 3, 4))
NOBODY = "0.0.0.0"  # noqa: S104 - an address in a packet
GATEWAY = mac("52:54:00:00:00:05")


def packet(eth_src=b"", eth_dst=b"", src="", dst="", vlan=None, **fields):
    one = Packet(b"", 1, 0, 1)
    one.eth_src, one.eth_dst = eth_src, eth_dst
    one.src, one.dst = (ip(src) if src else b""), (ip(dst) if dst else b"")
    one.ip_version = {4: 4, 16: 6}.get(len(one.src), 0)
    one.ethertype = 0x86DD if one.ip_version == 6 else 0x0800
    one.vlans = () if vlan is None else (vlan,)
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def arp(eth_src, sha, spa, eth_dst=b"\xff" * 6):
    return packet(
        eth_src, eth_dst, ethertype=0x0806, arp_op=1, arp_sha=sha, arp_spa=ip(spa), arp_tpa=ip("10.0.0.9")
    )


def seen(registry, one):
    registry.identify(one)
    return tuple(end.label if end else None for end in (one.src_if, one.dst_if))


@pytest.mark.parametrize(
    ("one", "ends"),
    [
        (packet(WEB, DB, "10.0.0.1", "10.0.0.2"), ("web/eth0", "db/eth0")),
        (packet(STRANGER, DB), (None, "db/eth0")),
        (packet(mac("52:54:00:00:00:09"), WEB, vlan=7), ("db/tw0", "web/eth0")),
        (packet(mac("52:54:00:00:00:09"), WEB, vlan=8), ("router/tw0", "web/eth0")),
        (packet(mac("52:54:00:00:00:09"), WEB), (None, "web/eth0")),
        (packet(src="10.0.0.1", dst="10.0.0.2"), ("web/eth0", "db/eth0")),
        (packet(src="9.9.9.9", dst="2001:db8::1"), ("router/any", "web/eth0")),
        (packet(src="2001:db8::9", dst="10.0.0.1"), (None, "web/eth0")),
        (packet(), (None, None)),
    ],
)
def test_identify(registry, one, ends):
    assert seen(registry, one) == ends


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (packet(WEB, DB, "10.0.0.1", "10.0.0.2"), None),
        (packet(WEB, DB, "10.0.0.3", "10.0.0.2"), Reason.SPOOFED_IP),
        (packet(WEB, DB, NOBODY, "255.255.255.255", proto=17, dport=67), None),
        (packet(WEB, DB, NOBODY, "10.0.0.2", proto=6), Reason.SPOOFED_IP),
        (packet(WEB, DB, "fe80::77", "ff02::1"), None),
        (packet(WEB, DB, "::", "ff02::1"), None),
        (packet(WEB, DB, "2001:db8::2", "ff02::1"), Reason.SPOOFED_IP),
        (packet(ROUTER, DB, "10.0.0.1", "10.0.0.2"), None),  # it may send from anywhere
        (packet(GATEWAY, DB, "10.0.0.1", "10.0.0.2"), Reason.SPOOFED_MAC),  # same segment, not its MAC
        (packet(GATEWAY, mac("10:20:30:40:50:54"), "10.0.0.2", "10.1.0.1"), None),  # through a router
        (packet(mac("10:20:30:40:50:54"), GATEWAY, "10.0.0.2", "10.1.0.1"), None),  # other network
        (packet(b"\x01" + WEB[1:], DB, "10.0.0.1", "10.0.0.2"), Reason.SPOOFED_MAC),
        (arp(WEB, WEB, "10.0.0.1"), None),
        (arp(WEB, DB, "10.0.0.1"), Reason.SPOOFED_ARP),
        (arp(WEB, WEB, "10.0.0.2"), Reason.SPOOFED_ARP),
        (arp(WEB, WEB, NOBODY), None),
        (arp(STRANGER, STRANGER, "10.0.0.1"), Reason.SPOOFED_ARP),
        (arp(STRANGER, STRANGER, "10.0.0.77"), None),
        (arp(STRANGER, STRANGER, "10.0.0.1", DB), Reason.SPOOFED_ARP),
    ],
)
def test_check(registry, one, reason):
    registry.identify(one)
    assert registry.check(one) is reason


@given(st.data())
def test_no_packet_raises(data):
    document, errors = parse_document(TEXT, "inv.yaml")
    registry = Registry(parse_inventory(document, errors)[0])
    macs = st.sampled_from([WEB, DB, ROUTER, b""]) | st.binary(min_size=6, max_size=6)
    addresses = st.sampled_from([b"", ip("10.0.0.1")]) | st.binary(min_size=4, max_size=4)
    one = packet(data.draw(macs), data.draw(macs))
    one.src, one.dst = data.draw(addresses), data.draw(addresses | st.binary(min_size=16, max_size=16))
    one.arp_sha, one.arp_spa = data.draw(macs), data.draw(addresses)
    one.ethertype = data.draw(st.sampled_from([0x0800, 0x0806, 0x8035, 5]))
    registry.identify(one)
    registry.check(one)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=12), st.integers(0, 255))
def test_interval_map_finds_the_narrowest(pairs, probe):
    ranges = [(min(p), max(p), n) for n, p in enumerate(pairs)]
    holding = [(last - first, n) for first, last, n in ranges if first <= probe <= last]
    assert IntervalMap(ranges, 1).find(bytes([probe])) == (min(holding)[1] if holding else None)


def test_every_error_of_a_document(tmp_path):
    path = tmp_path / "inv.yaml"
    path.write_text(
        "vms:\n"
        "  - uuid: nope\n"
        "    name: a\n"
        "    interfaces:\n"
        "      - {name: eth0, mac: 1, adresses: [10.0.0.1]}\n"
        "  - name: b\n"
        "    uuid: 22222222-2222-2222-2222-222222222222\n"
        "    interfaces:\n"
        "      - {name: e, mac: 01:00:00:00:00:01, addresses: [10.0.0.300]}\n"
    )
    inventory, errors = load_inventory(path)
    assert inventory is None
    assert [(e.line, e.field) for e in errors] == [
        (2, "vms.0.uuid"),
        (5, "vms.0.interfaces.0.mac"),
        (5, "vms.0.interfaces.0.adresses"),
        (9, "vms.1.interfaces.0.mac"),
        (9, "vms.1.interfaces.0.addresses.0"),
    ]
    assert "did you mean 'addresses'" in str(errors[2])


def test_duplicates_name_the_first():
    one = "{uuid: 22222222-2222-2222-2222-222222222222, name: a, interfaces: [%s]}"
    interface = "{name: e, mac: 00:00:00:00:00:02}"
    text = f"vms:\n  - {one % interface}\n  - {one % f'{interface}, {interface}'}\n"
    document, errors = parse_document(text.encode(), "f")
    _, errors = parse_inventory(document, errors)
    assert {e.message.split(" is ")[0] for e in errors} == {"uuid", "name of a VM", "interface name", "mac"}
    assert all(e.line == 3 for e in errors)
    assert any("first in line 2" in e.hint for e in errors)
