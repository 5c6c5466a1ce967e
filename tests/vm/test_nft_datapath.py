"""The datapath "nft" in a guest whose kernel has it."""

from __future__ import annotations

from collections.abc import Callable

import inside_datapath
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("check", inside_datapath.CHECKS, ids=lambda check: check.__name__)
def test_datapath(guest: Guest, check: Callable[[], None]) -> None:
    guest.call(check, seconds=600.0)
