"""What tests of providers share: the simulator, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hypervisor.vcenter import build


@pytest.fixture(scope="session")
def vcsim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulator."""
    return build(tmp_path_factory.mktemp("vcsim"))
