"""What policy and firewall tests build their worlds from."""

from __future__ import annotations

import ipaddress

from appliance.config.document import parse_document
from appliance.config.settings import Settings
from appliance.firewall.firewall import Firewall
from appliance.inventory.inventory import build
from appliance.model.flow import Flow
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.model.packet import Packet
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies

SYN, ACK, FIN, SYNACK = 2, 16, 1, 18


def ip(text):
    return ipaddress.ip_address(text).packed


def inventory(*vms):
    """VMs as (name, [addresses], tags, network)."""
    made = []
    for number, (name, addresses, tags, network) in enumerate(vms, 1):
        vm = Vm(f"00000000-0000-0000-0000-{number:012d}", name, frozenset(tags))
        prefixes = []
        for text in addresses:
            net = ipaddress.ip_network(text)
            prefixes.append(Prefix(net.version, int(net.network_address), int(net.broadcast_address)))
        mac = bytes([2, 0, 0, 0, 0, number])
        made.append((vm, [VmInterface(0, vm, "eth0", mac, network, None, tuple(prefixes))]))
    return build(made)


def policy_set(text):
    document, errors = parse_document(text.encode(), "p.yaml")
    assert not errors
    return parse_policies([document])


class World:
    """An inventory under policies; packets are described in a line."""

    def __init__(self, text_or_set, inv, epoch=1):
        if isinstance(text_or_set, str):
            whole, errors = policy_set(text_or_set)
            assert not errors, [str(e) for e in errors]
        else:
            whole = text_or_set
        self.inv = inv
        self.bound = compile_policies(whole, inv, epoch)
        self.firewall = Firewall(self.bound, Settings())
        self.by_address = {}
        for one in inv.interfaces:
            for prefix in one.addresses:
                self.by_address[prefix.base.to_bytes(4 if prefix.version == 4 else 16, "big")] = one

    def packet(self, src="", dst="", proto=6, sport=40000, dport=80, flags=SYN, **fields):
        packet = Packet(b"", 1, 0, 1)
        packet.src, packet.dst = (ip(src) if src else b""), (ip(dst) if dst else b"")
        packet.ip_version = {0: 0, 4: 4, 16: 6}[len(packet.src)]
        packet.ethertype = {0: 0x0806, 4: 0x0800, 6: 0x86DD}[packet.ip_version]
        packet.proto = proto if src else -1
        packet.sport, packet.dport = (sport, dport) if proto in (6, 17, 132) else (0, 0)
        packet.tcp_flags = flags if proto == 6 else 0
        packet.tcp_hlen = 20
        packet.src_if, packet.dst_if = self.by_address.get(packet.src), self.by_address.get(packet.dst)
        for name, value in fields.items():
            setattr(packet, name, value)
        return packet

    def flow(self, packet):
        flow = Flow(packet.proto, packet.src, packet.dst, packet.sport, packet.dport)
        flow.client_if, flow.server_if = packet.src_if, packet.dst_if
        flow.icmp_type, flow.icmp_code = packet.icmp_type, packet.icmp_code
        return flow

    def reply(self, packet, **fields):
        one = self.packet()
        for name in ("ip_version", "proto", "ethertype", "tcp_hlen"):
            setattr(one, name, getattr(packet, name))
        one.src, one.dst, one.sport, one.dport = packet.dst, packet.src, packet.dport, packet.sport
        one.src_if, one.dst_if = packet.dst_if, packet.src_if
        one.direction = 1
        one.tcp_flags = SYNACK if packet.proto == 6 else 0
        for name, value in fields.items():
            setattr(one, name, value)
        return one

    def open(self, *args, now=0, **fields):
        """Judge the first packet of a new flow; give judgement, flow, packet."""
        packet = self.packet(*args, **fields)
        flow = self.flow(packet) if packet.ip_version else None
        return self.firewall.judge(packet, flow, now), flow, packet

    def verdict(self, *args, now=0, **fields):
        return self.open(*args, now=now, **fields)[0].verdict.name
