"""Our nft tables in the kernel: applied in one transaction, compared, read, taken away."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from appliance.kernel.base import Adopted, Counts, KernelError, Seen
from appliance.kernel.commands import attempt, run
from appliance.kernel.limits import OVER
from appliance.kernel.options import Datapath
from appliance.kernel.places import NUMBER_SHIFT
from appliance.kernel.script import change_table, remove_table, replace_table
from appliance.kernel.state import KernelState, NftChain, NftTable
from appliance.kernel.table import DROPS, NAME, REASONS

_GENERATION = "generation"
_FAMILIES = ("bridge", "inet")
_NETLINK_NETFILTER = 12
_GET_GENERATION = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_REQUEST = 1
_NOTE = re.compile(r"eastwall digest=(\w+) epoch=(\d+) base=(\d+) workers=(\d+) datapath=(\w+)")


def generation() -> int:
    """Give the number of the last nft transaction in this namespace, ours or anybody's."""
    message = struct.pack("=IHHII", 20, _GET_GENERATION, _REQUEST, 1, 0) + bytes(4)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as link:
        link.settimeout(5)
        link.send(message)
        answer = link.recv(4096)
    if len(answer) < 28:
        raise KernelError("this kernel has no nftables")
    return int(struct.unpack_from(">I", answer, 24)[0])


def noted(state: KernelState) -> tuple[NftTable, ...]:
    """Give the tables of ``state``, the first with a note of what they are for whoever comes after us."""
    note = (
        f"eastwall digest={state.digest} epoch={state.epoch} base={state.queue_base} "
        f"workers={state.workers} datapath={state.datapath}"
    )
    chain = NftChain(_GENERATION, (f'return comment "{note}"',))
    first, *rest = state.nft
    return replace(first, chains=(*first.chains, chain)), *rest


def apply(old: tuple[NftTable, ...] | None, new: tuple[NftTable, ...]) -> None:
    """Make ``new`` of ``old`` in one transaction; None where it is not known what is there.

    A difference that the kernel refuses (since something was changed behind our back) is applied as a whole.
    """
    whole = "".join(replace_table(one) for one in new)
    known = {(one.family, one.name) for one in new}
    whole += "".join(remove_table(family, NAME) for family in _FAMILIES if (family, NAME) not in known)
    change = _change(old, new) if old is not None else None
    if change is not None:
        if not change:
            return
        fine, _ = attempt(("nft", "-f", "-"), change)
        if fine:
            return
    run(("nft", "-f", "-"), whole)


def _change(old: tuple[NftTable, ...], new: tuple[NftTable, ...]) -> str | None:
    before = {(one.family, one.name): one for one in old}
    if before.keys() != {(one.family, one.name) for one in new}:
        return None
    changes = [change_table(before[one.family, one.name], one) for one in new]
    return None if None in changes else "".join(one for one in changes if one)


def remove() -> None:
    """Take our tables away."""
    run(("nft", "-f", "-"), "".join(remove_table(family, NAME) for family in _FAMILIES))


def adopt() -> Adopted | None:
    """Read the note of an earlier process."""
    fine, said = attempt(("nft", "list", "chain", "bridge", NAME, _GENERATION))
    found = _NOTE.search(said) if fine else None
    if found is None:
        return None
    digest, epoch, base, workers, datapath = found.groups()
    return Adopted(Datapath(datapath), int(epoch), int(base), int(workers), digest)


def listing(tables: tuple[NftTable, ...]) -> str:
    """Give all that does not change by itself in our tables, as nft lists it; "" for a table that is gone."""
    dynamic = {(table.family, one.name) for table in tables for one in table.sets if one.dynamic}
    return "\n".join(_listed(table.family, dynamic) for table in tables)


def _listed(family: str, dynamic: set[tuple[str, str]]) -> str:
    fine, text = attempt(("nft", "-s", "list", "table", family, NAME))
    if not fine:
        return ""
    kept, skipping = [], False
    for line in text.splitlines():
        if line.startswith("\t") and not line.startswith("\t\t") and line.endswith("{"):
            words = line.split()
            skipping = words[0] in {"set", "map"} and (family, words[1]) in dynamic
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


def counters(tables: tuple[NftTable, ...], places: dict[int, str]) -> dict[str, Counts]:
    """Read all counters of ``tables``. ``places`` names devices by the upper half of their mark."""
    found = {f"drop.{reason}": Counts() for reason in REASONS}
    for table in tables:
        for one in table.sets:
            if one.name == DROPS:
                _add_up(found, _elements(table.family, DROPS), _dropped)
            elif one.name.startswith(OVER):
                _add_up(found, _elements(table.family, one.name), partial(_limited, one.name, places))
        if table.objects:
            _read_objects(table.family, found)
    return found


def _dropped(key: Any) -> tuple[str, str]:
    device, number = key["concat"]
    return f"drop.{REASONS[int(number) - 1]}", device


def _limited(name: str, places: dict[int, str], key: int) -> tuple[str, str]:
    return f"limit_{name.removeprefix(OVER)}", places.get(key >> NUMBER_SHIFT, str(key))


def _elements(family: str, name: str, kind: str = "set") -> list[Any]:
    """List one set or map. It is read alone, since nft reads the whole table for more than one."""
    fine, text = attempt(("nft", "-j", "list", kind, family, NAME, name))
    if not fine:
        return []
    listed = next(one for one in json.loads(text)["nftables"] if "metainfo" not in one)
    found: list[Any] = next(iter(listed.values())).get("elem", [])
    return found


def _add_up(found: dict[str, Counts], elements: list[Any], name: Callable[[Any], tuple[str, str]]) -> None:
    """Note the counter of each element by name and port, and the sum of all ports by name."""
    for element in elements:
        counter = element["elem"]["counter"]
        what, port = name(element["elem"]["val"])
        total = found.setdefault(what, Counts())
        for one in (total, found.setdefault(f"{what}.{port}", Counts())):
            one.packets += counter["packets"]
            one.bytes += counter["bytes"]


def _read_objects(family: str, found: dict[str, Counts]) -> None:
    fine, text = attempt(("nft", "-j", "list", "counters", "table", family, NAME))
    for entry in json.loads(text)["nftables"] if fine else ():
        if "counter" in entry:
            one = entry["counter"]
            found[one["name"]] = Counts(one["packets"], one["bytes"])


def seen() -> list[Seen]:
    """Read which MACs appeared on ports that nobody knows."""
    pairs = [element["elem"]["val"]["concat"] for element in _elements("bridge", "seen")]
    return [Seen(port, bytes.fromhex(mac.replace(":", ""))) for port, mac in pairs]


def ports() -> set[str]:
    """Give the devices that our bridge table knows, whoever made it."""
    return {element[0] for element in _elements("bridge", "in_marks", "map")}
