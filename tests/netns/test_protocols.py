"""Every protocol that a firewall rule can name, allowed and denied, over the real path."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.l2 import GRE, Ether
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from tests.netns.lab import Lab
from tests.netns.rawlink import Wire, between
from tests.netns.running import Running
from tests.netns.test_enforced import policies, rule

pytestmark = pytest.mark.netns

MARK = b"wire-test-" * 4
KINDS = {
    "tcp": (6, lambda: TCP(sport=5000, dport=5001, flags="S") / Raw(MARK)),
    "udp": (17, lambda: UDP(sport=5000, dport=5001) / Raw(MARK)),
    "icmp": (1, lambda: ICMP(type=8, id=3) / Raw(MARK)),
    "icmpv6": (58, lambda: ICMPv6EchoRequest(data=MARK)),
    "igmp": (2, lambda: Raw(b"\x16\0\0\0\xe0\0\0\x05" + MARK)),
    "sctp": (132, lambda: SCTP(sport=5000, dport=5001) / SCTPChunkInit() / Raw(MARK)),
    "gre": (47, lambda: GRE() / IP(src="10.1.0.1", dst="10.1.0.2") / UDP() / Raw(MARK)),
    "esp": (50, lambda: Raw(b"\0\0\1\1\0\0\0\1" + MARK)),
    "89": (89, lambda: Raw(MARK)),
}


def number_of(name):
    return KINDS[name][0]


def packet(lab, name):
    version = 6 if name == "icmpv6" else 4
    frame = between(lab.a, lab.b, version)
    if version == 4:
        frame.proto = number_of(name)
    return frame / KINDS[name][1]()


@pytest.fixture(scope="module")
def lab():
    with Lab("proto") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        yield lab


@pytest.fixture(scope="module")
def appliance(lab, tmp_path_factory):
    with Running(lab, tmp_path_factory.mktemp("proto"), [policies()]) as running:
        yield running


@pytest.mark.parametrize("name", KINDS)
def test_a_protocol_passes_only_where_both_policies_allow_it(lab, appliance, name):
    wanted = int(name) if name.isdigit() else name
    allow = [rule("this", "allow", protocol=wanted)]
    others = [rule("others", "allow", protocol=[other for other in ("tcp", "udp", "icmp") if other != name])]
    with Wire(lab, lab.a) as out, Wire(lab, lab.b) as into:
        for server, client, passes in ((allow, allow, True), (others, allow, False), (allow, others, False)):
            document = policies(server_rules=server, client_rules=client)
            for policy in document["policies"][:2]:
                del policy["firewall"]["infrastructure"][1:]  # which lets all ICMPv6 pass
            appliance.write_policies(document)
            appliance.ask("reload")
            out.send(packet(lab, name))
            heard = into.wait(lambda data: MARK in data, 3 if passes else 0.7)
            assert (heard is not None) == passes, (name, passes)


@pytest.mark.parametrize(("ethertype", "allowed"), [(0x88CC, True), (0x88B5, False)])
def test_other_frames_pass_where_a_rule_names_their_type(lab, appliance, ethertype, allowed):
    rules = [rule("lldp", "allow", frame=0x88CC)]
    document = policies(server_rules=rules, client_rules=rules)
    for policy in document["policies"][:2]:
        policy["guard"] = {"ethertypes": [0x88CC, 0x88B5]}
    appliance.write_policies(document)
    appliance.ask("reload")
    with Wire(lab, lab.a) as out, Wire(lab, lab.b) as into:
        out.send(Ether(src=lab.a.mac, dst=lab.b.mac, type=ethertype) / Raw(MARK))
        assert (into.wait(lambda data: MARK in data, 2 if allowed else 0.7) is not None) == allowed


def test_arp_follows_the_policies(lab, appliance):
    lab.run(lab.a, "ip", "neigh", "flush", "all")
    appliance.write_policies(policies())
    appliance.ask("reload")
    assert "1 received" in lab.run(lab.a, "ping", "-c1", "-W2", "10.9.0.2", check=False)
    document = policies()
    document["policies"][0]["firewall"] = {"application": [rule("ping", "allow", protocol="icmp")]}
    appliance.write_policies(document)
    appliance.ask("reload")
    lab.run(lab.a, "ip", "neigh", "flush", "all")
    assert "0 received" in lab.run(lab.a, "ping", "-c1", "-W1", "10.9.0.2", check=False)
