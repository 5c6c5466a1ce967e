"""Make settings from defaults, a settings file, a Suricata configuration and options.

Later wins: stock defaults or a foreign configuration (which replaces them), further includes,
our settings file, ``--set``, the options for mode, checksums and data folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from appliance.config.document import Document, read_document, resolve
from appliance.config.errors import ConfigError
from appliance.config.foreign import merge, parse_own, read_foreign
from appliance.config.inline import inline_defaults, inline_facts
from appliance.config.lookup import Lookup
from appliance.config.node import Node, unread
from appliance.config.schema import model_of, overlay
from appliance.config.settings import Settings
from appliance.config.translate import (
    decode_settings,
    defrag_settings,
    detect_settings,
    flow_settings,
    host_os,
    stream_settings,
)
from appliance.config.translate_app import app_settings, eve_outputs, file_store
from appliance.config.validate import validate

_MODES = ("detect", "prevent")
_CHECKSUMS = ("all", "none", "auto")
_MAX_SETS = 10_000


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the command line says.

    ``sets`` are ``name=value`` texts, ``simulate_ips`` judges as if inline, ``mode`` overrides
    ("detect", "prevent"), ``checksums`` is "all" or "none". ``cwd`` is where relative names start.
    ``inline`` makes settings for an engine that stands in the traffic.
    """

    settings_file: str = ""
    suricata_config: str = ""
    includes: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    simulate_ips: bool = False
    mode: str = ""
    checksums: str = ""
    data_dir: str = ""
    cwd: str = ""
    inline: bool = False
    dns_version: str = ""  # what SURICATA_EVE_DNS_VERSION says, which Suricata takes over its files


def load_settings(options: LoadOptions) -> tuple[Settings | None, list[ConfigError]]:
    """Make settings, or say everything that is wrong with what was given."""
    errors = _bad_options(options)
    tree = _base_tree(options, errors)
    ours, theirs = _sort_sets(options.sets, errors)
    shared = [path.split(".") for path, _ in theirs if path in _SHARED_NAMES]
    document = _settings_document(options, ours, shared, errors)
    if tree is None or errors:
        return None, errors
    for path, value in theirs:
        if not tree.put(path, value):
            errors.append(_option_error(path, "is not a dotted name"))
    prevent = _prevent(options, document)
    settings, more = _translate(tree, options, prevent)
    errors += more
    if options.inline:
        settings = inline_defaults(settings)
    if document is not None:
        settings = overlay(settings, document)
    if options.inline:
        settings = inline_facts(settings)
    return (None, errors) if errors else (_with_options(settings, options, prevent), [])


