"""From Suricata's ``app-layer`` and ``outputs`` to the settings of protocols and of EVE files."""

from __future__ import annotations

from typing import Any

from appliance.config.lookup import Lookup
from appliance.config.node import Node
from appliance.config.policies import policy
from appliance.config.settings import AppSettings, EveOutput, FileStoreSettings

# Names of older versions.
_PROTOCOL_NAMES = {"ikev2": "ike", "dcerpc-udp": "dcerpc"}
_OPTION_NAMES = {"encrypt-handling": "encryption-handling"}
_TRANSPORTS = ("tcp", "udp")
_HASHES = frozenset(("md5", "sha1", "sha256"))
_FORCED = ("force-hash", "force-md5", "force-magic")
_PORT_KEYS = frozenset(("dp", "sp"))
_EVE_FIELDS = (
    ("community_id", "community-id", bool),
    ("community_seed", "community-id-seed", int),
    ("ethernet", "ethernet", bool),
    ("metadata", "metadata", bool),
    ("pcap_file", "pcap-file", bool),
    ("suricata_version", "suricata-version", bool),
)


def app_settings(found: Lookup) -> AppSettings:
    """Read what concerns application protocols, and the files that outputs want hashed or stored."""
    states: dict[str, str] = {}
    options: dict[str, dict[str, Any]] = {}
    for name in _protocol_names(found):
        path = f"app-layer.protocols.{name}"
        known = _PROTOCOL_NAMES.get(name, name)
        mine, builtin = found.tree.take_all(path), found.builtin.take_all(path)
        values = _overlay(_options(builtin), _options(mine))
        _states(known, values, states)
        options[known] = values
    hashes, magic = _forced(found)
    return AppSettings(
        enabled=_in_state(states, "yes"),
        disabled=_in_state(states, "no"),
        detection_only=_in_state(states, "detection-only"),
        protocols=options,
        error_policy=policy(found, "app-layer.error-policy"),
        force_hashes=hashes,
        force_magic=magic,
    )


def _protocol_names(found: Lookup) -> list[str]:
    groups = (found.tree.take("app-layer.protocols"), found.builtin.take("app-layer.protocols"))
    return list(dict.fromkeys(name for group in groups if group is not None for name in group.items))


def _options(node: Node | None) -> dict[str, Any]:
    """Give the options of a protocol as plain values; ports stay text, for ranges and "any"."""
    if node is None or node.is_list:
        return {}
    return {_OPTION_NAMES.get(key, key): _option(key, item) for key, item in node.items.items()}


def _option(key: str, node: Node) -> Any:
    if key in _PORT_KEYS:
        return ",".join(node.texts())
    return _options(node) if node.items and not node.is_list else node.plain()


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Put ``over`` on ``base``, mapping by mapping. Depth is that of the file, which is bounded."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def _states(name: str, options: dict[str, Any], states: dict[str, str]) -> None:
    """Take ``enabled`` out of the options, for the protocol (``dns``) and a transport (``dns/udp``)."""
    if "enabled" in options:
        states[name] = _state(options.pop("enabled"))
    for transport in _TRANSPORTS:
        below = options.get(transport)
        if isinstance(below, dict) and "enabled" in below:
            states[f"{name}/{transport}"] = _state(below.pop("enabled"))


def _state(value: Any) -> str:
    if isinstance(value, str) and value.strip().lower() == "detection-only":
        return "detection-only"
    return "yes" if value is True or value == 1 else "no"


def _in_state(states: dict[str, str], wanted: str) -> frozenset[str]:
    return frozenset(name for name, state in states.items() if state == wanted)


def _outputs(found: Lookup, name: str) -> list[tuple[str, Node]]:
    """Give (path, node) of the outputs of one kind that are switched on."""
    listed = found.tree.take("outputs")
    out = []
    for key, item in listed.items.items() if listed is not None else ():
        if item.name != name:
            continue
        path = f"outputs.{key}.{name}"
        if found.truth(f"{path}.enabled"):
            out.append((path, item.body()))
        else:
            item.mark()
    return out


