"""The reader of queues on a stock kernel, where nft's bridge family tells both MACs and the tag."""

from __future__ import annotations

from collections.abc import Callable

import inside_reader
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("fact", inside_reader.FACTS, ids=lambda fact: fact.__name__)
def test_reader(guest: Guest, fact: Callable[[], None]) -> None:
    guest.call(fact)