def _option_error(name: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError("command line", 0, 0, name, message, hint)


def _bad_options(options: LoadOptions) -> list[ConfigError]:
    errors = []
    if options.mode and options.mode not in _MODES:
        errors.append(_option_error("mode", f"{options.mode!r} is no mode", ", ".join(_MODES)))
    if options.checksums and options.checksums not in _CHECKSUMS:
        errors.append(
            _option_error("checksums", f"{options.checksums!r} is not known", ", ".join(_CHECKSUMS))
        )
    if len(options.sets) > _MAX_SETS:
        errors.append(_option_error("set", f"more than {_MAX_SETS} values"))
    return errors


@cache
def _own_text(name: str) -> bytes:
    return (files("appliance.config") / name).read_bytes()


def _base_tree(options: LoadOptions, errors: list[ConfigError]) -> Node | None:
    """Read the stock defaults, or the foreign configuration in their place, and further includes."""
    tree: Node | None = parse_own(_own_text("stock.yaml"), "stock.yaml")
    paths = [options.suricata_config] if options.suricata_config else []
    for number, name in enumerate([*paths, *options.includes]):
        read, problems = read_foreign(Path(options.cwd or ".") / name)
        errors += problems
        if read is None:
            return None
        if number == 0 and options.suricata_config:
            tree = read
        elif tree is not None:
            merge(tree, read)
    return tree


def _sort_sets(sets: tuple[str, ...], errors: list[ConfigError]) -> tuple[list[Any], list[tuple[str, str]]]:
    """Part ``--set`` texts into those with a name of ours and those with a name of Suricata's."""
    ours: list[Any] = []
    theirs: list[tuple[str, str]] = []
    for text in sets[:_MAX_SETS]:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not path:
            errors.append(_option_error("set", f"{text!r} is not name=value"))
        elif is_ours(path):
            ours.append((path.split("."), value.strip()))
        else:
            theirs.append((path, value.strip()))
    return ours, theirs


# Names that both have: they are read as Suricata's, whose values are the more general ("auto").
_SHARED_NAMES = frozenset(
    (
        "stream.inline",
        "stream.midstream",
        "stream.midstream-policy",
        "stream.memcap-policy",
        "stream.async-oneside",
        "stream.drop-invalid",
        "defrag.timeout",
        "defrag.memcap-policy",
        "flow.memcap-policy",
    )
)


def is_ours(path: str) -> bool:
    """Tell whether a dotted name is one of our settings file (and not also one of Suricata's)."""
    if path in _SHARED_NAMES or path.startswith(("app-layer", "eve.")):
        return False
    model: Any = model_of(Settings)
    steps = path.split(".")
    for number, step in enumerate(steps):
        names = {f.alias: f for f in model.model_fields.values()}
        if step not in names:
            return False
        kind = names[step].annotation
        if not (isinstance(kind, type) and hasattr(kind, "model_fields")):
            return number == len(steps) - 1
        model = kind
    return False


def _settings_document(
    options: LoadOptions, ours: list[Any], shared: list[list[str]], errors: list[ConfigError]
) -> Any:
    """Read our settings file with the values of ``--set`` put into it, validated.

    What the file says under a ``shared`` name is taken out: the command line has said otherwise.
    """
    document = Document("command line", {}, {})
    if options.settings_file:
        read, problems = read_document(Path(options.cwd or ".") / options.settings_file)
        errors += problems
        if read is None:
            return None
        document = read
        document.data = {} if document.data is None else document.data
    if isinstance(document.data, dict):
        for steps, value in ours:
            _put(document.data, steps, resolve(value))
        for group, name in shared:
            below = document.data.get(group)
            if isinstance(below, dict):
                below.pop(name, None)
    checked, problems = validate(model_of(Settings), document)
    errors += problems
    return checked


def _put(data: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        below = data.get(step)
        data[step] = below if isinstance(below, dict) else {}
        data = data[step]
    data[steps[-1]] = value


def _prevent(options: LoadOptions, document: Any) -> bool:
    """Decide on the mode first: what "auto" means elsewhere depends on it."""
    if options.mode:
        return options.mode == "prevent"
    if options.simulate_ips:
        return True
    return bool(document is not None and document.mode == "prevent")


def _translate(tree: Node, options: LoadOptions, prevent: bool) -> tuple[Settings, list[ConfigError]]:
    found = Lookup(tree, parse_own(_own_text("builtin.yaml"), "builtin.yaml"), options.cwd, prevent)
    found.dns_version = options.dns_version
    settings = Settings(
        decode=decode_settings(found),
        defrag=defrag_settings(found),
        flow=flow_settings(found),
        stream=stream_settings(found),
        detect=detect_settings(found),
        app=app_settings(found),
        eve=eve_outputs(found),
        file_store=file_store(found),
        host_os=host_os(found),
    )
    return replace(settings, unused=tuple(unread(tree))), found.errors


def _with_options(settings: Settings, options: LoadOptions, prevent: bool) -> Settings:
    if options.checksums:
        settings = replace(settings, decode=replace(settings.decode, checksums=options.checksums))
    if options.data_dir:
        where = str(Path(options.cwd or ".") / options.data_dir)
        settings = replace(settings, detect=replace(settings.detect, data_dir=where))
    return replace(settings, mode="prevent" if prevent else "detect")
