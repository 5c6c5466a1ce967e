"""A world of two machines for tests of the firewall."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "policy"))
from policy_helpers import World, inventory

SECOND = 1_000_000_000


A, B, OUT = "10.0.0.1", "10.0.0.2", "192.0.2.9"


INV = inventory(("a", [A], ("client",), "lan"), ("b", [B], ("server",), "lan"))


ONE = """
policies:
  - name: p
    default_action: allow
    %s
default: p
unknown: deny
"""


def world(part):
    return World(ONE % part, INV)
