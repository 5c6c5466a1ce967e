"""What the firewall and the engine read of policies: one compiled policy for each interface."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.firewall.build import build_table
from appliance.firewall.end import End
from appliance.firewall.match import RuleTable
from appliance.firewall.rule import IN, OUT, Rule
from appliance.model.identity import Prefix, VmInterface
from appliance.model.verdict import Verdict

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one interface; 0 is no limit. ``syn_rate`` is new TCP connections a second."""

    connections: int = 0
    half_open: int = 0
    syn_rate: int = 0
    syn_burst: int = 0


@dataclass(frozen=True, slots=True)
class Stateful:
    """Connection tracking. ``tracked`` are IP protocols judged once per connection; None is all."""

    tracked: frozenset[int] | None = None
    strict: bool = False  # TCP connections have to be seen from their SYN
    limits: Limits = Limits()

    def tracks(self, proto: int) -> bool:
        """Tell whether connections of ``proto`` are judged once."""
        return self.tracked is None or proto in self.tracked


@dataclass(frozen=True, slots=True)
class ScanAction:
    """What happens when a scan is seen: a notice always, ``deny`` drops, ``block`` (ns) lasts."""

    deny: bool = False
    block: int = 0
    threshold: int = 0  # distinct ports or hosts; 0 where a single packet tells
    window: int = 0  # nanoseconds


