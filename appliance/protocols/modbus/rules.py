"""The ``modbus`` keyword: what a request does."""

from __future__ import annotations

from typing import Any

from appliance.protocols.modbus.pdu import Pdu

_CATEGORIES = {
    "assigned": frozenset(("PUBLIC_ASSIGNED",)),
    "unassigned": frozenset(("PUBLIC_UNASSIGNED",)),
    "public": frozenset(("PUBLIC_ASSIGNED", "PUBLIC_UNASSIGNED")),
    "user": frozenset(("USER_DEFINED",)),
    "reserved": frozenset(("RESERVED",)),
    "all": frozenset(("PUBLIC_ASSIGNED", "PUBLIC_UNASSIGNED", "USER_DEFINED", "RESERVED")),
}
# Operator of a comparison -> the values for which it holds, as an inclusive range of 16 bits.
_TOP = 0xFFFF


def matches(request: Pdu, rule: Any) -> bool:
    """Compare a request with a ``Modbus`` node of the rule tree."""
    if rule.unit is not None and not _holds(rule.unit, request.unit):
        return False
    if rule.access:
        return _access(request, rule)
    if rule.category:
        return bool((request.category in _CATEGORIES[rule.category]) != rule.negated)
    if rule.function is None:
        return True
    same = request.function == rule.function and rule.subfunction in {None, request.subfunction}
    return bool(same != rule.negated)


def _access(request: Pdu, rule: Any) -> bool:
    access = request.access
    if rule.access.upper() not in access or (rule.access_type and rule.access_type.upper() not in access):
        return False
    if rule.address is None:
        return True
    place = request.read if rule.access == "read" else request.write
    if place is None:
        return False
    low, high = _range(rule.address)
    first, last = max(low, place[0]), min(high, place[0] + place[1] - 1)
    if first > last:
        return False
    if rule.value is None:
        return True
    values = request.written[first - place[0] : last - place[0] + 1]
    return any(_holds(rule.value, value) for value in values)


def _range(test: tuple[str, int, int]) -> tuple[int, int]:
    """Give the numbers for which a comparison holds."""
    operator, low, high = test
    return {
        "=": (low, low),
        ">": (low + 1, _TOP),
        ">=": (low, _TOP),
        "<": (0, low - 1),
        "<=": (0, low),
        "range": (low + 1, high - 1),
    }.get(operator, (low, low))


def _holds(test: tuple[str, int, int], value: int) -> bool:
    if test[0] == "!=":
        return value != test[1]
    low, high = _range(test)
    return low <= value <= high
