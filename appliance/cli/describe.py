"""One packet described in words becomes a frame: ``tcp 10.0.0.5:40000 -> vm:web-1:443 flags S``."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass, replace
from itertools import count, islice

from appliance.inventory.inventory import Inventory
from appliance.model.identity import VmInterface

_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "sctp": 132, "gre": 47, "esp": 50, "igmp": 2}
_UNKNOWN_MAC = 0x02_00_00_00_00_01  # locally administered; the next that no machine has
_KEYS = ("flags", "payload", "type", "code", "ttl", "vlan", "from-mac", "to-mac", "established")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
GRAMMAR = (
    "PROTOCOL SOURCE[:PORT] -> DESTINATION[:PORT] [flags SAFRPU] [payload TEXT] [type N] [code N] [ttl N] "
    "[vlan N] [from-mac MAC] [to-mac MAC] [established]; an end is an address, [IPv6] or vm:NAME[/INTERFACE]"
)


class DescriptionError(ValueError):
    """The words do not describe a packet; the message says which and what would."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of the packet."""

    address: bytes
    port: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class Description:
    """A packet in terms of its fields; ``established`` asks for a handshake before it."""

    protocol: int
    source: End
    destination: End
    flags: int = 0
    payload: bytes = b""
    icmp_type: int = 8
    icmp_code: int = 0
    ttl: int = 64
    vlan: int = 0
    established: bool = False

    def reversed(self) -> Description:
        """Give the packet that goes the other way, without payload."""
        return replace(self, source=self.destination, destination=self.source, payload=b"")


def parse_description(text: str, inventory: Inventory) -> Description:
    """Read a description.

    Raises:
        DescriptionError: a word is not understood or a VM is not in the inventory.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DescriptionError(f"quotes do not close: {error}") from error
    if len(words) < 4 or words[2] != "->":
        raise DescriptionError(f"write it as: {GRAMMAR}")
    extras = _extras(words[4:])
    source, destination = _end(words[1], inventory, 0), _end(words[3], inventory, 1)
    if len(source.address) != len(destination.address):
        raise DescriptionError("one end is IPv4 and the other IPv6")
    source = replace(source, mac=_mac(extras, "from-mac", source.mac))
    destination = replace(destination, mac=_mac(extras, "to-mac", destination.mac))
    return Description(
        _protocol(words[0]),
        source,
        destination,
        flags=_flags(extras.get("flags", "S" if "established" not in extras else "PA")),
        payload=_payload(extras.get("payload", "")),
        icmp_type=_number(extras, "type", 128 if words[0].lower() == "icmpv6" else 8, 255),
        icmp_code=_number(extras, "code", 0, 255),
        ttl=_number(extras, "ttl", 64, 255),
        vlan=_number(extras, "vlan", 0, 4094),
        established="established" in extras,
    )


def _payload(text: str) -> bytes:
    try:
        return text.encode("utf-8").decode("unicode_escape").encode("latin-1", "replace")
    except UnicodeDecodeError as error:
        raise DescriptionError(f"payload: {error.reason}") from error


def _extras(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word not in _KEYS:
            raise DescriptionError(f"{word!r} is not understood; known: {', '.join(_KEYS)}")
        found[word] = "" if word == "established" else next(rest, "")
    return found


def _protocol(word: str) -> int:
    if word.isdigit() and int(word) < 256:
        return int(word)
    if word.lower() not in PROTOCOLS:
        raise DescriptionError(f"protocol {word!r} is not known; use a number or {', '.join(PROTOCOLS)}")
    return PROTOCOLS[word.lower()]


def _flags(text: str) -> int:
    unknown = set(text.upper()) - set(_FLAGS)
    if unknown:
        raise DescriptionError(f"TCP flags {text!r}: {''.join(sorted(unknown))} is none of {''.join(_FLAGS)}")
    return sum(_FLAGS[letter] for letter in set(text.upper()))


def _number(extras: dict[str, str], key: str, default: int, highest: int) -> int:
    text = extras.get(key)
    if text is None:
        return default
    if not text.isdigit() or int(text) > highest:
        raise DescriptionError(f"{key} {text!r} is not a number from 0 to {highest}")
    return int(text)


def _mac(extras: dict[str, str], key: str, default: bytes) -> bytes:
    text = extras.get(key)
    if text is None:
        return default
    if not _MAC.fullmatch(text):
        raise DescriptionError(f"{key} {text!r} is not a MAC address such as 52:54:00:12:34:56")
    return bytes.fromhex(text.replace(":", ""))


def _split_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port, colon = port.removeprefix(":"), ":" if port else ""
    if not colon or (text.count(":") > 1 and not text.startswith(("[", "vm:"))) or not port.isdigit():
        return text.strip("[]"), 0
    if int(port) > 65_535:
        raise DescriptionError(f"{text!r}: port {port} is above 65535")
    return host, int(port)


def _end(text: str, inventory: Inventory, side: int) -> End:
    if text.startswith("vm:"):
        name, port = _split_port("vm:" + text[3:] if ":" in text[3:] else text + ":0")
        return _vm_end(name[3:], port, inventory)
    host, port = _split_port(text)
    try:
        address = ipaddress.ip_address(host).packed
    except ValueError as error:
        raise DescriptionError(f"{host!r} is neither an address nor vm:NAME") from error
    owner = _owner(address, inventory)
    return End(address, port, owner.mac if owner is not None else _stranger(inventory, side))


def _stranger(inventory: Inventory, side: int) -> bytes:
    """Give a MAC for an end that is no machine: one that none of them has, another for each side."""
    taken = {one.mac for one in inventory.interfaces}
    free = (mac for n in count(_UNKNOWN_MAC) if (mac := n.to_bytes(6, "big")) not in taken)
    return next(islice(free, side, None))


def _owner(address: bytes, inventory: Inventory) -> VmInterface | None:
    number, version = int.from_bytes(address, "big"), 4 if len(address) == 4 else 6
    for interface in inventory.interfaces:
        for prefix in interface.addresses:
            if prefix.version == version and prefix.base == prefix.last == number:
                return interface
    return None


def _vm_end(name: str, port: int, inventory: Inventory) -> End:
    vm, _, wanted = name.partition("/")
    found = [one for one in inventory.interfaces if one.vm.name == vm and wanted in {"", one.name}]
    if not found:
        raise DescriptionError(f"no VM interface {name!r} in the inventory")
    for interface in found:
        for prefix in interface.addresses:
            return End(prefix.base.to_bytes(4 if prefix.version == 4 else 16, "big"), port, interface.mac)
    raise DescriptionError(f"VM {vm!r} has no address in the inventory: name the address instead")
