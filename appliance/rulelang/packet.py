"""Options about a packet's headers and addresses."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from types import MappingProxyType

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import FragBits, GeoIp, IpProto, Iprep, Rpc, TcpFlags
from appliance.rulelang.values import bare, integer, items, one_of, try_integer

_FLAGS = MappingProxyType(
    {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "2": 64, "E": 64, "1": 128, "C": 128, "0": 0, "-": 0}
)
_BITS = MappingProxyType({"M": 1, "D": 2, "R": 4})
_MODIFIED = re.compile(r"\s*([+*!]?)\s*([A-Za-z0-9-]+)\s*([+*!]?)\s*")

IP_PROTOCOLS = MappingProxyType(
    {
        "ip": 0,
        "hopopt": 0,
        "icmp": 1,
        "igmp": 2,
        "ggp": 3,
        "ipip": 4,
        "ipencap": 4,
        "st": 5,
        "tcp": 6,
        "cbt": 7,
        "egp": 8,
        "igp": 9,
        "udp": 17,
        "idp": 22,
        "xns-idp": 22,
        "rdp": 27,
        "iso-tp4": 29,
        "dccp": 33,
        "ipv6": 41,
        "ipv6-route": 43,
        "ipv6-frag": 44,
        "idrp": 45,
        "rsvp": 46,
        "gre": 47,
        "esp": 50,
        "ipsec-esp": 50,
        "ah": 51,
        "ipsec-ah": 51,
        "skip": 57,
        "ipv6-icmp": 58,
        "icmpv6": 58,
        "ipv6-nonxt": 59,
        "ipv6-opts": 60,
        "eigrp": 88,
        "ospf": 89,
        "ax.25": 93,
        "ipip-94": 94,
        "etherip": 97,
        "encap": 98,
        "pim": 103,
        "ipcomp": 108,
        "vrrp": 112,
        "l2tp": 115,
        "isis": 124,
        "sctp": 132,
        "fc": 133,
        "mobility-header": 135,
        "udplite": 136,
        "mpls-in-ip": 137,
        "manet": 138,
        "hip": 139,
        "shim6": 140,
    }
)


def _letters(text: str, table: MappingProxyType[str, int]) -> tuple[int, str]:
    """Read letters with a modifier before or after them."""
    match = _MODIFIED.fullmatch(text)
    if match is None or (match[1] and match[3]):
        raise Refused(f"{shown(text)} is not a set of flags", f"letters: {''.join(table)}; modifiers: + * !")
    value = 0
    for letter in match[2].upper():
        if letter not in table:
            raise Refused(f"unknown flag {shown(letter)}", f"known: {', '.join(table)}")
        value |= table[letter]
    return value, match[1] or match[3]


def read_tcp_flags(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``tcp.flags:[modifier]flags[,ignored]``."""
    pieces = items(value)
    if len(pieces) > 2:
        raise Refused(f"{keyword.name} takes two arguments at most", "write tcp.flags:S,CE")
    flags, modifier = _letters(pieces[0], _FLAGS)
    ignore, wrong = _letters(pieces[1], _FLAGS) if len(pieces) == 2 else (0, "")
    if wrong:
        raise Refused("the ignored flags take no modifier")
    draft.add(TcpFlags(flags, modifier, ignore, position=draft.position))


def read_fragbits(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``fragbits:[modifier]MDR``."""
    bits, modifier = _letters(value, _BITS)
    draft.add(FragBits(bits, modifier, position=draft.position))


def read_ip_proto(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``ip_proto:[!<>=]name or number``."""
    text = bare(value)
    operator = text[0] if text[:1] in {"!", "<", ">", "="} else ""
    word = text[len(operator) :].strip().lower()
    number = try_integer(word)
    if number is None:
        if word not in IP_PROTOCOLS:
            raise Refused(
                f"unknown protocol {shown(word)}", did_you_mean(word, IP_PROTOCOLS) or "use its number"
            )
        number = IP_PROTOCOLS[word]
    operator = {"!": "!=", "": "="}.get(operator, operator)
    draft.add(IpProto(operator, integer(str(number), 0, 255, "protocol"), position=draft.position))


def read_iprep(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``iprep:direction,category,operator,value`` or ``…,isset``."""
    pieces = items(value)
    direction = one_of(pieces[0], ("any", "src", "dst", "both"), "direction")
    if len(pieces) == 3:
        operator = one_of(pieces[2], ("isset", "isnotset"), "test")
        draft.add(Iprep(direction, _category(pieces[1]), operator, position=draft.position))
        return
    if len(pieces) != 4:
        raise Refused("iprep takes four arguments", "write iprep:src,Category,>,30")
    operator = one_of(pieces[2], ("<", ">", "=", "<=", ">=", "!="), "operator")
    number = integer(pieces[3], 0, 127, "reputation")
    draft.add(Iprep(direction, _category(pieces[1]), operator, number, position=draft.position))


def _category(text: str) -> str:
    """Read the name of a reputation category."""
    if not text or len(text) > 31:
        raise Refused(f"{shown(text)} cannot be the name of a category")
    return text


def read_geoip(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``geoip:[direction,][!]CC,CC``."""
    pieces = items(bare(value))
    direction = "any"
    if pieces[0].lower() in {"any", "src", "dst", "both"}:
        direction = pieces.pop(0).lower()
    negated = bool(pieces) and pieces[0].startswith("!")
    countries = tuple(piece.lstrip("!").strip().upper() for piece in pieces)
    if not countries or not all(len(code) == 2 and code.isalnum() for code in countries):
        raise Refused(f"{shown(value)} names no country", "write two-letter codes: geoip:src,US,CA")
    draft.add(GeoIp(countries, direction, negated, position=draft.position))


def read_rpc(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``rpc:program[,version or *[,procedure or *]]``."""
    pieces = items(value)
    if len(pieces) > 3:
        raise Refused("rpc takes three arguments at most", "write rpc:100000,*,3")
    high = (1 << 32) - 1
    numbers = [None if piece == "*" and at else integer(piece, 0, high) for at, piece in enumerate(pieces)]
    numbers += [None] * (3 - len(numbers))
    draft.add(Rpc(numbers[0] or 0, numbers[1], numbers[2], position=draft.position))
