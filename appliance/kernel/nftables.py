"""Our nft tables in the kernel: applied in one transaction, compared, read, taken away."""

from __future__ import annotations

import json
import re
import socket
import struct
from dataclasses import replace
from typing import Any

from appliance.kernel.base import Adopted, Counts, KernelError, Seen
from appliance.kernel.commands import attempt, run
from appliance.kernel.options import Datapath
from appliance.kernel.script import change_table, remove_table, replace_table
from appliance.kernel.state import KernelState, NftChain, NftTable
from appliance.kernel.table import DROPS, NAME

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


def counters(places: dict[int, str]) -> dict[str, Counts]:
    """Read all counters of our tables. ``places`` names devices by the upper half of their mark."""
    found: dict[str, Counts] = {}
    for family in _FAMILIES:
        for entry in _objects(family):
            if "counter" in entry:
                one = entry["counter"]
                found[one["name"]] = Counts(one["packets"], one["bytes"])
            elif "set" in entry:
                _read_set(entry["set"], places, found)
    return found


def _objects(family: str) -> list[dict[str, Any]]:
    fine, text = attempt(("nft", "-j", "list", "table", family, NAME))
    if not fine:
        return []
    listed: list[dict[str, Any]] = json.loads(text)["nftables"]
    return listed


def _read_set(one: dict[str, Any], places: dict[int, str], found: dict[str, Counts]) -> None:
    name = one["name"]
    if name.startswith(DROPS):
        prefix = f"drop.{name.removeprefix(DROPS)}"
    elif name.startswith("over_"):
        prefix = f"limit_{name.removeprefix('over_')}"
    else:
        return
    total = Counts()
    for element in one.get("elem", ()):
        inner = element["elem"]
        count = inner["counter"]
        key = inner["val"]
        port = key if isinstance(key, str) else places.get(int(key) >> 16, str(key))
        found[f"{prefix}.{port}"] = Counts(count["packets"], count["bytes"])
        total.packets += count["packets"]
        total.bytes += count["bytes"]
    found[prefix] = total


def seen() -> list[Seen]:
    """Read which MACs appeared on ports that nobody knows."""
    fine, text = attempt(("nft", "-j", "list", "set", "bridge", NAME, "seen"))
    if not fine:
        return []
    listed = next(one["set"] for one in json.loads(text)["nftables"] if "set" in one)
    pairs = [element["elem"]["val"]["concat"] for element in listed.get("elem", ())]
    return [Seen(port, bytes.fromhex(mac.replace(":", ""))) for port, mac in pairs]


def ports() -> set[str]:
    """Give the devices that our bridge table knows, whoever made it."""
    return {
        element[0] if isinstance(element, list) else element
        for entry in _objects("bridge")
        if "map" in entry and entry["map"]["name"] == "in_marks"
        for element in entry["map"].get("elem", ())
    }
