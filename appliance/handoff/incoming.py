"""What other hosts say to the driver of this one: asked for, announced, fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.handoff.codec import Header
from appliance.handoff.exchange import Exchange
from appliance.handoff.fsm import Event, State
from appliance.handoff.machinery import Interface
from appliance.handoff.messages import WITH_HEADER, Message

if TYPE_CHECKING:
    from appliance.handoff.driver import Driver

MAX_INTERFACES = 65_536
_ASKS = frozenset((Event.ASK_COPY, Event.ASK_STATE))


class Incoming:
    """Turns what is said into events. Of an owner's words those count that the interface waits for."""

    def __init__(self, driver: Driver, exchange: Exchange) -> None:
        """Listen for ``driver``, fetch with ``exchange``."""
        self._driver, self._exchange = driver, exchange

    def said(self, sender: str, message: Message) -> None:
        """Take what another host has said."""
        event, one = message.event, self._driver.interfaces.get(message.identity)
        if event in _ASKS and one is None and len(self._driver.interfaces) < MAX_INTERFACES:
            one = self._driver.interface(message.identity)
        if one is None:
            self._driver.counts["ignored"] += 1
        elif event in _ASKS:
            one.peer, one.known = sender, message.known
            self._driver.feed(one, event)
        elif event is Event.ABORT and sender == one.peer:
            self._driver.feed(one, event)
        elif event in WITH_HEADER and message.header is not None and sender == one.owner:
            self._announced(one, event, message)
        elif event is Event.NOT_YET and sender == one.owner:
            self._driver.reports.not_yet(one, self._driver.clock())
        else:
            self._driver.counts["ignored"] += 1

    def _announced(self, one: Interface, event: Event, message: Message) -> None:
        """Fetch what the owner has announced, unless it has come already."""
        header = message.header
        wanted = {State.EXPECTING, State.CLAIMING, State.WAITING}
        if header is None or header.host != one.owner or one.machine.state not in wanted:
            self._driver.counts["ignored"] += 1
            return
        came = one.copy if event is Event.COPY else one.state
        if came is not None and came.header.ident == header.ident:
            came.header = header
            self._driver.feed(one, event, revision=header.revision)
        elif one.fetching != header.ident:
            one.announced = self._driver.clock() if event is Event.STATE else one.announced
            one.fetching = header.ident
            owner = one.owner
            self._driver.start(lambda: self._fetch(one, event, header, owner))

    async def _fetch(self, one: Interface, event: Event, header: Header, owner: str) -> None:
        came = await self._exchange.fetch(one, owner, header)
        if one.fetching != header.ident:
            return  # something newer is being fetched
        one.fetching = ""
        if came is None or one.owner != owner:
            self._driver.go_on(one)
            return
        if event is Event.COPY:
            one.copy = came
        else:
            one.state = came
        self._driver.feed(one, event, revision=header.revision)
