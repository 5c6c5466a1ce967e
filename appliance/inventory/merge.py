"""Several providers' words on the same machines made one, and what they contradict each other in.

Providers have ranks: of two that state a field, the one ranked first counts, and if they differ it is told. A
provider that is gone, hangs or sends nonsense is not asked: its last good answer stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.inventory.machines import MAX_MACHINES, MAX_NICS, Machine, Nic

_PLAIN = ("name", "os", "tags")
_PLACE = ("power", "host", "here")  # they change all the time, so that two may well differ for a moment
_NIC = ("network", "vlan", "addresses", "tags", "port")
_MAX_TOLD = 100


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """Two providers differ about a machine, or two machines claim the same."""

    uuid: str
    what: str


class Merger:
    """The merged view of all providers. ``ranked`` names them, weightiest first; ``quiet`` ones may differ.

    An operator's file is there to correct others, so what it overrules is no conflict.
    """

    def __init__(self, ranked: Sequence[str], quiet: Iterable[str] = ()) -> None:
        """Start with nothing known."""
        self.machines: dict[str, Machine] = {}
        self.refused = 0
        self._quiet = frozenset(quiet)
        self._views: dict[str, dict[str, Machine]] = {name: {} for name in ranked}
        self._conflicts: dict[str, tuple[Conflict, ...]] = {}
        self._claims: Counter[tuple[bytes, str, int | None]] = Counter()

    def view(self, provider: str) -> Mapping[str, Machine]:
        """Give what a provider said last."""
        return self._views[provider]

    def replace(self, provider: str, view: Mapping[str, Machine]) -> dict[str, Machine | None]:
        """Put a whole view in the place of the one before; gives the merged machines that differ now."""
        gone = dict.fromkeys(self._views[provider].keys() - view.keys())
        return self.update(provider, {**gone, **view})

    def update(self, provider: str, changes: Mapping[str, Machine | None]) -> dict[str, Machine | None]:
        """Take what changed of a provider's machines, None for those gone; gives the merged ones that differ.

        Beyond the bound new machines are refused, and counted: their interfaces stay unknown.
        """
        known, found = self._views[provider], {}
        for uuid, machine in changes.items():
            if machine is None:
                known.pop(uuid, None)
            elif uuid in known or len(known) < MAX_MACHINES:
                known[uuid] = machine
            else:
                self.refused += 1
            before = self.machines.get(uuid)
            after = self._merge(uuid)
            if after != before:
                found[uuid] = after
        return found

    def _merge(self, uuid: str) -> Machine | None:
        said = [(name, view[uuid]) for name, view in self._views.items() if uuid in view]
        before = self.machines.get(uuid)
        if before is None and said and len(self.machines) >= MAX_MACHINES:
            self.refused += 1
            return None
        merged, differing = combine(said, self._quiet)
        if differing:
            self._conflicts[uuid] = tuple(differing)
        else:
            self._conflicts.pop(uuid, None)
        self._note(before, -1)
        if merged is None:
            self.machines.pop(uuid, None)
        elif merged != before:
            self.machines[uuid] = merged
        self._note(self.machines.get(uuid), 1)
        return self.machines.get(uuid)

    def _note(self, machine: Machine | None, by: int) -> None:
        for nic in machine.nics if machine is not None else ():
            key = (nic.mac, nic.network or "", nic.vlan)
            self._claims[key] += by
            if not self._claims[key]:
                del self._claims[key]

    def conflicts(self) -> list[Conflict]:
        """Give what providers contradict each other in, and MACs that are claimed twice in one network."""
        found = [one for many in self._conflicts.values() for one in many]
        twice = {key for key, count in self._claims.items() if count > 1}
        if twice:
            for uuid, machine in self.machines.items():
                claimed = [nic for nic in machine.nics if (nic.mac, nic.network or "", nic.vlan) in twice]
                found += [Conflict(uuid, f"MAC {nic.mac.hex(':')} is not the only one") for nic in claimed]
        return sorted(found)[:_MAX_TOLD]


def combine(
    said: Sequence[tuple[str, Machine]], quiet: frozenset[str] = frozenset()
) -> tuple[Machine | None, list[Conflict]]:
    """Merge what providers say of one machine, weightiest first; gives it with what they differ in."""
    if not said:
        return None, []
    first, conflicts = said[0][1], []
    if len(said) == 1:
        return replace(first, nics=first.nics[:MAX_NICS]), []
    chosen = {name: _stated(getattr(one, name) for _, one in said) for name in (*_PLAIN, *_PLACE)}
    heard = [(source, one) for source, one in said if source not in quiet]
    conflicts += [
        Conflict(first.uuid, f"providers differ in its {name}")
        for name in _PLAIN
        if _differ(getattr(one, name) for _, one in heard)
    ]
    nics: list[Nic] = []
    for source, one in said:
        differing = _add(nics, one.nics)
        if source not in quiet:
            conflicts += [Conflict(first.uuid, f"providers differ in {what}") for what in differing]
    return Machine(first.uuid, nics=tuple(nics[:MAX_NICS]), **chosen), conflicts  # type: ignore[arg-type]


def _add(known: list[Nic], more: Sequence[Nic]) -> list[str]:
    """Add what a further provider says of interfaces; tells what it contradicts."""
    free, differing = set(range(len(known))), []
    places: dict[int, int] = {}
    for same in (_exact, _near):  # who is meant for sure goes first
        for number, nic in enumerate(more):
            found = [p for p in sorted(free) if number not in places and same(known[p], nic)]
            if len(found) == 1:
                places[number] = found[0]
                free.discard(found[0])
    for number, nic in enumerate(more):
        place = places.get(number)
        if place is None:
            known.append(_renamed(nic, known))
        else:
            known[place], fields = _overlay(known[place], nic)
            differing += [f"{name} of {known[place].name}" for name in fields]
    return differing


def _stated(values: Iterable[object]) -> object:
    return next((value for value in values if value is not None), None)


def _differ(values: Iterable[object]) -> bool:
    return len({value for value in values if value is not None}) > 1


def _exact(one: Nic, other: Nic) -> bool:
    return _near(one, other) and _agree(one.network, other.network) and _agree(one.vlan, other.vlan)


def _near(one: Nic, other: Nic) -> bool:
    return one.mac == other.mac


def _agree(one: object, other: object) -> bool:
    return one is None or other is None or one == other


def _overlay(upper: Nic, lower: Nic) -> tuple[Nic, list[str]]:
    """Fill in what ``upper`` does not say; names the fields in which both say something else."""
    values = {name: _stated((getattr(upper, name), getattr(lower, name))) for name in _NIC}
    differs = [name for name in _NIC if _differ((getattr(upper, name), getattr(lower, name)))]
    return replace(upper, **values), differs  # type: ignore[arg-type]


def _renamed(nic: Nic, known: list[Nic]) -> Nic:
    """Give an interface a name of its own within its machine."""
    names = {one.name for one in known}
    if nic.name not in names:
        return nic
    return replace(nic, name=f"{nic.name} {nic.mac.hex(':')}"[:255])
