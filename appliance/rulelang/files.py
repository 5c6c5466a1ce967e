"""Options about files, and lists of values kept outside the rule."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import Datarep, Dataset, FileHash, Filestore
from appliance.rulelang.values import bare, integer, items, one_of, size

_NAME = re.compile(r"[^\s,;]{1,63}")
_TYPES = ("string", "md5", "sha256", "ipv4", "ip")
_REP_TYPES = ("string", "md5", "sha256", "ipv4", "ip")
MAX_PATH = 4096


def _pairs(pieces: list[str], known: tuple[str, ...]) -> dict[str, str]:
    """Read ``name argument`` pairs and bare names."""
    found: dict[str, str] = {}
    for piece in pieces:
        name, _, argument = piece.partition(" ")
        if name not in known:
            raise Refused(
                f"unknown option {shown(name)}", did_you_mean(name, known) or f"known: {', '.join(known)}"
            )
        if name in found:
            raise Refused(f"{name} stands twice")
        found[name] = argument.strip()
    return found


def _path(text: str) -> str:
    """Read the name of a file."""
    if len(text) > MAX_PATH or "\0" in text:
        raise Refused("that cannot be the name of a file")
    return bare(text)


def _set_name(text: str) -> str:
    """Read the name of a set."""
    if not _NAME.fullmatch(text):
        raise Refused(f"{shown(text)} cannot be the name of a set", "up to 63 characters without blanks")
    return text


_SET_OPTIONS = (
    *("type", "load", "save", "state", "memcap", "hashsize", "format"),
    *("context_key", "value_key", "array_key", "remove_key", "match"),
)


def read_dataset(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``dataset:command,name[,type t][,load f][,save f][,state f][,format json,value_key k …]``."""
    if not draft.sticky:
        raise Refused(
            f"{keyword.name} needs a sticky buffer before it", "write it as: dns.query; dataset:isset,…"
        )
    pieces = items(value)
    command = one_of(pieces[0], ("set", "unset", "isset", "isnotset"), "dataset command")
    if len(pieces) < 2:
        raise Refused("the set has no name", "write dataset:isset,name,type string")
    found = _pairs(pieces[2:], _SET_OPTIONS)
    state = _path(found.get("state", ""))
    if state and ("load" in found or "save" in found):
        raise Refused("state stands for load and save in one", "use either state, or load and save")
    form = one_of(found.get("format", "csv"), ("csv", "json", "ndjson", "jsonline"), "format")
    if form != "csv":
        _json_keys(found, command)
    draft.look(
        Dataset(
            command,
            _set_name(pieces[1]),
            one_of(found["type"], _TYPES, "type") if "type" in found else "",
            state or _path(found.get("load", "")),
            state or _path(found.get("save", "")),
            size(found.get("memcap", "0"), "memcap"),
            size(found.get("hashsize", "0"), "hashsize"),
            "ndjson" if form == "jsonline" else form,
            found.get("context_key", ""),
            found.get("value_key", ""),
            found.get("array_key", ""),
            "remove_key" in found,
            one_of(found["match"], ("exact", "subdomain"), "match").replace("exact", "")
            if "match" in found
            else "",
            position=draft.position,
        )
    )


def _json_keys(found: dict[str, str], command: str) -> None:
    """See that a JSON set says where its value is and is only read."""
    if not found.get("value_key"):
        raise Refused("value_key is missing", "it names the JSON field that is compared")
    if not found.get("load") or "save" in found or "state" in found or command not in {"isset", "isnotset"}:
        raise Refused(
            "a JSON set is loaded and tested only", "write dataset:isset,name,load file,format json,…"
        )


def read_datarep(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``datarep:name,operator,value[,type t][,load f]``."""
    if not draft.sticky:
        raise Refused(f"{keyword.name} needs a sticky buffer before it", "write it as: dns.query; datarep:…")
    pieces = items(value)
    if len(pieces) < 3:
        raise Refused(
            "datarep needs a name, an operator and a value", "write datarep:name,>,200,load file,type string"
        )
    found = _pairs(pieces[3:], ("type", "load", "memcap", "hashsize"))
    draft.look(
        Datarep(
            _set_name(pieces[0]),
            one_of(pieces[1], ("<", ">", "=", "==", "<=", ">=", "!="), "operator").replace("==", "="),
            integer(pieces[2], 0, 65_535, "value"),
            one_of(found["type"], _REP_TYPES, "type") if "type" in found else "",
            _path(found.get("load", "")),
            size(found.get("memcap", "0"), "memcap"),
            size(found.get("hashsize", "0"), "hashsize"),
            position=draft.position,
        )
    )


def read_file_hash(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``filemd5:[!]file``, ``filesha1``, ``filesha256``."""
    negated = value.startswith("!")
    path = _path(value.removeprefix("!").strip())
    if not path:
        raise Refused(f"{keyword.name} names no file", f"write {keyword.name}:list.txt")
    draft.add(FileHash(keyword.name.removeprefix("file"), path, negated, position=draft.position))


_SIDES = {
    "request": "to_server",
    "to_server": "to_server",
    "response": "to_client",
    "to_client": "to_client",
    "both": "both",
}


def read_filestore(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``filestore[:direction[,scope]]``."""
    direction, scope = "", "file"
    if value:
        pieces = items(value.lower())
        if len(pieces) > 2 or pieces[0] not in _SIDES:
            raise Refused(f"{shown(value)} is not a direction", "write filestore:both,flow")
        direction = _SIDES[pieces[0]]
        if len(pieces) == 2:
            scope = {"ssn": "flow"}.get(pieces[1]) or one_of(pieces[1], ("file", "tx", "flow"), "scope")
    draft.add(Filestore(direction, scope, position=draft.position))
