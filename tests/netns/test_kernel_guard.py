"""The layer 2 guard on a real bridge: for each rule a frame that passes and one that does not."""

from __future__ import annotations

import struct

import pytest
from kernel_lab import PASSING, plug
from lab import Lab
from wire import BROADCAST, Wire, arp, ether, icmp6, ip4, ip6, mac, packed, tcp, udp

pytestmark = pytest.mark.netns

A4, B4, FREE4 = "10.9.0.1", "10.9.0.2", "10.9.0.77"
A6, B6, FREE6 = "fd09::1", "fd09::2", "fd09::77"
NOBODY = mac("02:00:00:00:00:99")
PLACEHOLDER = mac("02:00:00:00:00:aa")  # stands for the sender's own in a payload
NOWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it
TEXT = b"payload that is looked for......"


@pytest.fixture(scope="module")
def world():
    with Lab("guard") as lab:
        made = plug(
            lab,
            {
                "a": [A4, A6],
                "b": [B4, B6],
                "server": ["10.9.0.3", "fd09::3", "10.9.4.0/24", "fd09:4::/64"],
                "undeclared": [],
                "trusted": ["10.9.0.5"],
            },
            ("up", "up2"),
        )
        made.stranger = lab.vm("stranger")
        made.apply()
        with Wire(lab) as wire:
            made.wire = wire
            yield made


def v4(source=A4, target=B4, **ports):
    return ip4(source, target, 17, udp(ports.get("sport", 1000), ports.get("dport", 2000), TEXT))


def v6(source=A6, target=B6, **ports):
    return ip6(source, target, 17, udp(ports.get("sport", 1000), ports.get("dport", 2000), TEXT))


def nd(kind, source=A6, target=B6, about=A6):
    return icmp6(source, target, kind, bytes(4) + packed(about) + b"\2\1" + bytes(6) + TEXT)


def advertised(about, source=A6):
    return ip6(source, B6, 58, nd(136, source, B6, about))


def behind(following, *headers):
    """Put IPv6 extension headers of 8 bytes before a payload."""
    kinds = [kind for kind, _ in headers]
    body = b""
    for at, (_, content) in enumerate(headers):
        upper = kinds[at + 1] if at + 1 < len(kinds) else following[0]
        body += bytes([upper]) + content
    return ip6(A6, B6, kinds[0], body + following[1])


PAD = b"\0\1\4\0\0\0\0"
FIRST_FRAGMENT = b"\0" + struct.pack("!HI", 1, 7)
NEXT_FRAGMENT = b"\0" + struct.pack("!HI", 16 << 3, 7)

