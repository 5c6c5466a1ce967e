"""What somebody who knows more tells the driver: machines stand still, go on, or their host is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.handoff.fsm import PLUGGED_IN, Event
from appliance.handoff.machinery import Interface
from appliance.handoff.store import Identity

if TYPE_CHECKING:
    from appliance.handoff.driver import Driver

_DEAD_FOR = 120.0  # seconds for which word of a dead host counts
_MOST_DEAD = 65_536


class Orders:
    """Orders of an operator and words of a hypervisor, for the interfaces of ``driver``."""

    def __init__(self, driver: Driver) -> None:
        """Give orders to ``driver``."""
        self._driver = driver
        self._dead: dict[str, tuple[str, float]] = {}  # machines whose host has died: which, until when

    def freeze(self, identity: Identity) -> None:
        """Stop an interface here, since its machine stops."""
        if identity in self._driver.interfaces:
            self._driver.feed(self._driver.interfaces[identity], Event.FREEZE)

    def thaw(self, identity: Identity) -> None:
        """Let it go on."""
        if identity in self._driver.interfaces:
            self._driver.feed(self._driver.interfaces[identity], Event.THAW)

    def died(self, uuid: str, host: str) -> None:
        """Take what a dead host owns of a machine; also when it is plugged in here a little later."""
        if len(self._dead) >= _MOST_DEAD:
            self._dead.clear()
        self._dead[uuid] = (host, self._driver.clock() + _DEAD_FOR)
        for identity, one in list(self._driver.interfaces.items()):
            if identity[0] == uuid:
                self.rob_the_dead(one)

    def rob_the_dead(self, one: Interface) -> None:
        """Take an interface if its owner was said to be dead lately."""
        host, until = self._dead.get(one.identity[0], ("", 0.0))
        if host and host == one.owner and self._driver.clock() < until:
            self.take(one.identity)

    def take(self, identity: Identity) -> bool:
        """Take an interface whose owner is dead; tells whether there is anything to take."""
        one = self._driver.interfaces.get(identity)
        if one is None or one.machine.state not in PLUGGED_IN or one.machine.passes:
            return False
        before = one.machine.attempt
        self._driver.feed(one, Event.TAKE)
        if one.machine.attempt == before:
            return False
        one.seized = True
        return True
