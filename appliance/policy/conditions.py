"""The conditions of a rule as written, checked: texts into numbers, names left for later.

Each condition is one value, a list of values, or ``{not: ...}`` around either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from appliance.config.addresses import parse_mac, parse_range

PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
    "sctp": 132,
}
FRAMES: dict[str, frozenset[int]] = {
    "ip": frozenset({0x0800, 0x86DD}),
    "ipv4": frozenset({0x0800}),
    "ipv6": frozenset({0x86DD}),
    "arp": frozenset({0x0806}),
    "rarp": frozenset({0x8035}),
}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
REFERENCES = frozenset({"vm", "tag", "network", "group", "list"})
_MAX_PORT = 65535
_MAX_BYTE = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """Something to look up: ``kind`` is "vm", "tag", "network", "group", "list" or "self"."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Alternatives, or everything but these; None in its place means any."""

    items: tuple[Any, ...]
    negated: bool = False


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def condition(item: Callable[[Any], Any]) -> Callable[[Any], Condition | None]:
    """Make a reader of conditions out of a reader of one value."""

    def read(value: Any) -> Condition | None:
        if value is None or value == "any" or isinstance(value, Condition):
            return value if isinstance(value, Condition) else None
        negated = isinstance(value, dict) and set(value) == {"not"}
        values = _as_list(value["not"] if negated else value)
        if not values or "any" in values:
            raise ValueError("must name at least one value; 'any' stands alone")
        return Condition(tuple(item(one) for one in values), negated)

    return read


def read_items(item: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a reader of plain lists."""

    def read(value: Any) -> tuple[Any, ...]:
        return tuple(item(one) for one in _as_list(value))

    return read


def _reference(value: Any, kinds: frozenset[str]) -> Reference | None:
    if not isinstance(value, dict):
        return None
    if len(value) == 1:
        kind, name = next(iter(value.items()))
        if kind in kinds and isinstance(name, str) and name:
            return Reference(kind, name)
    message = f"{value!r} is not a reference; write one of {{{', '.join(sorted(kinds))}}}: name"
    raise ValueError(message)


def address_item(value: Any) -> Any:
    """Read an address, a CIDR block, a range, ``self`` or a reference."""
    if value == "self":
        return Reference("self")
    return _reference(value, REFERENCES) or parse_range(_text(value))


def mac_item(value: Any) -> Any:
    """Read a MAC or a reference to a list of them."""
    return _reference(value, frozenset({"list"})) or parse_mac(_text(value))


def port_item(value: Any) -> Any:
    """Read a port, ``first-last`` or a reference to a list of them."""
    reference = _reference(value, frozenset({"list"}))
    if reference is not None:
        return reference
    first, _, last = str(value).partition("-")
    if isinstance(value, bool) or not _is_number(first) or (last and not _is_number(last)):
        message = f"{value!r} is not a port or a range of ports"
        raise ValueError(message)
    low, high = int(first), int(last or first)
    if not low <= high <= _MAX_PORT:
        message = f"{value!r} is not within 0-65535, or runs backwards"
        raise ValueError(message)
    return low, high


def protocol_item(value: Any) -> int:
    """Read the name or number of an IP protocol."""
    return _named_number(value, PROTOCOLS, _MAX_BYTE, "protocol")


def frame_item(value: Any) -> frozenset[int]:
    """Read a frame type: a name or an ethertype."""
    if isinstance(value, str) and value.lower() in FRAMES:
        return FRAMES[value.lower()]
    return frozenset({_named_number(value, {}, 0xFFFF, "frame type")})


def icmp_item(value: Any) -> tuple[int, int, int]:
    """Read an ICMP type or ``type/code``, as (type, first code, last code)."""
    kind, slash, code = str(value).partition("/")
    if isinstance(value, bool) or not _is_number(kind) or (slash and not _is_number(code)):
        message = f"{value!r} is not an ICMP type, nor type/code"
        raise ValueError(message)
    numbers = int(kind), int(code or 0), int(code or _MAX_BYTE)
    if max(numbers) > _MAX_BYTE:
        raise ValueError("ICMP types and codes are within 0-255")
    return numbers


def tcp_flags(value: Any) -> tuple[int, int]:
    """Read flags as (mask, value): ``[syn, "!ack"]`` is SYN set and ACK clear, ``none`` no flag at all."""
    if value == "none":
        return 0x3F, 0
    mask = wanted = 0
    for one in _as_list(value):
        name = _text(one).lower()
        flag = FLAGS.get(name.removeprefix("!"))
        if flag is None:
            message = f"{one!r} is not a TCP flag (known: {', '.join(FLAGS)}, none)"
            raise ValueError(message)
        mask |= flag
        wanted |= 0 if name.startswith("!") else flag
    return mask, wanted


def _named_number(value: Any, names: dict[str, int], most: int, what: str) -> int:
    if isinstance(value, str) and value.lower() in names:
        return names[value.lower()]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    known = f" (known: {', '.join(names)}, or 0-{most})" if names else ""
    message = f"{value!r} is not a {what}{known}"
    raise ValueError(message)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        message = f"{value!r} must be text"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


Addresses = Annotated[Any, BeforeValidator(condition(address_item))]
MacCondition = Annotated[Any, BeforeValidator(condition(mac_item))]
PortCondition = Annotated[Any, BeforeValidator(condition(port_item))]
ProtocolCondition = Annotated[Any, BeforeValidator(condition(protocol_item))]
FrameCondition = Annotated[Any, BeforeValidator(condition(frame_item))]
IcmpCondition = Annotated[Any, BeforeValidator(condition(icmp_item))]
FlagCondition = Annotated[Any, BeforeValidator(tcp_flags)]
AddressList = Annotated[Any, BeforeValidator(read_items(address_item))]
PortList = Annotated[Any, BeforeValidator(read_items(port_item))]
MacList = Annotated[Any, BeforeValidator(read_items(mac_item))]
