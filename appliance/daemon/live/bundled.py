"""The bundle in force on a host that follows: a folder in ``state``, and a note of which one counts."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.daemon.live.document import ApplianceDocument
from appliance.handoff.bundle import MANY, ONE, Bundle, Manifest

_FOLDER = "bundles"
_CURRENT = "current.json"
_PARTS = "parts.json"


@dataclass(frozen=True, slots=True)
class Current:
    """Which bundle is in force; number 0 for none."""

    number: int = 0
    digest: str = ""
    folder: str = ""


def read_current(state: Path) -> Current:
    """Read which bundle is in force."""
    try:
        found = json.loads((state / _FOLDER / _CURRENT).read_text())
        return Current(int(found["number"]), str(found["digest"]), str(found["folder"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Current()


def write_current(state: Path, current: Current) -> None:
    """Note which bundle is in force, in one step.

    Raises:
        OSError: it cannot be written.
    """
    path = state / _FOLDER / _CURRENT
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps({name: getattr(current, name) for name in Current.__slots__}))
    beside.replace(path)


def unfold(state: Path, manifest: Manifest, bundle: Bundle) -> Path:
    """Write a bundle's files to a folder of their own. Workers read them as a user of their own.

    Raises:
        OSError: there is no room, or a name is taken.
    """
    folder = state / _FOLDER / f"{manifest.number}-{manifest.digest[:16]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in bundle.files.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / _PARTS).write_text(json.dumps(bundle.parts))
    return folder


def tidy(state: Path, keep: str) -> None:
    """Remove the folders of other bundles."""
    for path in (state / _FOLDER).iterdir():
        if path.is_dir() and str(path) != keep:
            shutil.rmtree(path, ignore_errors=True)


def followed(document: ApplianceDocument, folder: Path | None = None) -> ApplianceDocument:
    """Give the document with the files of the bundle in force, or of the one in ``folder``."""
    if document.cluster is None or not document.cluster.follow:
        return document
    chosen = str(folder) if folder is not None else read_current(Path(document.state)).folder
    parts = _parts_of(Path(chosen)) if chosen else None
    if parts is None:
        return document
    base = Path(chosen) / "files"
    changed: dict[str, Any] = {name: tuple(str(base / one) for one in parts[name]) for name in MANY}
    changed |= {name: str(base / parts[name]) if parts[name] else "" for name in ONE}
    return document.model_copy(update=changed)


def _parts_of(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / _PARTS).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() == {*MANY, *ONE} else None
