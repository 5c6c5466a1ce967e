"""Read the appliance file and say where everything is that it names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config.document import read_document
from appliance.config.errors import ConfigError
from appliance.config.load import LoadOptions
from appliance.config.validate import validate
from appliance.daemon.assemble import Inputs
from appliance.daemon.live.bundled import followed
from appliance.daemon.live.document import ApplianceDocument
from appliance.inventory.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Appliance:
    """What one host is told to do: the file as it was read, and the folder it names others from."""

    path: Path
    document: ApplianceDocument = field(default_factory=ApplianceDocument)

    @property
    def workers(self) -> int:
        """Number of workers: as the file says, or one for each core this process may use."""
        return self.document.workers or len(os.sched_getaffinity(0))

    @property
    def state(self) -> Path:
        """Folder for what outlives a restart."""
        return Path(self.document.state)

    @property
    def socket(self) -> Path:
        """The control socket."""
        return Path(self.document.control.socket)

    def named(self, name: str) -> Path:
        """Give a file that the document names: relative names start beside it."""
        return self.path.parent / name

    def inputs(
        self,
        *,
        epoch: int = 1,
        forced: Mapping[str, str] | None = None,
        detection: bool = True,
        tap: bool = False,
        known: Inventory | None = None,
    ) -> Inputs:
        """Give what an engine is assembled from; a tap only reports.

        ``forced`` are machines in quarantine, with the policy that holds them; without ``detection`` no rules
        are read. ``known`` is the inventory where hypervisors tell it.
        """
        document = self.document
        options = LoadOptions(
            settings_file=str(self.named(document.settings).resolve()) if document.settings else "",
            mode="detect" if tap else document.mode,
            inline=not tap,
        )
        return Inputs(
            options,
            policies=tuple(self.named(name) for name in document.policies),
            inventory=self.named(document.inventory) if document.inventory else None,
            known=known,
            rules=tuple(self.named(name) for name in document.rules),
            cache=Path(document.cache),
            forced=forced or {},
            epoch=epoch,
            detection=detection,
        )


def load_appliance(
    path: Path, bundle: Path | None = None, *, follow: bool = True
) -> tuple[Appliance | None, list[ConfigError]]:
    """Read the file; None with all errors when there is any.

    Where the host follows its cluster, documents are those of the bundle in force, or of the one in the
    folder ``bundle``; without ``follow`` those that the file names.
    """
    document, errors = read_document(path)
    if document is None:
        return None, errors
    parsed, found = validate(ApplianceDocument, document)
    errors = [*errors, *found]
    if parsed is None or errors:
        return None, errors
    return Appliance(path.resolve(), followed(parsed, bundle) if follow else parsed), []


def named_files(appliance: Appliance) -> list[Path]:
    """Give every file that verdicts depend on, the appliance file first; folders are looked into."""
    document = appliance.document
    names = [*document.policies, *([document.inventory] if document.inventory else [])]
    return [appliance.path, *_inside(appliance.named(name) for name in names), *rule_files(appliance)]


def rule_files(appliance: Appliance) -> list[Path]:
    """Give the files that detection is made of: rules and settings."""
    document = appliance.document
    names = [*document.rules, *([document.settings] if document.settings else [])]
    return list(_inside(appliance.named(name) for name in names))


def _inside(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file())
        else:
            yield path
