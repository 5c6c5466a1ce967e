"""The inventory document: YAML that lists VMs and their interfaces. See ``docs/policy.md``."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from appliance.config.addresses import parse_mac, parse_range
from appliance.config.document import Document, read_document
from appliance.config.errors import ConfigError
from appliance.config.validate import Strict, validate
from appliance.inventory.inventory import Inventory, build
from appliance.model.identity import Prefix, Vm, VmInterface

MAX_RANGES = 64  # addresses of one interface; each is looked at for a packet that needs them


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _mac(value: Any) -> bytes:
    mac = parse_mac(_text(value))
    if mac[0] & 1:
        raise ValueError("is a multicast address; an interface has a unicast one")
    return mac


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(_text(value)))
    except ValueError:
        message = f"{value!r} is not a UUID"
        raise ValueError(message) from None


def _range(value: Any) -> Prefix:
    return parse_range(_text(value))


Mac = Annotated[bytes, BeforeValidator(_mac)]
Uuid = Annotated[str, BeforeValidator(_uuid)]
Range = Annotated[Any, BeforeValidator(_range)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Port = Annotated[str, Field(max_length=15, pattern=r"^[^/\s]*$")]  # the kernel's limit of device names
Vlan = Annotated[int, Field(ge=0, le=4095)]


class InterfaceDocument(Strict):
    """One interface of a VM."""

    name: Name
    mac: Mac
    network: str = ""
    vlan: Vlan | None = None
    addresses: Annotated[tuple[Range, ...], Field(max_length=MAX_RANGES)] = ()
    tags: tuple[Name, ...] = ()
    port: Port = ""


class VmDocument(Strict):
    """One VM."""

    uuid: Uuid
    name: Name
    os: str = ""
    tags: tuple[Name, ...] = ()
    interfaces: tuple[InterfaceDocument, ...] = ()


class InventoryDocument(Strict):
    """The whole file."""

    vms: tuple[VmDocument, ...] = ()


def load_inventory(path: Path) -> tuple[Inventory | None, list[ConfigError]]:
    """Read an inventory; None with all errors when there is any."""
    document, errors = read_document(path)
    if document is None:
        return None, errors
    return parse_inventory(document, errors)


def parse_inventory(
    document: Document, errors: list[ConfigError]
) -> tuple[Inventory | None, list[ConfigError]]:
    """Make an inventory of a document that was read with ``errors``."""
    parsed, found = validate(InventoryDocument, document)
    errors = [*errors, *found]
    if parsed is not None:
        errors += _duplicates(parsed, document)
    if parsed is None or errors:
        return None, errors
    return build([_vm(vm) for vm in parsed.vms]), []


def _vm(vm: VmDocument) -> tuple[Vm, list[VmInterface]]:
    owner = Vm(vm.uuid, vm.name, frozenset(vm.tags), vm.os)
    return owner, [
        VmInterface(0, owner, i.name, i.mac, i.network, i.vlan, tuple(i.addresses), frozenset(i.tags), i.port)
        for i in vm.interfaces
    ]


def _duplicates(parsed: InventoryDocument, document: Document) -> list[ConfigError]:
    """Find what must be unique and is not. A MAC may come back in another network or VLAN."""
    errors: list[ConfigError] = []
    seen: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def once(kind: str, value: Any, path: tuple[Any, ...]) -> None:
        first = seen.setdefault((kind, value), path)
        if first is not path:
            hint = f"first in line {document.locate(first)[0]}"
            errors.append(document.error(path, f"{kind} is used twice", hint))

    for number, vm in enumerate(parsed.vms):
        once("uuid", vm.uuid, ("vms", number, "uuid"))
        once("name of a VM", vm.name, ("vms", number, "name"))
        for place, one in enumerate(vm.interfaces):
            where = ("vms", number, "interfaces", place)
            once("interface name", (number, one.name), (*where, "name"))
            once("mac", (one.mac, one.network, one.vlan), (*where, "mac"))
    return errors