# name: (ethertype, payload, the reason for which it is dropped or "")
FROM_A = {
    "ipv4": (0x800, v4(), ""),
    "ipv4 link-local": (0x800, v4("169.254.7.7"), ""),
    "ipv4 of another": (0x800, v4(FREE4), "ip"),
    "ipv4 of b": (0x800, v4(B4, A4), "ip"),
    "ipv4 from nowhere": (0x800, v4(NOWHERE), "ip"),
    "tcp": (0x800, ip4(A4, B4, 6, tcp(1000, 2000, 1, TEXT)), ""),
    "tcp from a port of dhcp": (0x800, ip4(A4, B4, 6, tcp(67, 68, 1, TEXT)), ""),
    "tcp of another": (0x800, ip4(FREE4, B4, 6, tcp(1000, 2000, 1, TEXT)), "ip"),
    "tcp behind a tag": (0x8100, b"\0\5\x08\0" + ip4(A4, B4, 6, tcp(1000, 2000, 1, TEXT)), "tag"),
    "tcp in ipv6": (0x86DD, ip6(A6, B6, 6, tcp(1000, 2000, 1, TEXT)), ""),
    "tcp in ipv6 of another": (0x86DD, ip6(FREE6, B6, 6, tcp(1000, 2000, 1, TEXT)), "ip"),
    "dhcp request": (0x800, v4(NOWHERE, sport=68, dport=67), ""),
    "dhcp answer": (0x800, v4(sport=67, dport=68), "dhcp"),
    "dhcp answer from an odd port": (0x800, v4(sport=5000, dport=68), "dhcp"),
    "dhcp relay": (0x800, v4(sport=67, dport=67), "dhcp"),
    "icmp echo": (0x800, ip4(A4, B4, 1, b"\x08\0\0\0" + TEXT), ""),
    "icmp redirect": (0x800, ip4(A4, B4, 1, b"\x05\1\0\0" + TEXT), "router"),
    "icmp router advertisement": (0x800, ip4(A4, B4, 1, b"\x09\0\0\0" + TEXT), "router"),
    "ipv6": (0x86DD, v6(), ""),
    "ipv6 link-local": (0x86DD, v6("fe80::1"), ""),
    "ipv6 of another": (0x86DD, v6(FREE6), "ip"),
    "address detection": (0x86DD, ip6("::", B6, 58, nd(135, "::", B6, FREE6)), ""),
    "dhcpv6 request": (0x86DD, v6("fe80::1", sport=546, dport=547), ""),
    "dhcpv6 answer": (0x86DD, v6(sport=547, dport=546), "dhcp"),
    "dhcpv6 answer from an odd port": (0x86DD, v6(sport=5000, dport=546), "dhcp"),
    "router advertisement": (0x86DD, ip6(A6, B6, 58, nd(134)), "router"),
    "redirect": (0x86DD, ip6(A6, B6, 58, nd(137)), "router"),
    "neighbour solicitation": (0x86DD, ip6(A6, B6, 58, nd(135)), ""),
    "own advertisement": (0x86DD, advertised(A6), ""),
    "link-local advertisement": (0x86DD, advertised("fe80::7"), ""),
    "advertisement of another's": (0x86DD, advertised(B6), "nd"),
    "advertisement of nobody's": (0x86DD, advertised(FREE6), "nd"),
    "hidden advertisement": (0x86DD, behind((58, nd(136, about=B6)), (60, PAD)), "nd"),
    "hidden router advertisement": (0x86DD, behind((58, nd(134)), (0, PAD), (60, PAD)), "router"),
    "extension headers": (0x86DD, behind((17, udp(1, 2, TEXT)), (60, PAD)), ""),
    "fragmented advertisement": (0x86DD, behind((58, nd(136)), (44, FIRST_FRAGMENT)), "header"),
    "fragment of what is hidden": (0x86DD, behind((60, TEXT), (44, NEXT_FRAGMENT)), "header"),
    "headers without end": (0x86DD, ip6(A6, B6, 0, b"\0\xff" + TEXT), "header"),
    "arp": (0x806, arp(PLACEHOLDER, A4, B4), ""),
    "arp probe": (0x806, arp(PLACEHOLDER, NOWHERE, A4), ""),
    "arp of another's address": (0x806, arp(PLACEHOLDER, B4, A4), "arp"),
    "arp of nobody's address": (0x806, arp(PLACEHOLDER, FREE4, A4, 2), "arp"),
    "arp of another's mac": (0x806, arp(NOBODY, A4, B4), "arp"),
    "arp of another hardware": (0x806, arp(PLACEHOLDER, A4, B4, form=(6, 0x800, 6, 4)), "arp"),
    "arp of another size": (0x806, arp(PLACEHOLDER, A4, B4, form=(1, 0x800, 8, 4)), "arp"),
    "rarp": (0x8035, arp(PLACEHOLDER, NOWHERE, NOWHERE, 3), ""),
    "rarp of another's mac": (0x8035, arp(NOBODY, NOWHERE, NOWHERE, 3), "arp"),
    "allowed ethertype": (0x88B5, TEXT, ""),
    "other ethertype": (0x88B6, TEXT, "ethertype"),
    "lldp": (0x88CC, TEXT, "ethertype"),
    "tag": (0x8100, b"\0\5\x08\0" + v4(), "tag"),
    "priority tag": (0x8100, b"\x20\0\x08\0" + v4(), "tag"),
    "service tag": (0x88A8, b"\0\5\x08\0" + v4(), "tag"),
    "two tags": (0x88A8, b"\0\5\x81\0\0\6\x08\0" + v4(), "tag"),
    "old two tags": (0x9100, b"\0\5\x81\0\0\6\x08\0" + v4(), "ethertype"),
    "pppoe": (0x8864, b"\x11\0\0\1" + struct.pack("!H", len(v4()) + 2) + b"\0\x21" + v4(), "ethertype"),
    "mpls": (0x8847, b"\0\1\1\x40" + v4(), "ethertype"),
    "llc/snap": (len(v4()) + 8, b"\xaa\xaa\3\0\0\0\x08\0" + v4(), "ethertype"),
    "spanning tree": (len(TEXT) + 3, b"\x42\x42\3" + TEXT, "ethertype"),
    "ipx": (len(TEXT) + 2, b"\xff\xff" + TEXT, "ethertype"),
}


