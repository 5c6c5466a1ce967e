"""Keeps the kernel as documents and places want it, and says what was not."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import Any

from appliance.daemon.live.files import Appliance
from appliance.daemon.live.intent import Intent
from appliance.daemon.live.places import Places
from appliance.kernel.base import Driver, KernelError
from appliance.kernel.driver import KernelDriver
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.plan import desired
from appliance.kernel.probe import choose, probe

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_AUDIT = 10 * _SECOND
_COUNT = 5 * _SECOND  # between two looks at counters: each takes six processes, 10 ms and more of one core
_WATCHED = 10 * _SECOND  # for so long after somebody has asked for them they are read with every tick
_MAX_TROUBLES = 100


class Keeper:
    """Owns the driver. Methods may take a while: call them in a thread, one at a time."""

    def __init__(self, appliance: Appliance) -> None:
        """Choose the datapath; nothing is changed.

        Raises:
            KernelError: the kernel lacks what every datapath needs; the message names it.
        """
        self.counters: dict[str, Any] = {}
        self.applied = False
        self.asked = 0  # when somebody asked for the counters last, in ns
        self._driver: Driver | None = None
        self._options: KernelOptions | None = None
        self._timed = False
        self._minute = 0
        self._audited = 0
        self._counted = 0
        self._troubles: deque[str] = deque(maxlen=_MAX_TROUBLES)
        if appliance.document.bridges:
            self._options = options_of(appliance)
            self._driver = KernelDriver()

    @property
    def datapath(self) -> str:
        """Name the datapath, "" where only taps are watched."""
        return self._options.datapath.value if self._options is not None else ""

    def apply(self, intent: Intent, places: Places, now: int) -> None:
        """Bring the kernel where documents and places want it. A failure is reported, and tried again."""
        if self._driver is None or self._options is None:
            self.applied = True
            return
        document = intent.appliance.document
        bridges = [bridge.name for bridge in document.bridges]
        state = desired(places.ports.ports, intent.bound, self._options, bridges, places.foreign, now)
        self._timed, self._minute = state.timed, now // _MINUTE
        try:
            self._driver.apply(state)
            self.applied = True
        except KernelError as error:
            self.applied = False
            self._troubles.append(str(error))

    def due(self, now: int) -> bool:
        """Tell whether the state has to be planned anew: it failed, or a schedule may have begun or ended."""
        return not self.applied or (self._timed and now // _MINUTE != self._minute)

    def seen(self) -> dict[str, frozenset[bytes]]:
        """Give the MACs that came in by ports which belong to nobody."""
        found: dict[str, set[bytes]] = {}
        try:
            for one in self._driver.seen() if self._driver is not None else ():
                found.setdefault(one.port, set()).add(one.mac)
        except KernelError as error:
            self._troubles.append(str(error))
        return {port: frozenset(macs) for port, macs in found.items()}

    def tick(self, now: int) -> None:
        """Read the kernel's counters, and look for what somebody else has changed, both when it is time."""
        if self._driver is None or not self.applied:
            return
        try:
            if now - self._counted >= _COUNT or now - self.asked < _WATCHED:
                self._counted = now
                self.counters = {name: asdict(counts) for name, counts in self._driver.counters().items()}
            if now - self._audited >= _AUDIT:
                self._audited = now
                self._troubles.extend(drift.what for drift in self._driver.audit())
        except KernelError as error:
            self._troubles.append(str(error))

    def troubles(self) -> list[str]:
        """Give what went wrong or was repaired since the last call."""
        found = list(self._troubles)
        self._troubles.clear()
        return found


def options_of(appliance: Appliance) -> KernelOptions:
    """Choose the datapath and fill in what the appliance file says.

    Raises:
        KernelError: the one that is asked for, or every one, cannot be had here.
    """
    document, capabilities = appliance.document, probe()
    wanted = None if document.datapath == "auto" else Datapath(document.datapath)
    return KernelOptions(
        datapath=choose(capabilities, wanted),
        queue_base=document.queues.first,
        workers=appliance.workers,
        new_rate=document.limits.new_connections,
        new_burst=document.limits.burst,
        packet_rate=document.limits.packets,
        packet_burst=document.limits.packets // 10,
        ibrname=capabilities.ibrname,
    )
