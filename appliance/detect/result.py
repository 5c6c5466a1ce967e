"""What inspection of one packet has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from appliance.model.app import Transaction
    from appliance.rulelang.tree import Rule


class Filter(Protocol):
    """Which rules are on for the interfaces of a packet, and what they do there.

    Rules are given by their index in the ruleset.
    """

    def enabled(self, rule_index: int) -> bool:
        """Tell whether the rule is on."""

    def action(self, rule_index: int) -> str:
        """Give the action in force instead of the rule's own, "" for the rule's own."""


@dataclass(slots=True)
class Match:
    """A rule has matched. ``source`` is "packet", "stream" or "tx"; ``direction`` 0 is to-server.

    ``action`` is what the rule asks for; whether that is carried out is up to the mode of the engine.
    ``context`` holds what the alert tells besides: captured values, tags.
    """

    rule: Rule
    index: int
    action: str
    direction: int
    source: str
    tx: Transaction | None = None
    alert: bool = True
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Detection:
    """All matches of one packet, in the order of actions.

    ``verdict`` is "", "drop", "reject" or "pass"; ``scope`` says whether it is for the "packet" or the
    whole "flow", and ``by`` is the rule that decided. ``matches`` with ``alert`` false are not reported.
    ``discarded`` counts matches above the limit for one packet; ``replaces`` are (offset in the payload,
    bytes) to write.
    """

    matches: list[Match]
    verdict: str = ""
    scope: str = "packet"
    by: Match | None = None
    bypass: bool = False
    discarded: int = 0
    replaces: list[tuple[int, bytes]] = field(default_factory=list)
