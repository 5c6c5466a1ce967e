"""Fixtures that every test may use, and the choice between compiled and plain modules.

``EASTWALL_PURE=1`` imports the ``.py`` sources even where compiled modules lie beside them.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = str(ROOT / "appliance")


def _plain_hook(path: str) -> importlib.machinery.FileFinder:
    """Path hook that sees only sources below the package."""
    if not path.startswith(PACKAGE):
        raise ImportError(path)
    return importlib.machinery.FileFinder(path, (importlib.machinery.SourceFileLoader, [".py"]))


if os.environ.get("EASTWALL_PURE"):
    sys.path_hooks.insert(0, _plain_hook)
    sys.path_importer_cache.clear()

# The same examples on every run of CI; other ones at each run by hand. Neither looks at a clock.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, print_blob=True)
settings.register_profile("local", deadline=None, max_examples=100)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of captures and rules that are not part of the project."""
    where = Path(os.environ.get("EASTWALL_SHARED", ROOT.parent / "shared"))
    if not where.is_dir():
        pytest.fail(f"{where} is not there: set EASTWALL_SHARED to the folder with captures and rules")
    return where
