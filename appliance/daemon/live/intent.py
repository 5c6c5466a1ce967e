"""What is wanted of this host: the documents in force, read aside and exchanged as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from appliance.config.errors import ConfigError
from appliance.config.settings import Settings
from appliance.daemon.assemble import missing_policies, read_documents
from appliance.daemon.live.epochs import Epochs, fingerprint
from appliance.daemon.live.files import Appliance, load_appliance, named_files, rule_files
from appliance.daemon.live.quarantine import Quarantine
from appliance.firewall.bound import NO_POLICIES, BoundPolicies
from appliance.inventory.inventory import Inventory
from appliance.policy.bound import PolicyBook

# Gives the inventory that hypervisors tell, what tells it apart, and errors in the file that outweighs them.
Told = Callable[[Appliance], tuple[Inventory | None, str, list[ConfigError]]]


@dataclass(frozen=True, slots=True)
class Intent:
    """Documents that belong together, and the number by which kernel and workers know them.

    ``rules_key`` tells whether rules have to be read anew, ``files_key`` is of all files.
    """

    appliance: Appliance
    settings: Settings
    inventory: Inventory
    bound: BoundPolicies
    book: PolicyBook | None = None
    forced: dict[str, str] = field(default_factory=dict)
    rules_key: str = ""
    files_key: str = ""

    @property
    def epoch(self) -> int:
        """Number of the policies."""
        return self.bound.epoch

    def over(self, inventory: Inventory, epoch: int) -> Intent:
        """Give the same documents with another inventory."""
        if self.book is None:
            return replace(self, inventory=inventory)
        book = self.book.over(inventory)
        return replace(self, inventory=inventory, book=book, bound=book.bind(epoch, self.forced))

    def rebound(self, epoch: int, forced: dict[str, str]) -> tuple[Intent | None, list[ConfigError]]:
        """Give the same documents with other machines in quarantine, under a new number."""
        if self.book is None:
            return None, [ConfigError(str(self.appliance.path), 0, 0, "policies", "there are none")]
        errors = missing_policies(self.book.whole, forced)
        if errors:
            return None, errors
        return replace(self, bound=self.book.bind(epoch, forced), forced=forced), []


def read_intent(
    path: Path, epochs: Epochs, quarantine: Quarantine, told: Told | None = None
) -> tuple[Intent | None, list[ConfigError]]:
    """Read everything but rules; None with all errors when there is any.

    Documents that did not change keep their epoch. ``told`` is what hypervisors tell, where there are any.
    """
    appliance, errors = load_appliance(path)
    if appliance is None:
        return None, errors
    inventory, digest = None, ""
    if told is not None and appliance.document.hypervisors:
        inventory, digest, errors = told(appliance)
        if errors:
            return None, errors
    inputs = appliance.inputs(forced=quarantine.forced, detection=False, known=inventory)
    found = read_documents(replace(inputs, bind=False))
    if found.errors or found.settings is None:
        return None, found.errors
    bound, files = NO_POLICIES, fingerprint(named_files(appliance))
    if found.book is not None:
        epoch = epochs.of(documents_key(files, quarantine.forced, digest))
        bound = found.book.bind(epoch, quarantine.forced)
    inventory = found.inventory or Inventory()
    rules = fingerprint(rule_files(appliance), appliance.document.mode)
    return Intent(
        appliance, found.settings, inventory, bound, found.book, quarantine.forced, rules, files
    ), []


def documents_key(files: str, forced: dict[str, str], digest: str = "") -> str:
    """Give what tells sets of documents apart: the key of the files, who is in quarantine, what is told."""
    return fingerprint((), f"{files} {forced!r} {digest}")
