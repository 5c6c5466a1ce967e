"""Load the policies of a site and check them as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from appliance.config.document import Document, read_document
from appliance.config.errors import ConfigError
from appliance.config.validate import validate
from appliance.policy.check import Checker
from appliance.policy.documents import PolicyFile
from appliance.policy.policyset import PolicySet

SUFFIXES = {".yaml", ".yml"}


Loaded = list[tuple[Document, PolicyFile]]


def load_policies(path: Path) -> tuple[PolicySet | None, list[ConfigError]]:
    """Read one file, or all ``.yaml`` files below a folder in the order of their names.

    Gives None and every error of every file when there is any.
    """
    return load_files(policy_files(path))


def load_files(paths: Iterable[Path]) -> tuple[PolicySet | None, list[ConfigError]]:
    """Read several files as one set."""
    loaded: Loaded = []
    errors: list[ConfigError] = []
    for path in paths:
        document, found = read_document(path)
        errors += found
        if document is not None:
            _validate(document, loaded, errors)
    return combine_documents(loaded, errors)


def parse_policies(documents: list[Document]) -> tuple[PolicySet | None, list[ConfigError]]:
    """Make a set of documents that were read already."""
    loaded: Loaded = []
    errors: list[ConfigError] = []
    for document in documents:
        _validate(document, loaded, errors)
    return combine_documents(loaded, errors)


def _validate(document: Document, loaded: Loaded, errors: list[ConfigError]) -> None:
    parsed, found = validate(PolicyFile, document)
    errors += found
    if parsed is not None:
        loaded.append((document, parsed))


def policy_files(path: Path) -> list[Path]:
    """Give the policy files that ``path`` names: itself, or those below it in the order of their names."""
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())


def combine_documents(
    loaded: Loaded, errors: list[ConfigError]
) -> tuple[PolicySet | None, list[ConfigError]]:
    """Put documents together, then check what they name; ``errors`` are those found before."""
    whole = PolicySet()
    for document, parsed in loaded:
        _merge(whole, document, parsed, errors)
    for document, parsed in loaded:
        errors += Checker(whole, document).check(parsed)
    return (None, errors) if errors else (whole, [])


def _merge(whole: PolicySet, document: Document, parsed: PolicyFile, errors: list[ConfigError]) -> None:
    for number, policy in enumerate(parsed.policies):
        _add(whole.policies, policy.name, policy, document, ("policies", number, "name"), errors)
    parts: tuple[tuple[Any, Any, tuple[str, ...]], ...] = (
        (whole.addresses, parsed.lists.addresses, ("lists", "addresses")),
        (whole.ports, parsed.lists.ports, ("lists", "ports")),
        (whole.macs, parsed.lists.macs, ("lists", "macs")),
        (whole.groups, parsed.groups, ("groups",)),
        (whole.schedules, parsed.schedules, ("schedules",)),
    )
    for target, source, path in parts:
        for name, value in source.items():
            _add(target, name, value, document, (*path, name), errors)
    whole.bindings.extend(parsed.bindings)
    for key in ("default", "unknown"):
        _set_once(whole, document, parsed, key, errors)


def _add(
    target: dict[str, Any],
    name: str,
    value: Any,
    document: Document,
    path: tuple[Any, ...],
    errors: list[ConfigError],
) -> None:
    if name in target:
        errors.append(document.error(path, f"{name!r} is defined twice", "names are shared by all files"))
    target[name] = value


def _set_once(
    whole: PolicySet, document: Document, parsed: PolicyFile, key: str, errors: list[ConfigError]
) -> None:
    value = getattr(parsed, key)
    if value is None:
        return
    if getattr(whole, key) not in {getattr(PolicySet(), key), value}:
        errors.append(document.error((key,), f"{key} is set differently in another file"))
    setattr(whole, key, value)