@pytest.mark.parametrize("name", FROM_A)
def test_what_a_guest_sends(world, name):
    kind, payload, reason = FROM_A[name]
    a, b = world.guests["a"], world.guests["b"]
    before = world.count(f"drop.{reason}.{a.port}")
    frame = ether(b.address, a.address, kind, payload.replace(PLACEHOLDER, a.address))
    assert world.wire.crosses(a, frame, b) == (not reason)
    assert world.count(f"drop.{reason}.{a.port}") == before + bool(reason)


@pytest.mark.parametrize("source", [NOBODY, mac("03:00:00:00:00:99"), "b"])
def test_a_guest_sends_with_its_own_mac_only(world, source):
    a, b = world.guests["a"], world.guests["b"]
    address = b.address if source == "b" else source
    assert not world.wire.crosses(a, ether(b.address, address, 0x800, v4()), b)
    assert not world.wire.crosses(a, ether(b.address, address, 0x800, FROM_A["tcp"][1]), b)
    assert not world.wire.crosses(a, ether(b.address, address, 0x88B5, TEXT), b)
    learned = world.lab.run(world.lab.host, "bridge", "fdb", "show", "br", "br0")
    assert NOBODY.hex(":") not in learned


def test_drops_are_counted_by_port(world):
    a, b = world.guests["a"], world.guests["b"]
    before = world.count(f"drop.mac.{a.port}"), world.count("drop.mac"), world.count(f"drop.mac.{b.port}")
    world.wire.crosses(a, ether(b.address, NOBODY, 0x800, v4()), b)
    after = world.count(f"drop.mac.{a.port}"), world.count("drop.mac"), world.count(f"drop.mac.{b.port}")
    assert [x - y for x, y in zip(after, before, strict=True)] == [1, 1, 0]


SERVER = {
    "dhcp answer": (0x800, v4("10.9.0.3", sport=67, dport=68)),
    "dhcpv6 answer": (0x86DD, v6("fd09::3", sport=547, dport=546)),
    "router advertisement": (0x86DD, ip6("fd09::3", B6, 58, nd(134, "fd09::3"))),
    "redirect": (0x800, ip4("10.9.0.3", B4, 1, b"\x05\1\0\0" + TEXT)),
    "address of a range": (0x800, v4("10.9.4.200")),
    "address of an IPv6 range": (0x86DD, v6("fd09:4::abcd")),
    "advertisement of a range": (0x86DD, ip6("fd09::3", B6, 58, nd(136, "fd09::3", B6, "fd09:4::abcd"))),
}


@pytest.mark.parametrize("name", SERVER)
def test_what_a_policy_allows_a_server(world, name):
    kind, payload = SERVER[name]
    server, b = world.guests["server"], world.guests["b"]
    assert world.wire.crosses(server, ether(b.address, server.address, kind, payload), b)


def test_ranges_have_an_end(world):
    server, b = world.guests["server"], world.guests["b"]
    for kind, payload in ((0x800, v4("10.9.5.1")), (0x86DD, v6("fd09:5::1"))):
        assert not world.wire.crosses(server, ether(b.address, server.address, kind, payload), b)
    claim = ip6("fd09::3", B6, 58, nd(136, "fd09::3", B6, "fd09:5::1"))
    assert not world.wire.crosses(server, ether(b.address, server.address, 0x86DD, claim), b)
    for address, passes in (("10.9.4.9", True), ("10.9.5.9", False)):
        frame = ether(BROADCAST, server.address, 0x806, arp(server.address, address, B4))
        assert world.wire.crosses(server, frame, b) == passes


