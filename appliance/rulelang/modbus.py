"""``modbus``: function, access to data with address and value, unit."""

from __future__ import annotations

from types import MappingProxyType

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.numbers import comparison
from appliance.rulelang.tree import Modbus
from appliance.rulelang.values import integer, items

_CATEGORIES = ("assigned", "unassigned", "public", "user", "reserved", "all")
_TYPES = MappingProxyType(
    {
        "": ("read", "write"),
        "discretes": ("read",),
        "coils": ("read", "write"),
        "input": ("read",),
        "holding": ("read", "write"),
    }
)


def read_modbus(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``modbus:function 8[,subfunction 4]`` or ``modbus:access write coils[,address n[,value n]]``."""
    found: dict[str, str] = {}
    for piece in items(value.lower()):
        name, _, argument = piece.partition(" ")
        if name not in {"unit", "function", "subfunction", "access", "address", "value"} or name in found:
            known = ("unit", "function", "subfunction", "access", "address", "value")
            raise Refused(f"unknown or repeated option {shown(name)}", did_you_mean(name, known))
        found[name] = argument.strip()
    if not {"unit", "function", "access"} & found.keys() or {"function", "access"} <= found.keys():
        raise Refused("modbus asks for nothing or for too much", f"write {keyword.name}:{keyword.syntax}")
    function, subfunction, category, negated = _function(found)
    access, access_type = _access(found)
    draft.add(
        Modbus(
            function,
            subfunction,
            category,
            negated,
            _compare(found, "unit", 8),
            access,
            access_type,
            _compare(found, "address", 16),
            _compare(found, "value", 16),
            position=draft.position,
        )
    )


def _function(found: dict[str, str]) -> tuple[int | None, int | None, str, bool]:
    """Read the function: its number or a category, with the subfunction."""
    text = found.get("function")
    if text is None:
        if "subfunction" in found:
            raise Refused("a subfunction needs its function")
        return None, None, "", False
    word = text.lstrip("!").strip()
    if word and not word[0].isdigit():
        if word not in _CATEGORIES:
            raise Refused(f"unknown function {shown(word)}", f"use a number or: {', '.join(_CATEGORIES)}")
        return None, None, word, text.startswith("!")
    sub = integer(found["subfunction"], 0, 65_535, "subfunction") if "subfunction" in found else None
    return integer(word, 1, 255, "function"), sub, "", text.startswith("!")


def _access(found: dict[str, str]) -> tuple[str, str]:
    """Read the kind of access and what it is to."""
    text = found.get("access")
    if text is None:
        if "address" in found or "value" in found:
            raise Refused(
                "address and value need access before them", "write modbus:access read coils, address 5"
            )
        return "", ""
    access, _, kind = text.partition(" ")
    kind = kind.strip()
    if kind not in _TYPES or access not in _TYPES[kind]:
        raise Refused(
            f"unknown access {shown(text)}", "read or write, then discretes, coils, input or holding"
        )
    if "value" in found and (access != "write" or "address" not in found):
        raise Refused("a value is for write access with an address")
    return access, kind


def _compare(found: dict[str, str], name: str, bits: int) -> tuple[str, int, int] | None:
    """Read a comparison of one part, None when it is not there."""
    text = found.get(name)
    return None if text is None else comparison(text, bits)