def file_store(found: Lookup) -> FileStoreSettings:
    """Read the first file store that is switched on."""
    paths = [path for path, _ in _outputs(found, "file-store")]
    if not paths:
        return FileStoreSettings()
    path = paths[0]
    depth = found.size(f"{path}.stream-depth")
    opened = found.number(f"{path}.max-open-files")
    return FileStoreSettings(
        enabled=True,
        folder=found.text(f"{path}.dir") or FileStoreSettings().folder,
        everything=found.truth(f"{path}.force-filestore") is True,
        stream_depth=-1 if depth is None else depth,
        write_fileinfo=found.truth(f"{path}.write-fileinfo") is True,
        max_open=opened or FileStoreSettings().max_open,
    )


def _file_stores(found: Lookup) -> list[dict[str, Any]]:
    """Give what file stores want to know of every file."""
    wishes = []
    for path, _ in _outputs(found, "file-store"):
        nodes = {key: found.tree.take_all(f"{path}.{key}") for key in _FORCED}
        wishes.append({key: node.plain() for key, node in nodes.items() if node is not None})
    return wishes


def _forced(found: Lookup) -> tuple[frozenset[str], bool]:
    """Tell which hashes outputs want of every file, and whether they want its type."""
    stores = _file_stores(found)
    wishes = list(stores)
    for path, _ in _outputs(found, "eve-log"):
        types = found.tree.find(f"{path}.types")
        wishes += [
            _plain_options(item) for item in (types.items.values() if types else ()) if item.name == "files"
        ]
    hashes = frozenset(name for wish in wishes for name in _wished_hashes(wish))
    if stores:
        hashes |= {"sha256"}  # what a store names its files by is in their records
    return hashes & _HASHES, any(wish.get("force-magic") is True for wish in wishes)


def _wished_hashes(wish: dict[str, Any]) -> list[str]:
    named = wish.get("force-hash") or []
    names = [str(name).lower() for name in (named if isinstance(named, list) else [named])]
    return [*names, "md5"] if wish.get("force-md5") is True else names


def eve_outputs(found: Lookup) -> tuple[EveOutput, ...]:
    """Read all EVE files. Other kinds than regular files stay unread, and are reported as such."""
    out = []
    for path, _ in _outputs(found, "eve-log"):
        kind = found.tree.find(f"{path}.filetype")
        if kind is not None and (kind.text or "regular").lower() != "regular":
            continue
        if kind is not None:
            kind.used = True
        out.append(_eve_output(found, path))
    return tuple(out)


def _eve_output(found: Lookup, path: str) -> EveOutput:
    options = _types(found, path)
    fields = {}
    for name, key, kind in _EVE_FIELDS:
        value = found.truth(f"{path}.{key}") if kind is bool else found.number(f"{path}.{key}")
        if value is not None:
            fields[name] = value
    types = frozenset(options)
    _add_stats_options(found, options)
    if "dns" in options and found.dns_version:
        options["dns"] = {**options["dns"], "version": found.dns_version}
    xff = found.tree.take_all(f"{path}.xff")
    if xff is not None and xff.items:
        options["xff"] = xff.plain()
    filename = found.text(f"{path}.filename") or "eve.json"
    return EveOutput(filename=filename, types=types, options=options, **fields)  # type: ignore[arg-type]


def _types(found: Lookup, path: str) -> dict[str, dict[str, Any]]:
    """Give the options of each record kind that is switched on."""
    listed = found.tree.take_all(f"{path}.types")
    out: dict[str, dict[str, Any]] = {}
    for item in listed.items.values() if listed is not None else ():
        options = _plain_options(item)
        enabled = options.pop("enabled", True)
        if enabled is True or enabled == 1:
            out[item.name] = options
    if found.truth("stats.enabled") is False:
        out.pop("stats", None)
    return out


def _plain_options(item: Node) -> dict[str, Any]:
    """Give the options of a list member such as ``- alert: {payload: yes}``."""
    body = item.body()
    plain = body.plain() if body is not item else None
    return plain if isinstance(plain, dict) else {}


def _add_stats_options(found: Lookup, options: dict[str, dict[str, Any]]) -> None:
    """Statistics have options in a section of their own, which holds for every output."""
    section = found.tree.take("stats")
    if section is None:
        return
    section.mark()
    plain = section.plain()
    if "stats" in options and isinstance(plain, dict):
        plain.pop("enabled", None)
        options["stats"] = {**plain, **options["stats"]}
