"""Addresses and ports resolve to the sets they describe."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.rulelang.addresses import AddressResolver, PortResolver
from appliance.rulelang.errors import Refused
from appliance.rulelang.intervals import merge, subtract
from appliance.rulelang.tree import AddressSet

VARIABLES = {
    "HOME_NET": "[10.0.0.0/8,192.168.0.0/16]",
    "EXTERNAL_NET": "!$HOME_NET",
    "DMZ": "10.1.0.0/16, 10.2.0.0/16",
    "LOOP": "[$POOL]",
    "POOL": "$LOOP",
    "ALL": "any",
    "NONE": "!$ALL",
}


def has(found: AddressSet, address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return found.any or any(v == ip.version and low <= int(ip) <= high for v, low, high in found.ranges)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("any", "1.2.3.4 ::1", ""),
        ("1.2.3.4", "1.2.3.4", "1.2.3.5 ::102:304"),
        ("10.0.0.0/255.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
        ("1.1.1.1-1.1.1.3", "1.1.1.2", "1.1.1.4"),
        ("2001:db8::/32", "2001:db8::1", "2001:db9:: 1.2.3.4"),
        ("!1.2.3.4", "1.2.3.3 ::1", "1.2.3.4"),
        ("[10.0.0.0/8,!10.1.0.0/16]", "10.0.0.1 10.2.0.0", "10.1.0.1 11.0.0.0"),
        ("[!10.1.0.0/16]", "8.8.8.8 ::", "10.1.2.3"),
        ("[10.0.0.0/8,![10.1.0.0/16,!10.1.1.0/24]]", "10.1.1.1 10.2.0.0", "10.1.2.1"),
        ("$HOME_NET", "10.9.9.9 192.168.1.1", "8.8.8.8"),
        ("$EXTERNAL_NET", "8.8.8.8 2001::", "10.9.9.9"),
        ("!$EXTERNAL_NET", "10.9.9.9", "8.8.8.8"),
        ("[!$HOME_NET,1.2.3.4]", "1.2.3.4", "8.8.8.8 10.0.0.1"),
        ("[ $EXTERNAL_NET , $DMZ ]", "10.2.0.0 8.8.8.8", "10.3.0.0"),
        ("$DMZ", "10.2.3.4", "10.3.0.0"),
        ("$ALL", "1.2.3.4 ::1", ""),
    ],
)
def test_addresses(text: str, inside: str, outside: str) -> None:
    found = AddressResolver(VARIABLES).resolve(text)
    assert all(has(found, one) for one in inside.split())
    assert not any(has(found, one) for one in outside.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$HOME_NTE", "$HOME_NTE is not defined"),
        ("$LOOP", "refers to itself"),
        ("$NONE", "no address is left"),
        ("[10.0.0.0/8,!10.0.0.0/8]", "no address is left"),
        ("!any", "no address is left"),
        ("1.2.3", "is not an IP address"),
        ("1.2.3.4/33", "is not a network"),
        ("2.0.0.0-1.0.0.0", "ends before it begins"),
        ("[1.1.1.1", "never closed"),
        ("[1.1.1.1]]", "']' without '['"),
        ("1.1.1.1]", "is not an IP address"),
        ("[1.1.1.1,,2.2.2.2]", "empty address"),
        ("[" * 40 + "any" + "]" * 40, "nested deeper"),
        ("!" * 5000 + "any", "nested deeper"),
    ],
)
def test_refused_addresses(text: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        AddressResolver(VARIABLES).resolve(text)
    assert reason in caught.value.reason


def test_unknown_variable_suggests_a_known_one() -> None:
    with pytest.raises(Refused) as caught:
        AddressResolver(VARIABLES).resolve("$HOME_NETT")
    assert "HOME_NET" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("80", ((80, 80),)),
        ("1024:", ((1024, 65535),)),
        (":1023", ((0, 1023),)),
        ("!80", ((0, 79), (81, 65535))),
        ("[80,81,443]", ((80, 81), (443, 443))),
        ("[1:100,!50]", ((1, 49), (51, 100))),
        ("[$WEB,8000:9000]", ((80, 80), (443, 443), (8000, 9000))),
        ("!$WEB", ((0, 79), (81, 442), (444, 65535))),
    ],
)
def test_ports(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert PortResolver({"WEB": "[80,443]"}).resolve(text).ranges == ranges


@pytest.mark.parametrize("text", ["65536", "-1", "http", "9:1", "80:70000", "", "[]", "٣"])
def test_refused_ports(text: str) -> None:
    with pytest.raises(Refused):
        PortResolver({}).resolve(text)


RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda r: (r[0], r[0] + r[1])), max_size=12
)


@given(RANGES, RANGES)
def test_set_algebra(whole: list[tuple[int, int]], hole: list[tuple[int, int]]) -> None:
    def members(ranges: object) -> set[int]:
        return {n for low, high in ranges for n in range(low, high + 1)}  # type: ignore[attr-defined]

    result = subtract(merge(whole), merge(hole))
    assert members(result) == members(whole) - members(hole)
    assert list(result) == sorted(result)
    assert all(a[1] + 1 < b[0] for a, b in zip(merge(whole), merge(whole)[1:], strict=False))
