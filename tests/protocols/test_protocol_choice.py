"""Which protocols the settings leave switched on, and over what."""

from __future__ import annotations

import pytest

from appliance.config.settings import AppSettings
from appliance.protocols import registry


@pytest.mark.parametrize(
    ("disabled", "transports"),
    [((), {"tcp", "udp"}), (("dns/udp",), {"tcp"}), (("dns/tcp",), {"udp"}), (("dns/tcp", "dns/udp"), set())],
)
def test_a_transport_can_be_switched_off_by_itself(disabled, transports):
    specs = registry.enabled(AppSettings(disabled=frozenset(disabled)))
    assert set(specs["dns"].transports) == transports


def test_a_protocol_that_is_off_is_not_recognised():
    assert "dns" not in registry.enabled(AppSettings(disabled=frozenset(("dns",))))