@dataclass(frozen=True, slots=True)
class Scan:
    """Scan detection by kind ("port_sweep"); sources in ``exempt`` are never counted nor blocked."""

    kinds: dict[str, ScanAction] = field(default_factory=dict)
    exempt: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleOverride:
    """Changes to one inspection rule; None leaves what the rule says."""

    enabled: bool | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Deep inspection of an interface. ``rule_sets`` None is all that are loaded.

    ``on_overload`` is "bypass" (let through uninspected) or "drop".
    """

    enabled: bool = True
    prevent: bool = False
    rule_sets: frozenset[str] | None = None
    overrides: dict[int, RuleOverride] = field(default_factory=dict)
    allow_applications: frozenset[str] = frozenset()
    deny_applications: frozenset[str] = frozenset()
    on_overload: str = "bypass"

    @property
    def plain(self) -> bool:
        """Tell whether every rule that is loaded counts as it is."""
        return self.rule_sets is None and not self.overrides

    def application_allowed(self, application: str) -> bool:
        """Tell whether a detected application may be used; an ``allow`` list excludes all others."""
        if application in self.deny_applications:
            return False
        return not self.allow_applications or application in self.allow_applications


@dataclass(frozen=True, slots=True)
class Guard:
    """What an interface may send at layer 2 beyond its own addresses; enforced at its port."""

    dhcp_server: bool = False  # answer DHCP requests, or relay them
    router: bool = False  # send router advertisements and redirects
    ethertypes: frozenset[int] = frozenset()  # beside IP, ARP, RARP and what firewall rules name


@dataclass(frozen=True, slots=True, eq=False)
class InterfacePolicy:
    """Everything a policy says for one interface; tables are shared by interfaces where equal."""

    name: str
    inbound: RuleTable
    outbound: RuleTable
    default: Verdict = Verdict.ACCEPT
    stateful: Stateful = Stateful()
    scan: Scan | None = None
    inspection: Inspection = Inspection()
    spoof_protection: bool = True
    fail_open: bool = False
    interface: VmInterface | None = None
    guard: Guard = Guard()

    @property
    def timed(self) -> bool:
        """Tell whether what the policy says depends on the time of day."""
        return self.inbound.timed or self.outbound.timed


# What policies of a packet's ends want of inspection: bits of :meth:`BoundPolicies.wishes`.
W_BOUND = 1  # an end has a policy
W_INSPECTED = 2  # an end has its traffic inspected
W_PREVENTS = 4  # an end has inspection drop what it finds
W_CONTROLS = 8  # an end restricts applications
W_INSISTS = 16  # an end has its traffic inspected also when packets come too fast
W_CLOSES = 32  # an end has a full queue drop its packets

_EMPTY: tuple[Rule, ...] = ()


def plain_policy(name: str, default: Verdict) -> InterfacePolicy:
    """Make a policy without rules."""
    return InterfacePolicy(
        name, build_table(_EMPTY, IN), build_table(_EMPTY, OUT), default, spoof_protection=False
    )


def _wishes(policy: InterfacePolicy) -> int:
    one = policy.inspection
    controls = one.allow_applications or one.deny_applications
    bits = W_BOUND | (W_INSPECTED if one.enabled else 0) | (W_PREVENTS if one.prevent else 0)
    insists = one.enabled and one.on_overload == "drop"
    bits |= (W_INSISTS if insists else 0) | (0 if policy.fail_open else W_CLOSES)
    return bits | (W_CONTROLS if controls else 0)


class BoundPolicies:
    """The policies in force. ``epoch`` grows with each change, so that old judgements are told apart."""

    __slots__ = (
        "_by_identity",
        "_interfaces",
        "_receivers",
        "_senders",
        "_wishes",
        "empty",
        "epoch",
        "identities",
        "plain",
        "policies",
        "scans",
        "strangers",
        "unknown",
    )

    def __init__(
        self,
        policies: tuple[InterfacePolicy, ...] = (),
        unknown: InterfacePolicy | None = None,
        epoch: int = 0,
    ) -> None:
        """Take one policy per interface, in the order of ``VmInterface.index``.

        ``unknown`` is for packets of which neither end is known; None lets them pass.
        """
        self.policies: tuple[InterfacePolicy, ...] = policies
        self.unknown: InterfacePolicy | None = unknown
        self.epoch: int = epoch
        self.empty: bool = not policies and unknown is None
        # No policy of an interface chooses among inspection rules.
        self.plain: bool = _plain(policies)
        self.scans: bool = _scans(policies, unknown)
        self._interfaces = tuple(one.interface for one in policies)
        self._wishes = bytes(_wishes(one) for one in policies)
        # The ends of packets at each interface, made when they are first asked for.
        self._senders: list[End | None] = [None] * len(policies)
        self._receivers: list[End | None] = [None] * len(policies)
        # What stands for both ends where neither is known.
        self.strangers: list[End] = [End(unknown, OUT), End(unknown, IN)] if unknown is not None else []
        # UUID and name of each interface: the same object as before where nobody came or went.
        self.identities: tuple[tuple[str, str], ...] = tuple(_identity(one) for one in policies)
        self._by_identity = {
            identity: index
            for index, identity in enumerate(self.identities)
            if policies[index].interface is not None
        }

    def following(
        self, policies: tuple[InterfacePolicy, ...], unknown: InterfacePolicy | None, epoch: int
    ) -> BoundPolicies:
        """Give other policies, made from these where only some differ: it costs what these cost."""
        places = _differing(self.policies, policies)
        if places is None or not _same_places(self.identities, policies, places):
            return BoundPolicies(policies, unknown, epoch)
        found = BoundPolicies((), unknown, epoch)
        found.policies, found.empty = policies, not policies and unknown is None
        found.plain, found.scans = _plain(policies), _scans(policies, unknown)
        found.identities, found._by_identity = self.identities, self._by_identity
        interfaces, wishes = list(self._interfaces), bytearray(self._wishes)
        found._senders, found._receivers = list(self._senders), list(self._receivers)
        for place in places:
            one = policies[place]
            interfaces[place], wishes[place] = one.interface, _wishes(one)
            found._senders[place] = found._receivers[place] = None
        found._interfaces, found._wishes = tuple(interfaces), bytes(wishes)
        return found

    def sender(self, index: int) -> End:
        """Give the end of packets that the interface at a place in :attr:`policies` sends."""
        end = self._senders[index]
        if end is None:
            end = self._senders[index] = End(self.policies[index], OUT)
        return end

    def receiver(self, index: int) -> End:
        """Give the end of packets that the interface at a place in :attr:`policies` gets."""
        end = self._receivers[index]
        if end is None:
            end = self._receivers[index] = End(self.policies[index], IN)
        return end

    def policy_of(self, interface: VmInterface | None) -> InterfacePolicy | None:
        """Give the policy of an interface, also when it comes from an older inventory; None if unknown."""
        index = self.index_of(interface)
        return None if index < 0 else self.policies[index]

    def index_of(self, interface: VmInterface | None) -> int:
        """Give the place of an interface's policy in :attr:`policies`; -1 if it has none."""
        if interface is None:
            return -1
        index = interface.index
        if 0 <= index < len(self._interfaces) and self._interfaces[index] is interface:
            return index
        return self._by_identity.get((interface.vm.uuid, interface.name), -1)

    def rule_index(self, interface: VmInterface | None) -> int:
        """Give the index under which rules know an interface, -1 for none."""
        index = self.index_of(interface)
        if index < 0:
            return -1
        known = self._interfaces[index]
        return known.index if known is not None else -1

    def wishes(self, one: VmInterface | None, other: VmInterface | None) -> int:
        """Say what the policies of two ends want together, in bits ``W_``; 0 where neither has one."""
        first, second = self.index_of(one), self.index_of(other)
        bits = self._wishes[first] if first >= 0 else 0
        return bits | self._wishes[second] if second >= 0 else bits


def _plain(policies: tuple[InterfacePolicy, ...]) -> bool:
    return all(one.inspection.plain for one in policies)


def _scans(policies: tuple[InterfacePolicy, ...], unknown: InterfacePolicy | None) -> bool:
    return any(one.scan for one in policies) or bool(unknown and unknown.scan)


def _identity(policy: InterfacePolicy) -> tuple[str, str]:
    """Give UUID and name of a policy's interface; without one the policy's name has to do."""
    one = policy.interface
    return (one.vm.uuid, one.name) if one is not None else ("", policy.name)


def _differing(before: tuple[InterfacePolicy, ...], now: tuple[InterfacePolicy, ...]) -> list[int] | None:
    """Give the places of what differs, None where there are more or fewer."""
    if len(before) != len(now):
        return None
    return [place for place, one in enumerate(now) if one is not before[place]]


def _same_places(
    identities: tuple[tuple[str, str], ...], policies: tuple[InterfacePolicy, ...], places: list[int]
) -> bool:
    return all(identities[place] == _identity(policies[place]) for place in places)


NO_POLICIES = BoundPolicies()
