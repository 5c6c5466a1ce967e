"""The facts about nft's bridge family that the datapath "nft" is built on, on a stock kernel."""

from __future__ import annotations

from collections.abc import Callable

import inside_bridge_family
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("fact", inside_bridge_family.FACTS, ids=lambda fact: fact.__name__)
def test_kernel_gives(guest: Guest, fact: Callable[[], None]) -> None:
    guest.call(fact)


@pytest.mark.parametrize("opens", [False, True], ids=["closed", "open"])
def test_full_queue(guest: Guest, opens: bool) -> None:
    guest.call(inside_bridge_family.full_queue, opens=opens)
