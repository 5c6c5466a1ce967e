"""How rules compare what is known of a TLS connection."""

from __future__ import annotations

from typing import Any

from appliance.protocols.tls import log

_VERSION_ARGUMENTS = {
    "1.0": (0x0301, 0xFEFF),
    "1.1": (0x0302,),
    "1.2": (0x0303, 0xFEFD),
    "1.3": (0x0304, 0xFEFC),
    "sslv2": (0x0002,),
    "sslv3": (0x0300,),
    "tls1.0": (0x0301,),
    "tls1.1": (0x0302,),
    "tls1.2": (0x0303,),
    "tls1.3": (0x0304,),
}


def same_version(value: Any, argument: str) -> bool:
    """Compare a version number with what a rule writes: ``1.2``, ``0x7f16``."""
    text = argument.strip().strip('"').lower()
    if text.startswith("0x"):
        return (
            bool(value == int(text, 16)) if all(c in "0123456789abcdef" for c in text[2:] or "x") else False
        )
    wanted = _VERSION_ARGUMENTS.get(text, ())
    return value in wanted or (text.endswith("1.3") and value >> 8 == 0x7F)


def named_version(value: Any, argument: str) -> bool:
    """Compare with a list of ``ssl_version``: ``sslv3,tls1.0``, each of them negated by ``!``."""
    names = [part.strip().lower() for part in argument.split(",")]
    refused = [name[1:].strip() for name in names if name.startswith("!")]
    present = {key for key, numbers in _VERSION_ARGUMENTS.items() if log.VERSIONS.get(numbers[0]) == value}
    if refused:
        return not present & set(refused)
    return bool(present & set(names))


def in_state(value: frozenset[str], argument: str) -> bool:
    """Look for the messages of ``ssl_state``: ``client_hello|server_hello``, ``!client_keyx``."""
    names = [part.strip() for part in argument.replace(",", "|").split("|")]
    refused = {name[1:].strip() for name in names if name.startswith("!")}
    if refused:
        return not value & refused
    return bool(value & set(names))


def is_so(value: Any, argument: str) -> bool:
    """Tell whether a property holds, of a keyword that takes no argument."""
    del argument
    return bool(value)
