"""``eastwall run`` in a guest whose kernel has the datapath "nft": on the host, and as a VM on a trunk."""

from __future__ import annotations

import inside_appliance
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


def test_appliance_protects_on_a_host_and_on_a_trunk(guest: Guest) -> None:
    guest.call(inside_appliance.protects_both_shapes, seconds=900.0)
