"""ICMP errors about connections: routers send them, so that any worker may get them."""

from __future__ import annotations

import re

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from tests.netns.lab import Lab
from tests.netns.rawlink import Wire
from tests.netns.running import Running, Talk, listen

pytestmark = pytest.mark.netns

PORT = 7001
A, B = "10.9.0.1", "10.9.0.2"
ROUTERS = [f"198.51.100.{number}" for number in range(1, 13)]
POLICIES = {
    "policies": [
        {
            "name": "closed",
            "default_action": "deny",
            "firewall": {
                "infrastructure": [{"name": "arp", "action": "allow", "frame": "arp"}],
                "application": [
                    {"name": "out", "action": "allow", "direction": "out"},
                    {
                        "name": "in",
                        "action": "allow",
                        "direction": "in",
                        "protocol": "tcp",
                        "destination_port": PORT,
                    },
                ],
            },
        }
    ],
    "default": "closed",
    "unknown": "deny",
}
RULE = 'alert tcp any any -> any any (msg:"never"; content:"never seen"; sid:1; rev:1;)\n'


@pytest.fixture
def lab():
    with Lab("icmp") as lab:
        lab.a = lab.vm("a", addresses=[f"{A}/24"])
        lab.b = lab.vm("b", addresses=[f"{B}/24"])
        lab.r = lab.vm("r")
        yield lab


def _client_port(lab: Lab) -> int:
    found = re.search(rf"{re.escape(A)}:(\d+)\s+{re.escape(B)}:{PORT}", lab.run(lab.a, "ss", "-Htn"))
    assert found is not None
    return int(found[1])


def _error(lab: Lab, router: str, port: int) -> Packet:
    """Say to the client, as a router does, that a segment of its is too large (RFC 792, RFC 1191)."""
    quoted = IP(src=A, dst=B) / TCP(sport=port, dport=PORT, flags="A")
    head = Ether(src=lab.r.mac, dst=lab.a.mac) / IP(src=router, dst=A)
    return head / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(bytes(quoted)[:28])


def _arrived(wire: Wire, routers: list[str]) -> set[str]:
    """Give those routers whose error reaches the client."""
    wanted = {bytes(map(int, router.split("."))): router for router in routers}
    found: set[str] = set()
    while len(found) < len(routers):
        data = wire.wait(lambda data: data[12:14] == b"\x08\x00" and data[23] == 1 and data[26:30] in wanted)
        if data is None:
            break
        found.add(wanted[data[26:30]])
    return found


@pytest.mark.parametrize("workers", [1, 4])
def test_errors_about_an_inspected_connection_reach_its_end(lab, tmp_path, workers):
    listen(lab, lab.b, PORT)
    with Running(lab, tmp_path, [POLICIES], RULE, workers=workers):
        talk = Talk(lab, lab.a, B, PORT)
        assert talk.say("hello") == "hello"
        with Wire(lab, lab.a) as ear, Wire(lab, lab.r) as mouth:
            mouth.send(*(_error(lab, router, _client_port(lab)) for router in ROUTERS))
            assert _arrived(ear, ROUTERS) == set(ROUTERS)
            mouth.send(*(_error(lab, router, 1) for router in ROUTERS))
            assert _arrived(ear, ROUTERS) == set()
        assert talk.say("again") == "again"
        talk.close()
