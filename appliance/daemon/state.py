"""State of rules that outlives a run: sets of values that rules added to."""

from __future__ import annotations

import os
from pathlib import Path

from appliance.config.errors import ConfigError
from appliance.config.settings import DetectSettings
from appliance.detect.ruleset import Ruleset


def save_datasets(ruleset: Ruleset | None, settings: DetectSettings) -> list[ConfigError]:
    """Write the sets that rules changed to the data folder; without one they end with the run.

    A file is replaced in one step. A rule may only name files inside of the data folder.

    Returns:
        What could not be written.
    """
    if ruleset is None or not settings.data_dir:
        return []
    folder = Path(settings.data_dir)
    errors = []
    for name, text in ruleset.world.datasets.to_save():
        problem = _write(folder, name, text)
        if problem:
            errors.append(ConfigError(str(folder / name), 0, 0, "", problem))
    return errors


def _write(folder: Path, name: str, text: str) -> str:
    """Write one file; gives what went wrong, "" when nothing did."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        return "is outside of the data folder"
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="ascii")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        return f"cannot be written: {error.strerror or error}"
    return ""
