"""A guest for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guest_lab import Guest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all that shares the guest in one process; what has guests of its own names its ``GROUP``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(getattr(item.module, "GROUP", "guest")))


@pytest.fixture(scope="session")
def guest() -> Iterator[Guest]:
    """A running guest, shared by the tests of one process."""
    with Guest() as running:
        yield running
