"""From what is seen on the wire to the VM interface behind it, and whether the sender may say so.

Each lookup is a dictionary access or one bisection. Nothing here grows after construction.
"""

from __future__ import annotations

from appliance.config.addresses import packed
from appliance.inventory.intervals import IntervalMap
from appliance.inventory.inventory import Inventory, differing
from appliance.model.identity import VmInterface
from appliance.model.origin import Origin, Vouched
from appliance.model.packet import PROTO_IGMP, PROTO_UDP, Packet
from appliance.model.verdict import Reason

_ARP = 0x0806
_RARP = 0x8035
_DHCP_SERVER = 67
_NO_ADDRESS = (b"\0\0\0\0", bytes(16))
_LINK_LOCAL_4 = b"\xa9\xfe"  # 169.254/16, RFC 3927


class Registry:
    """The interfaces of one inventory, indexed by MAC and by address."""

    def __init__(self, inventory: Inventory) -> None:
        """Index ``inventory``; a changed inventory gets a new registry."""
        self.inventory: Inventory = inventory
        self._interfaces = tuple(inventory.interfaces)
        self._macs: dict[bytes, list[VmInterface]] = {}
        self._owners: dict[bytes, list[VmInterface]] = {}
        self._allowed: list[tuple[tuple[bytes, bytes], ...]] = []
        for interface in inventory.interfaces:
            self._macs.setdefault(interface.mac, []).append(interface)
            self._allowed.append(self._declare(interface))
        self._by_identity = {(one.vm.uuid, one.name): one for one in inventory.interfaces}
        self._ranges = {4: self._intervals(4), 16: self._intervals(6)}

    def following(self, inventory: Inventory) -> Registry:
        """Give the registry of another inventory, made from this one where that is soon done.

        That is where interfaces say something else of themselves, but neither came nor went nor changed
        what they are found by.
        """
        places = differing(self.inventory, inventory)
        if places is None or not _all_same(self.inventory, inventory, places):
            return Registry(inventory)
        found = Registry(Inventory())
        found.inventory, found._interfaces = inventory, tuple(inventory.interfaces)
        found._macs, found._owners = dict(self._macs), dict(self._owners)
        found._allowed, found._ranges = self._allowed, self._ranges
        found._by_identity = dict(self._by_identity)
        for place in places:
            found._put(self._interfaces[place], inventory.interfaces[place])
        return found

    def _put(self, old: VmInterface, new: VmInterface) -> None:
        """Put an interface in the place of one with the same MAC and addresses."""
        self._by_identity[new.vm.uuid, new.name] = new
        self._macs[new.mac] = [new if one is old else one for one in self._macs[new.mac]]
        for address in new.addresses:
            key = packed(address.version, address.base)
            if address.base == address.last:
                self._owners[key] = [new if one is old else one for one in self._owners[key]]

    def _declare(self, interface: VmInterface) -> tuple[tuple[bytes, bytes], ...]:
        """Note the interface as owner of its single addresses; give all it may use."""
        pairs = []
        for one in interface.addresses:
            first, last = packed(one.version, one.base), packed(one.version, one.last)
            pairs.append((first, last))
            if first == last:
                self._owners.setdefault(first, []).append(interface)
        return tuple(pairs)

    def _intervals(self, version: int) -> IntervalMap[int]:
        ranges = [
            (one.base, one.last, interface.index)
            for interface in self.inventory.interfaces
            for one in interface.addresses
            if one.version == version
        ]
        return IntervalMap(ranges, 4 if version == 4 else 16)

    def identify(self, packet: Packet) -> None:
        """Set ``src_if`` and ``dst_if``: by MAC, or by address where there is no Ethernet header."""
        if packet.eth_src:
            vlan = packet.vlans[0] if packet.vlans else None
            packet.src_if = self._by_mac(packet.eth_src, vlan, packet.src or packet.arp_spa)
            packet.dst_if = self._by_mac(packet.eth_dst, vlan, packet.dst or packet.arp_tpa)
        else:
            packet.src_if = self._by_address(packet.src)
            packet.dst_if = self._by_address(packet.dst)

    def own(self, interface: VmInterface | None) -> VmInterface | None:
        """Give this inventory's interface of the same identity; None when it has none (any more)."""
        if interface is None:
            return None
        index = interface.index
        if 0 <= index < len(self._interfaces) and self._interfaces[index] is interface:
            return interface
        return self._by_identity.get((interface.vm.uuid, interface.name))

    def find(self, uuid: str, name: str) -> VmInterface | None:
        """Give the interface of a VM by the VM's UUID and the interface's name."""
        return self._by_identity.get((uuid, name))

    def admit(self, packet: Packet, origin: Origin) -> Reason | None:
        """Find the interfaces at both ends of a frame, and say what is wrong with the sender's addresses.

        It is :meth:`place` and :meth:`check_port` in one. What is told of a VM's port and its usual address
        is kept, since nearly all of its packets have it.
        """
        vouched = origin.vouched
        if vouched is not None and vouched.covers(self, packet):
            packet.src_if, packet.dst_if = vouched.source, vouched.target
            return None
        self.place(packet, origin)
        reason = self.check_port(packet, origin)
        # Not without an address of its own: then more than the addresses decides (a DHCP server's port).
        if reason is None and packet.src_if is not None and packet.src and packet.src[0] and packet.eth_src:
            origin.vouched = Vouched(self, packet)
        return reason

    def place(self, packet: Packet, origin: Origin) -> None:
        """Set ``src_if`` and ``dst_if`` to what is behind the ports that the frame used."""
        packet.src_if = self.own(origin.source)
        packet.dst_if = self.own(origin.target)

    def check_port(self, packet: Packet, origin: Origin) -> Reason | None:
        """Say what is wrong with the sender's addresses, seen from the port; call it after :meth:`place`.

        A VM port has one MAC. From an uplink come all others: not those of interfaces that are plugged in
        here, which are known by their ``port``. Interfaces of VMs on other hosts may come from there.
        """
        sender = packet.src_if
        if not packet.eth_src:
            return None
        if origin.source is not None:
            wrong = sender is not None and sender.mac != packet.eth_src
            return Reason.SPOOFED_MAC if wrong else self._check(packet, sender)
        vlan = packet.vlans[0] if packet.vlans else None
        sender = self._by_mac(packet.eth_src, vlan, packet.src or packet.arp_spa)
        return Reason.SPOOFED_MAC if sender is not None and sender.port else self._check(packet, sender)

    def _by_mac(self, mac: bytes, vlan: int | None, address: bytes) -> VmInterface | None:
        found = self._macs.get(mac)
        if found is None:
            return None
        if len(found) == 1:
            return found[0]
        same = [one for one in found if one.vlan == vlan] or found
        if len(same) > 1:
            same = [one for one in same if self._may_use(one, address)]
        return same[0] if len(same) == 1 else None

    def _by_address(self, address: bytes) -> VmInterface | None:
        ranges = self._ranges.get(len(address))
        index = ranges.find(address) if ranges is not None else None
        return None if index is None else self.inventory.interfaces[index]

    def _may_use(self, interface: VmInterface, address: bytes) -> bool:
        size = len(address)
        for first, last in self._allowed[interface.index]:
            if len(first) == size and first <= address <= last:
                return True
        return False

    def check(self, packet: Packet) -> Reason | None:
        """Say what is wrong with the sender's addresses; None when nothing is.

        Call it after :meth:`identify`. Which MAC a port may use is not visible in a packet: see
        :meth:`check_port`.
        """
        return self._check(packet, packet.src_if) if packet.eth_src else None

    def _check(self, packet: Packet, sender: VmInterface | None) -> Reason | None:
        if packet.eth_src[0] & 1:
            return Reason.SPOOFED_MAC
        if packet.ethertype in (_ARP, _RARP) and packet.arp_sha:
            return self._check_arp(packet, sender)
        return self._check_ip(packet, sender) if packet.src else None

    def _check_arp(self, packet: Packet, sender: VmInterface | None) -> Reason | None:
        if packet.arp_sha != packet.eth_src:
            return Reason.SPOOFED_ARP
        address = packet.arp_spa
        if address in _NO_ADDRESS or packet.ethertype == _RARP:  # a probe (RFC 5227) claims nothing
            return None
        if sender is not None and sender.addresses:
            fine = self._may_use(sender, address) or address[:2] == _LINK_LOCAL_4
            return None if fine else Reason.SPOOFED_ARP
        return Reason.SPOOFED_ARP if self._taken(packet, sender, address) else None

    def _check_ip(self, packet: Packet, sender: VmInterface | None) -> Reason | None:
        address = packet.src
        if _unclaimed(packet):
            return None
        if sender is not None and sender.addresses:
            if self._may_use(sender, address) or _link_local(address):
                return None
            return Reason.SPOOFED_IP
        if not self._taken(packet, sender, address):
            return None
        return Reason.SPOOFED_MAC if sender is None else Reason.SPOOFED_IP

    def _taken(self, packet: Packet, sender: VmInterface | None, address: bytes) -> bool:
        """Tell whether ``address`` belongs to another interface of the segment the packet is on.

        An unknown sender's segment is that of the receiver: from other segments the address may
        come through a router, whose MAC is rightly a different one.
        """
        owners = self._owners.get(address)
        if owners is None:
            return False
        near = sender or packet.dst_if
        if near is None:
            return packet.arp_op > 0 and self._on_vlan(packet, owners)
        same = [one for one in owners if one.network == near.network and one.vlan == near.vlan]
        return bool(same) and sender not in same

    def _on_vlan(self, packet: Packet, owners: list[VmInterface]) -> bool:
        vlan = packet.vlans[0] if packet.vlans else None
        return all(one.vlan == vlan for one in owners)


def _all_same(before: Inventory, now: Inventory, places: list[int]) -> bool:
    """Tell whether interfaces are found by what they were found by before."""
    return all(_found_by(before.interfaces[one]) == _found_by(now.interfaces[one]) for one in places)


def _found_by(one: VmInterface) -> tuple[object, ...]:
    return one.vm.uuid, one.name, one.mac, one.addresses


def _link_local(address: bytes) -> bool:
    if len(address) == 4:
        return address[:2] == _LINK_LOCAL_4
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80  # fe80::/10, RFC 4291


def _unclaimed(packet: Packet) -> bool:
    """Tell whether the sender has no address yet: DHCP, IGMP, IPv6 address detection."""
    if packet.src[0] or packet.src not in _NO_ADDRESS:
        return False
    if packet.ip_version == 6:
        return True
    return packet.proto == PROTO_IGMP or (packet.proto == PROTO_UDP and packet.dport == _DHCP_SERVER)
