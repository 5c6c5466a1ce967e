"""One LDAP message (RFC 4511): what rules compare and what logs say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from appliance.protocols import ber
from appliance.protocols.ber import Element
from appliance.protocols.ldap import names

_APPLICATION = 0x40
_SASL = 0xA3
_FILTER = 6  # place of the filter in a search, which is not read
_MAX_SIZE = 1 << 31


@dataclass(slots=True)
class Message:
    """``body`` is the operation's part of a record; the rest is what rules compare."""

    id: int
    operation: int
    size: int = 0
    body: dict[str, Any] | None = None
    dn: bytes | None = None
    attributes: list[bytes] = field(default_factory=list)
    result: int | None = None
    text: bytes | None = None
    name: bytes = b""  # of an extended operation
    sasl: bool = False

    @property
    def label(self) -> str:
        """Name of the operation."""
        return names.OPERATIONS.get(self.operation, "unknown")

    def log(self) -> dict[str, Any]:
        """Give the record of this message."""
        found: dict[str, Any] = {"operation": self.label, "message_id": self.id}
        if self.body is not None:
            found[self.label] = self.body
        return found


def parse(raw: bytes) -> Message | None:
    """Read a message, None when it is none."""
    body = ber.inner(raw, ber.SEQUENCE)
    if body is None:
        return None
    parts, _ = ber.elements(body, 3)
    if len(parts) < 2 or parts[0].tag != ber.INTEGER or parts[1].tag & 0xC0 != _APPLICATION:
        return None
    number, operation = ber.integer(parts[0].body), parts[1].tag & 0x1F
    constructed = bool(parts[1].tag & 0x20)
    if number is None or not 0 <= number < _MAX_SIZE or operation not in names.OPERATIONS:
        return None
    if constructed == (operation in names.PRIMITIVE):
        return None
    message = Message(number, operation, len(raw))
    if not constructed:
        return _PRIMITIVES[operation](message, parts[1].body)
    found, _ = ber.elements(parts[1].body)
    return _READERS[operation](message, found)


def text(value: bytes) -> str:
    """Write a string, with what is not UTF-8 escaped."""
    return value.decode("utf-8", "backslashreplace")


def _octets(found: list[Element], place: int) -> bytes | None:
    """Give the string at ``place``, None when there is none."""
    if place >= len(found) or found[place].tag not in {ber.OCTETS, ber.ENUMERATED}:
        return None
    return found[place].body


def _number(found: list[Element], place: int, tag: int = ber.INTEGER) -> int | None:
    return ber.integer(found[place].body) if place < len(found) and found[place].tag == tag else None


def _list(found: list[Element], place: int, tag: int = ber.SEQUENCE) -> list[Element]:
    """Give the elements of the sequence or set at ``place``."""
    return ber.elements(found[place].body)[0] if place < len(found) and found[place].tag == tag else []


def _strings(found: list[Element]) -> list[bytes]:
    return [element.body for element in found if element.tag == ber.OCTETS]


def _tagged(found: list[Element], tag: int) -> bytes | None:
    return next((element.body for element in found if element.tag == tag), None)


def _attribute(element: Element) -> tuple[bytes, list[bytes]] | None:
    """Read an attribute: type and values (section 4.1.7)."""
    if element.tag != ber.SEQUENCE:
        return None
    parts, _ = ber.elements(element.body)
    kind = _octets(parts, 0)
    return None if kind is None else (kind, _strings(_list(parts, 1, ber.SET)))


def _attributes(found: list[Element]) -> list[tuple[bytes, list[bytes]]]:
    read = (_attribute(element) for element in found)
    return [attribute for attribute in read if attribute is not None]


def _bind_request(message: Message, found: list[Element]) -> Message | None:
    version, name = _number(found, 0), _octets(found, 1)
    if version is None or name is None or len(found) < 3:
        return None
    message.dn = name
    message.body = {"version": version, "name": text(name)}
    if found[2].tag == _SASL:
        message.sasl = True
        parts = ber.elements(found[2].body)[0]
        sasl = {"mechanism": text(_octets(parts, 0) or b"")}
        credentials = _octets(parts, 1)
        if credentials is not None:
            sasl["credentials"] = text(credentials)
        message.body["sasl"] = sasl
    return message


def _search_request(message: Message, found: list[Element]) -> Message | None:
    base = _octets(found, 0)
    scope, aliases = _number(found, 1, ber.ENUMERATED), _number(found, 2, ber.ENUMERATED)
    if base is None or scope is None or aliases is None or len(found) <= _FILTER:
        return None
    message.dn = base
    message.attributes = _strings(_list(found, _FILTER + 1))
    message.body = {
        "base_object": text(base),
        "scope": names.SCOPES.get(scope, f"unknown-{scope}"),
        "deref_alias": names.ALIASES.get(aliases, f"unknown-{aliases}"),
        "size_limit": _number(found, 3) or 0,
        "time_limit": _number(found, 4) or 0,
        "types_only": found[5].body not in {b"", b"\0"},
        "attributes": [text(name) for name in message.attributes],
    }
    return message


