"""One end of a packet or a flow: a policy and the direction in which it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.firewall.match import RuleTable
from appliance.firewall.rule import OUT

if TYPE_CHECKING:
    from appliance.firewall.bound import InterfacePolicy, Limits, Scan
    from appliance.firewall.judgement import EndJudgement
    from appliance.model.identity import VmInterface


class End:
    """A policy for packets that its interface sends (``OUT``) or gets (``IN``).

    What new flows ask of the policy is here by itself. ``usual`` is what the end says where no rule decides,
    ``said`` what it says by each rule; both are filled by :mod:`appliance.firewall.ends`.
    """

    __slots__ = (
        "direction",
        "half_opens",
        "interface",
        "limited",
        "limits",
        "policy",
        "rated",
        "said",
        "scan",
        "strict",
        "table",
        "timed",
        "tracked",
        "usual",
    )

    def __init__(self, policy: InterfacePolicy, direction: int) -> None:
        """Ask ``policy`` for ``direction``."""
        stateful = policy.stateful
        limits = stateful.limits
        self.policy: InterfacePolicy = policy
        self.direction: int = direction
        self.interface: VmInterface | None = policy.interface
        self.table: RuleTable = policy.outbound if direction == OUT else policy.inbound
        self.timed: bool = policy.timed
        self.scan: Scan | None = policy.scan
        self.strict: bool = stateful.strict
        self.tracked: frozenset[int] | None = stateful.tracked
        self.limits: Limits = limits
        self.half_opens: bool = bool(limits.half_open)  # limits half-open connections
        self.rated: bool = bool(limits.syn_rate)  # limits the rate of SYNs
        self.limited: bool = bool(limits.connections or limits.half_open or limits.syn_rate)
        self.usual: EndJudgement | None = None
        self.said: dict[int, EndJudgement] = {}

    def tracks(self, proto: int) -> bool:
        """Tell whether connections of ``proto`` are judged once."""
        return self.tracked is None or proto in self.tracked
