"""What tests of the inline engine build their worlds from: two VMs, their policies, their packets."""

from __future__ import annotations

import dataclasses

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from appliance.config.document import parse_document
from appliance.config.settings import Settings, StreamSettings
from appliance.detect.compiler import compile_rules
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine
from appliance.inventory.document import parse_inventory
from appliance.model.mark import BLOCKED, SETTLED, SETTLED_ORIGINAL, SETTLED_REPLY
from appliance.model.origin import ORIGINAL, REPLY, Origin
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies
from appliance.protocols import registry
from appliance.rulelang.context import RuleContext
from appliance.rulelang.parse import parse_file

__all__ = ["BLOCKED", "SETTLED", "SETTLED_ORIGINAL", "SETTLED_REPLY"]

ETHERNET = 1
SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
MAC_A, MAC_B = "52:54:00:00:00:01", "52:54:00:00:00:02"
A, B = "10.0.0.1", "10.0.0.2"
UUID_A, UUID_B = "5b0c5f2e-8f0e-4f6e-9d53-1f2a3b4c5d6e", "5b0c5f2e-8f0e-4f6e-9d53-1f2a3b4c5d6f"
VMS = f"""vms:
  - {{name: a, uuid: {UUID_A}, interfaces: [{{name: eth0, mac: "{MAC_A}", addresses: [{A}], port: tap0}}]}}
  - {{name: b, uuid: {UUID_B}, interfaces: [{{name: eth0, mac: "{MAC_B}", addresses: [{B}], port: tap1}}]}}
"""
INLINE = Settings(mode="prevent", stream=StreamSettings(inline=True, bare_acks=False))


def inventory(text=VMS):
    document, errors = parse_document(text.encode(), "vms.yaml")
    found, errors = parse_inventory(document, errors)
    assert not errors
    return found


def policies(text, inv, epoch=1):
    document, errors = parse_document(text.encode(), "p.yaml")
    assert not errors
    whole, errors = parse_policies([document])
    assert not errors, [str(one) for one in errors]
    return compile_policies(whole, inv, epoch)


def one_policy(body="", inspection="{enabled: false}", action="allow"):
    return (
        f"policies: [{{name: p, default_action: {action}, inspection: {inspection}{body and ', ' + body}}}]\n"
        "default: p\nunknown: p\n"
    )


def ruleset(text, settings=INLINE):
    if not text:
        return None
    parsed = parse_file(text, "x.rules", RuleContext())
    assert not parsed.errors, parsed.errors
    made, errors = compile_rules(
        parsed.rules, settings.detect, registry.buffers(), registry.values(), resolve=registry.resolve,
        states=registry.state, frames=registry.frames,
    )  # fmt: skip
    assert not errors, errors
    return made


class Live:
    """An engine inline between two VMs, with a kernel that remembers what it says."""

    def __init__(self, policy="", rules="", settings=INLINE, vms=VMS, epoch=1):
        self.inv = inventory(vms)
        self.settings = settings
        bound = policies(policy, self.inv, epoch) if policy else None
        self.engine = Engine(
            build_pipeline(settings, inventory=self.inv, bound=bound, ruleset=ruleset(rules, settings))
        )
        self.now = NOW
        self.number = 0
        self.seen = 0
        self.events = []
        self.a, self.b = (self.inv.interfaces[0], self.inv.interfaces[1])

    @property
    def table(self):
        return self.engine.pipeline.table

    def origin(self, packet, **fields):
        """Where a frame between the two would be: both are plugged in, the first to speak is the original."""
        made = Origin(*[{MAC_A: self.a, MAC_B: self.b}.get(mac) for mac in (packet.src, packet.dst)])
        made.reply = ORIGINAL if packet.src == MAC_A else REPLY
        made.known = packet.src != MAC_A
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    def send(self, packet, origin=True, **fields):
        self.now += SECOND // 1000
        self.number += 1
        where = self.origin(packet, **fields) if origin is True else origin
        result = self.engine.process(bytes(packet), ETHERNET, self.now, self.number, origin=where)
        self.events += result.events
        return result

    def marks(self, *packets, **fields):
        return [self.send(packet, **fields).mark for packet in packets]

    def alerts(self):
        return [one.rule.sid for one in self.events if type(one).__name__ == "AlertEvent"]


def ends(back=False):
    link = Ether(src=MAC_B, dst=MAC_A) if back else Ether(src=MAC_A, dst=MAC_B)
    return link / (IP(src=B, dst=A) if back else IP(src=A, dst=B))


def udp(data=b"x", back=False, port=5000):
    ports = {"sport": 53, "dport": port} if back else {"sport": port, "dport": 53}
    return ends(back) / UDP(**ports) / Raw(data)


def ping(back=False, kind=8):
    return ends(back) / ICMP(type=0 if back else kind, id=1, seq=1)


class Tcp:
    """One connection from A to B; gives packets with the right numbers."""

    def __init__(self, port=80, client=40000, isn=1000):
        self.client, self.port = client, port
        self.seq = [isn, isn + 4000]

    def packet(self, flags, data=b"", back=False):
        source, target = (self.port, self.client) if back else (self.client, self.port)
        ack = self.seq[not back] if "A" in flags else 0
        made = ends(back) / TCP(sport=source, dport=target, flags=flags, seq=self.seq[back], ack=ack)
        self.seq[back] += len(data) + ("S" in flags) + ("F" in flags)
        return made / Raw(data) if data else made

    def open(self):
        return [self.packet("S"), self.packet("SA", back=True), self.packet("A")]

    def say(self, data, back=False):
        return self.packet("PA", data, back)


def inspecting(settings, **stream):
    return dataclasses.replace(settings, stream=dataclasses.replace(settings.stream, **stream))