def test_without_declared_addresses_only_others_are_refused(world):
    one, b = world.guests["undeclared"], world.guests["b"]
    for address, passes in ((FREE4, True), (A4, False)):
        frame = ether(BROADCAST, one.address, 0x806, arp(one.address, address, B4))
        assert world.wire.crosses(one, frame, b) == passes
    for about, passes in ((FREE6, True), (A6, False)):
        claim = ip6("fe80::9", B6, 58, nd(136, "fe80::9", B6, about))
        assert world.wire.crosses(one, ether(b.address, one.address, 0x86DD, claim), b) == passes
    assert world.wire.crosses(one, ether(b.address, one.address, 0x800, v4(FREE4)), b)


def test_without_spoof_protection_addresses_are_free(world):
    one, b = world.guests["trusted"], world.guests["b"]
    assert world.wire.crosses(one, ether(b.address, one.address, 0x800, v4(FREE4)), b)
    assert world.wire.crosses(one, ether(b.address, one.address, 0x86DD, v6(FREE6)), b)
    frame = ether(b.address, one.address, 0x806, arp(one.address, A4, B4))
    assert world.wire.crosses(one, frame, b)
    assert not world.wire.crosses(one, ether(b.address, NOBODY, 0x800, v4(FREE4)), b)


FROM_UPLINK = {
    "ipv4": (0x800, v4("192.0.2.1", A4), ""),
    "ipv6": (0x86DD, v6("2001:db8::1", A6), ""),
    "router advertisement": (0x86DD, ip6("fe80::1", A6, 58, nd(134, "fe80::1", A6)), ""),
    "arp": (0x806, arp(PLACEHOLDER, "10.9.0.254", A4), ""),
    "arp of a local address": (0x806, arp(PLACEHOLDER, B4, A4), "arp"),
    "advertisement of a local address": (0x86DD, ip6("fe80::1", A6, 58, nd(136, "fe80::1", A6, B6)), "nd"),
    "tag": (0x8100, b"\0\5\x08\0" + v4("192.0.2.1", A4), "tag"),
    "two tags": (0x88A8, b"\0\5\x81\0\0\6\x08\0" + v4("192.0.2.1", A4), "tag"),
    "pppoe": (0x8864, b"\x11\0\0\1\0\x40\0\x21" + v4("192.0.2.1", A4), "ethertype"),
    "llc/snap": (len(v4()) + 8, b"\xaa\xaa\3\0\0\0\x08\0" + v4("192.0.2.1", A4), "ethertype"),
    "mpls": (0x8847, b"\0\1\1\x40" + v4("192.0.2.1", A4), "ethertype"),
    "spanning tree": (len(TEXT) + 3, b"\x42\x42\3" + TEXT, "ethertype"),
}


@pytest.mark.parametrize("name", FROM_UPLINK)
def test_what_an_uplink_sends(world, name):
    kind, payload, reason = FROM_UPLINK[name]
    up, a = world.uplinks[0], world.guests["a"]
    before = world.count(f"drop.{reason}.{up.port}")
    frame = ether(a.address, up.address, kind, payload.replace(PLACEHOLDER, up.address))
    assert world.wire.crosses(up, frame, a) == (not reason)
    assert world.count(f"drop.{reason}.{up.port}") == before + bool(reason)


def test_an_uplink_does_not_send_with_a_local_mac(world):
    up, a, b = world.uplinks[0], world.guests["a"], world.guests["b"]
    for source in (b.address, a.address, mac("03:00:00:00:00:01")):
        assert not world.wire.crosses(up, ether(a.address, source, 0x800, v4("192.0.2.1", A4)), a)
    assert world.wire.crosses(up, ether(a.address, NOBODY, 0x800, v4("192.0.2.1", A4)), a)