def _modify_request(message: Message, found: list[Element]) -> Message | None:
    name = _octets(found, 0)
    if name is None or len(found) < 2:
        return None
    message.dn = name
    changes = []
    for element in _list(found, 1):
        parts, _ = ber.elements(element.body, 2)
        kind = _number(parts, 0, ber.ENUMERATED)
        changed = _attribute(parts[1]) if len(parts) > 1 else None
        if kind is None or changed is None:
            continue
        message.attributes.append(changed[0])
        modification: dict[str, Any] = {"attribute_type": text(changed[0])}
        if changed[1]:
            modification["attribute_values"] = [text(value) for value in changed[1]]
        changes.append(
            {"operation": names.CHANGES.get(kind, f"unknown-{kind}"), "modification": modification}
        )
    message.body = {"object": text(name), "changes": changes}
    return message


def _add_request(message: Message, found: list[Element]) -> Message | None:
    name = _octets(found, 0)
    if name is None or len(found) < 2:
        return None
    message.dn = name
    given = _attributes(_list(found, 1))
    message.attributes = [kind for kind, _ in given]
    message.body = {
        "entry": text(name),
        "attributes": [{"name": text(k), "values": [text(v) for v in values]} for k, values in given],
    }
    return message


def _del_request(message: Message, body: bytes) -> Message | None:
    message.dn = body
    message.body = {"dn": text(body)}
    return message


def _mod_dn_request(message: Message, found: list[Element]) -> Message | None:
    name, new = _octets(found, 0), _octets(found, 1)
    if name is None or new is None or len(found) < 3:
        return None
    message.dn = name
    delete = found[2].body not in {b"", b"\0"}
    message.body = {"entry": text(name), "new_rdn": text(new), "delete_old_rdn": delete}
    superior = _tagged(found, 0x80)
    if superior is not None:
        message.body["new_superior"] = text(superior)
    return message


def _compare_request(message: Message, found: list[Element]) -> Message | None:
    name = _octets(found, 0)
    parts = _list(found, 1)
    kind, value = _octets(parts, 0), _octets(parts, 1)
    if name is None or kind is None or value is None:
        return None
    message.dn = name
    message.attributes = [kind]
    assertion = {"description": text(kind), "value": text(value)}
    message.body = {"entry": text(name), "attribute_value_assertion": assertion}
    return message


def _abandon_request(message: Message, body: bytes) -> Message | None:
    number = ber.integer(body)
    if number is None:
        return None
    message.body = {"message_id": number}
    return message


def _unbind_request(message: Message, body: bytes) -> Message | None:
    del body
    return message


def _extended_request(message: Message, found: list[Element]) -> Message | None:
    name = _tagged(found, 0x80)
    if name is None:
        return None
    message.name = name
    message.body = {"name": text(name)}
    value = _tagged(found, 0x81)
    if value is not None:
        message.body["value"] = text(value)
    return message


def _entry(message: Message, found: list[Element]) -> Message | None:
    name = _octets(found, 0)
    if name is None:
        return None
    message.dn = name
    given = _attributes(_list(found, 1))
    message.attributes = [kind for kind, _ in given]
    attributes = [{"type": text(kind), "values": [text(v) for v in values]} for kind, values in given]
    message.body = {"base_object": text(name), "attributes": attributes}
    return message


def _reference(message: Message, found: list[Element]) -> Message | None:
    message.body = {"uris": [text(value) for value in _strings(found)]}
    return message


def _result(message: Message, found: list[Element]) -> Message | None:
    """LDAPResult, section 4.1.9."""
    result, matched, told = _number(found, 0, ber.ENUMERATED), _octets(found, 1), _octets(found, 2)
    if result is None or matched is None or told is None:
        return None
    message.result, message.dn, message.text = result, matched, told
    message.body = {
        "result_code": names.RESULTS.get(result, f"unknown-{result}"),
        "matched_dn": text(matched),
        "message": text(told),
    }
    return message


def _bind_response(message: Message, found: list[Element]) -> Message | None:
    return _with(_result(message, found), server_sasl_creds=_tagged(found, 0x87))


def _extended_response(message: Message, found: list[Element]) -> Message | None:
    return _with(_result(message, found), name=_tagged(found, 0x8A), value=_tagged(found, 0x8B))


def _intermediate(message: Message, found: list[Element]) -> Message | None:
    message.body = {}
    return _with(message, name=_tagged(found, 0x80), value=_tagged(found, 0x81))


def _with(message: Message | None, **optional: bytes | None) -> Message | None:
    """Add what is there of the optional parts."""
    if message is not None and message.body is not None:
        given = {key: text(value) for key, value in optional.items() if value is not None}
        message.body.update(given)
    return message


_PRIMITIVES = {
    names.UNBIND_REQUEST: _unbind_request,
    names.DEL_REQUEST: _del_request,
    names.ABANDON_REQUEST: _abandon_request,
}
_READERS = {
    names.BIND_REQUEST: _bind_request,
    names.BIND_RESPONSE: _bind_response,
    names.SEARCH_REQUEST: _search_request,
    names.SEARCH_RESULT_ENTRY: _entry,
    names.SEARCH_RESULT_DONE: _result,
    names.SEARCH_RESULT_REFERENCE: _reference,
    names.MODIFY_REQUEST: _modify_request,
    names.MODIFY_RESPONSE: _result,
    names.ADD_REQUEST: _add_request,
    names.ADD_RESPONSE: _result,
    names.DEL_RESPONSE: _result,
    names.MOD_DN_REQUEST: _mod_dn_request,
    names.MOD_DN_RESPONSE: _result,
    names.COMPARE_REQUEST: _compare_request,
    names.COMPARE_RESPONSE: _result,
    names.EXTENDED_REQUEST: _extended_request,
    names.EXTENDED_RESPONSE: _extended_response,
    names.INTERMEDIATE_RESPONSE: _intermediate,
}
