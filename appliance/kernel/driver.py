"""Brings the kernel into a state, in an order in which every step on the way is safe.

The nft tables come first: in the state with xtables they let no IP packet leave that the xtables rules
did not see, so that nothing passes uninspected while those are not there yet, or not any more. Where they are
there they come first: they hold the epoch, and a port that opens must not let through what the epoch before
has settled without it.
Nothing that is here needs this process: when it dies, the kernel goes on as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from typing_extensions import override

from appliance.kernel import links, nftables, sysctls
from appliance.kernel.base import Adopted, Counts, Drift, Driver, KernelError, Seen
from appliance.kernel.iptables import COUNTED, Xtables, flavour
from appliance.kernel.namespace import run_in
from appliance.kernel.options import Datapath
from appliance.kernel.state import KernelState, NftTable, XtTable

ResultT = TypeVar("ResultT")
_UNKNOWN = -1
_SHARED = (
    "blocked",
    "settled",
    "bare_ack",
    "queued_closed",
    "queued_open",
    "limit_new",
    "limit_packets",
    "limit_group",
)


class KernelDriver(Driver):
    """The driver of both datapaths, for one network namespace."""

    def __init__(self, namespace: str | None = None) -> None:
        """Work in ``namespace``: a name as of ``ip netns``, the path of a file, or None for our own."""
        self._namespace = namespace
        self._state: KernelState | None = None
        self._tables: tuple[NftTable, ...] | None = None
        self._generation = 0
        self._listing = ""
        self._xtables: dict[tuple[int, str], tuple[str, ...]] = {}
        self._before: dict[str, int] = {}
        self._past: dict[str, Counts] = {}
        self._tools: Xtables | None = None

    def _inside(self, function: Callable[[], ResultT]) -> ResultT:
        return run_in(self._namespace, function)

    @override
    def adopt(self) -> Adopted | None:
        return self._inside(nftables.adopt)

    @override
    def apply(self, state: KernelState) -> bool:
        if state == self._state:
            return False
        self._inside(lambda: self._apply(state))
        return True

    def _apply(self, state: KernelState) -> None:
        old, self._state = self._state, None
        known = old.xtables if old is not None else ()
        changed = [one for one in state.xtables if one not in known]
        for one in changed if known else ():
            self._restore(one)
        self._apply_nft(state)
        for one in changed if not known else ():
            self._restore(one)
        for one in changed:  # not before ports may open: it takes as long as the restoring
            self._note(one)
        if not state.xtables and (old is None or known):
            self._remove_xtables()
        self._before = sysctls.apply(state.sysctls) | self._before
        if old is None or old.ports != state.ports:
            before = {one.name for one in old.ports} if old is not None else set()
            links.release(before - {one.name for one in state.ports})
            links.apply(state.ports)
        self._state = state

    def _apply_nft(self, state: KernelState) -> None:
        tables = nftables.noted(state)
        before = nftables.generation()
        nftables.apply(self._tables, tables)
        self._tables = tables
        self._generation = nftables.generation()
        if self._generation > before + 1:  # somebody else changed something, too: look closely next time
            self._generation = _UNKNOWN
        self._listing = ""

    def _tool(self) -> Xtables:
        if self._tools is None:
            legacy = flavour()
            if legacy is None:
                raise KernelError("neither iptables-legacy nor iptables-nft works here: see `iptables -S`")
            self._tools = Xtables(legacy)
        return self._tools

    def _restore(self, one: XtTable) -> None:
        """Restore one table; its rules count from 0 again, so that what they counted is kept here."""
        place = one.family, one.name
        known = self._generation == nftables.generation()
        self._xtables.pop(place, None)
        counted = self._tool().restore(one)
        if place in COUNTED:
            self._past = _sum(self._past, counted)
        if known:
            self._generation = nftables.generation()  # a table of iptables-nft is a transaction of nft

    def _note(self, one: XtTable) -> None:
        """Note how a restored table looks, to see when somebody has changed it."""
        self._xtables[one.family, one.name] = self._tool().ours(one.family, one.name)

    def _remove_xtables(self) -> None:
        self._xtables.clear()
        if flavour() is not None:
            self._tool().remove()

    @override
    def audit(self) -> list[Drift]:
        state = self._state
        return [] if state is None else self._inside(lambda: self._audit(state))

    def _audit(self, state: KernelState) -> list[Drift]:
        found = self._audit_nft(state) + self._audit_xtables(state)
        for one in sysctls.wrong(state.sysctls):
            if sysctls.read(one.key) is not None or one.required:
                found.append(Drift(f"sysctl {one.key.replace('/', '.')}", sysctls.write(one)))
        found += [Drift(f"bridge port {name}") for name in links.apply(state.ports)]
        return found

    def _audit_nft(self, state: KernelState) -> list[Drift]:
        """Compare listings only where somebody has changed something since the last look."""
        now = nftables.generation()
        tables = self._tables or ()
        if now == self._generation:
            self._listing = self._listing or nftables.listing(tables)
            return []
        if self._listing and nftables.listing(tables) == self._listing:
            self._generation = now
            return []
        self._tables = None
        self._apply_nft(state)
        return [Drift("nft tables")]

    def _audit_xtables(self, state: KernelState) -> list[Drift]:
        drifts = []
        for one in state.xtables:
            place = (one.family, one.name)
            if self._tool().ours(*place) != self._xtables.get(place):
                self._restore(one)
                self._note(one)
                drifts.append(Drift(f"{'ip' if one.family == 4 else 'ip6'}tables {one.name}"))
        return drifts

    @override
    def sweep(self) -> None:
        self._inside(self._sweep)

    def _sweep(self) -> None:
        """Take things away in the opposite order, so that nothing passes that is not guarded."""
        names = {one.name for one in self._state.ports} if self._state is not None else set()
        names |= nftables.ports()
        if flavour() is not None:
            self._tool().remove()
        nftables.remove()
        links.release(names)
        sysctls.restore(self._before)
        self._state, self._tables, self._listing = None, None, ""
        self._xtables, self._before, self._past = {}, {}, {}

    @override
    def counters(self) -> dict[str, Counts]:
        return self._inside(self._counters)

    def _counters(self) -> dict[str, Counts]:
        state = self._state
        found = {name: Counts() for name in _SHARED}
        if state is None:
            return found
        found |= nftables.counters(state.nft, {one.number: one.name for one in state.places})
        if state.datapath is Datapath.XTABLES:
            found |= _sum(self._past, self._tool().counters())
        return found

    @override
    def seen(self) -> list[Seen]:
        return self._inside(nftables.seen)


def _sum(one: dict[str, Counts], other: dict[str, Counts]) -> dict[str, Counts]:
    total = {name: Counts(count.packets, count.bytes) for name, count in one.items()}
    for name, count in other.items():
        into = total.setdefault(name, Counts())
        into.packets += count.packets
        into.bytes += count.bytes
    return total