def test_nothing_comes_from_a_port_that_nobody_knows(world):
    stranger, a = world.stranger, world.guests["a"]
    before = world.count(f"drop.unknown.{stranger.port}")
    catching = world.wire.socket(a)
    world.wire._drain(catching)
    for kind, payload in ((0x800, v4("10.9.0.9", A4)), (0x806, arp(stranger.address, "10.9.0.9", A4))):
        world.wire.send(stranger, ether(a.address, stranger.address, kind, payload))
    assert world.wire.crosses(world.guests["b"], ether(a.address, world.guests["b"].address, 0x88B5, TEXT), a)
    assert world.count(f"drop.unknown.{stranger.port}") >= before + 2
    assert (stranger.port, stranger.address) in [(one.port, one.mac) for one in world.driver.seen()]
    assert not [one for one in world.driver.seen() if one.port == world.guests["a"].port]


def test_nothing_goes_to_a_port_that_nobody_knows(world):
    stranger, a, up = world.stranger, world.guests["a"], world.uplinks[0]
    before = world.count(f"drop.unknown.{stranger.port}")
    with pytest.raises(TimeoutError):
        world.wire.crosses(a, ether(BROADCAST, a.address, 0x806, arp(a.address, A4, B4)), stranger)
    assert world.count(f"drop.unknown.{stranger.port}") > before
    assert world.wire.crosses(a, ether(BROADCAST, a.address, 0x806, arp(a.address, A4, B4)), up)


def test_frames_for_unknown_macs_go_to_uplinks_only(world):
    a, b, up = world.guests["a"], world.guests["b"], world.uplinks[0]
    frame = ether(NOBODY[:5] + b"\x55", a.address, 0x800, v4(A4, "192.0.2.9"))
    assert not world.wire.crosses(a, frame, b)
    assert world.wire.crosses(a, frame, up)


def test_a_guest_receives_what_is_sent_to_it_before_it_spoke(world):
    known = world.lab.run(world.lab.host, "bridge", "fdb", "show", "br", "br0")
    for guest in world.guests.values():
        assert f"{guest.mac} dev {guest.port} master br0 static" in known


RULES = """
policies:
  - name: plain
    default_action: deny
    fail: open
    firewall:
      infrastructure:
        - {name: arp, action: allow, frame: arp}
        - {name: sentinel, action: allow, frame: 0x88b5}
        - {name: to-b, action: allow, frame: 0x88b6, direction: out, destination_mac: "%s"}
        - {name: from-a, action: allow, frame: 0x88b6, direction: in}
        - {name: only-out, action: allow, frame: 0x88b7, direction: out}
        - {name: any-to-b, action: allow, frame: any, direction: out, destination: {vm: b}}
        - {name: lldp, action: allow, frame: 0x88cc, direction: in}
default: plain
unknown: deny
"""


def test_firewall_rules_for_frames_that_are_not_ip(world):
    a, b, server = (world.guests[name] for name in ("a", "b", "server"))
    try:
        world.apply(RULES % b.mac, 2)
        for sender, receiver, kind, passes in (
            (a, b, 0x88B6, True),
            (a, server, 0x88B6, False),
            (a, server, 0x88B7, False),
            (a, b, 0x88B7, False),
            (a, b, 0x88CC, True),
            (a, server, 0x88CC, False),
        ):
            frame = ether(receiver.address, sender.address, kind, TEXT)
            assert world.wire.crosses(sender, frame, receiver) == passes, (
                sender.name,
                receiver.name,
                hex(kind),
            )
        up, up2 = world.uplinks
        assert world.wire.crosses(up, ether(a.address, up.address, 0x88CC, TEXT), a)
        with pytest.raises(TimeoutError):  # neither end is known: the policy for unknown ends
            world.wire.crosses(up, ether(up2.address, up.address, 0x88CC, TEXT), up2)
        assert world.count(f"drop.frame.{server.port}") > 0
    finally:
        world.apply(PASSING, 3)


def test_tcp_passes_where_its_queue_may_be_passed_by(world):
    a, b = world.guests["a"], world.guests["b"]
    frame = ether(b.address, a.address, 0x800, ip4(A4, B4, 6, tcp(1234, 80, 2, TEXT)))
    assert world.wire.crosses(a, frame, b)
