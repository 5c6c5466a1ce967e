"""Put the engine together from documents: settings, policies, inventory, rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from appliance.config.errors import ConfigError
from appliance.config.load import LoadOptions, load_settings
from appliance.config.settings import Settings
from appliance.daemon.filetype import file_types
from appliance.daemon.memory import without_collecting
from appliance.daemon.ruleload import LoadedRules, load_rules
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine
from appliance.engine.overload import BULK
from appliance.engine.pipeline import Pipeline
from appliance.firewall.bound import BoundPolicies
from appliance.inventory.document import load_inventory
from appliance.inventory.inventory import Inventory
from appliance.inventory.registry import Registry
from appliance.policy.bound import PolicyBook
from appliance.policy.load import load_files, policy_files
from appliance.policy.policyset import PolicySet
from appliance.protocols import registry


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the user names. Missing policies or inventory mean that everything is allowed and inspected.

    Without ``rules`` those that the settings name are loaded. ``forced`` are machines (by UUID) with a policy
    that outweighs all bindings, ``epoch`` numbers the policies.
    """

    options: LoadOptions = field(default_factory=LoadOptions)
    policies: tuple[Path, ...] = ()
    inventory: Path | None = None
    rules: tuple[Path, ...] = ()
    cache: Path | None = None
    forced: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 1
    detection: bool = True  # False: rules are not read
    bind: bool = True  # False: policies are checked, and bound later by the book
    known: Inventory | None = None  # the inventory, where it comes from hypervisors and not from a file


@dataclass(slots=True)
class Documents:
    """All documents, read and checked. ``errors`` are those that keep an engine from being made.

    ``book`` binds the same policies anew, without reading them again.
    """

    settings: Settings | None = None
    inventory: Inventory | None = None
    book: PolicyBook | None = None
    bound: BoundPolicies | None = None
    registry: Registry | None = None  # of the inventory, where it was made already
    rules: LoadedRules = field(default_factory=LoadedRules)
    errors: list[ConfigError] = field(default_factory=list)


def read_documents(inputs: Inputs) -> Documents:
    """Read everything and collect every error, so that one look tells all there is to mend."""
    found = Documents()
    found.settings, errors = load_settings(inputs.options)
    found.errors += errors
    found.inventory = inputs.known
    if inputs.inventory is not None and inputs.known is None:
        found.inventory, errors = load_inventory(inputs.inventory)
        found.errors += errors
    if inputs.policies:
        _read_policies(inputs, found)
    settings = found.settings or Settings()
    found.errors += _unknown_classes(settings, inputs)
    if inputs.detection:
        named = inputs.rules or tuple(Path(name) for name in settings.detect.rule_files)
        found.rules = load_rules(named, settings, inputs.cache)
        found.errors += found.rules.unreadable
    return found


def _unknown_classes(settings: Settings, inputs: Inputs) -> list[ConfigError]:
    """Refuse classes that inspection is to give up first and that do not exist."""
    file = str(inputs.options.settings_file or "settings")
    return [
        ConfigError(file, 0, 0, "overload.bypass", f"{name!r} is not an application", "or bulk")
        for name in settings.overload.bypass
        if name != BULK and name not in registry.ALL
    ]


def _read_policies(inputs: Inputs, found: Documents) -> None:
    with without_collecting():
        _read_policy_files(inputs, found)


def _read_policy_files(inputs: Inputs, found: Documents) -> None:
    files: list[Path] = []
    for path in inputs.policies:
        inside = policy_files(path)
        if not inside:
            # Nothing to hold anybody to would mean that everything passes, which nobody asked for.
            found.errors.append(ConfigError(str(path), 0, 0, "", "no .yaml files in this folder"))
        files += inside
    policies, errors = load_files(files)
    found.errors += errors
    if policies is not None and (inputs.inventory is None or found.inventory is not None):
        found.errors += missing_policies(policies, inputs.forced)
        if found.errors:
            return
        found.book = PolicyBook(policies, found.inventory or Inventory())
        if inputs.bind:
            found.bound = found.book.bind(inputs.epoch, inputs.forced)


def missing_policies(policies: PolicySet, forced: Mapping[str, str]) -> list[ConfigError]:
    """Complain of policies that machines are forced to have and that nobody has written."""
    missing = sorted(set(forced.values()) - policies.policies.keys())
    return [ConfigError("policies", 0, 0, "", f"there is no policy named {name!r}") for name in missing]


def make_engine(
    documents: Documents, clock: Callable[[], int] | None = None, *, recorded: bool = True
) -> Engine:
    """Make the engine from documents without errors.

    With a ``clock`` (ns) rules are profiled. Unless events are ``recorded``, only what rules look into
    is parsed.
    """
    return Engine(make_pipeline(documents, clock, recorded=recorded))


def make_pipeline(
    documents: Documents, clock: Callable[[], int] | None = None, *, recorded: bool = True
) -> Pipeline:
    """Make an engine's parts from documents without errors; see :func:`make_engine`."""
    settings = documents.settings or Settings()
    return build_pipeline(
        settings if recorded else replace(settings, eve=()),
        inventory=documents.inventory,
        registry=documents.registry,
        bound=documents.bound,
        ruleset=documents.rules.ruleset,
        thresholds=documents.rules.thresholds,
        clock=clock,
        magic=file_types(),
    )
