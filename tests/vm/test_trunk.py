"""The appliance as a VM on a foreign switch, in a guest with VLAN devices."""

from __future__ import annotations

from collections.abc import Callable

import inside_trunk
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("check", inside_trunk.CHECKS, ids=lambda check: check.__name__)
def test_trunk(guest: Guest, check: Callable[[], None]) -> None:
    guest.call(check, seconds=600.0)
