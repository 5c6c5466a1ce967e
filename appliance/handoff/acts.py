"""What the actions of the table do, for an interface of the driver; each waits until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from appliance.handoff.contract import Hands, HandsError, Mail
from appliance.handoff.exchange import Exchange
from appliance.handoff.fsm import Action, Event, State
from appliance.handoff.machinery import Interface
from appliance.handoff.messages import Message
from appliance.handoff.store import NOBODY

if TYPE_CHECKING:
    from appliance.handoff.driver import Driver

_GRACE = 0.2  # seconds; a machine that leaves within them needs no copy beforehand
_OFTEN = 1.0  # seconds for which a copy is sent again rather than made anew


class Acts:
    """Carries out all actions but those that ask the store."""

    def __init__(self, driver: Driver, mail: Mail, hands: Hands, exchange: Exchange) -> None:
        """Act for ``driver``."""
        self._driver, self._mail, self._hands, self._exchange = driver, mail, hands, exchange
        self._known: dict[Action, Callable[[Interface], Awaitable[None]]] = {
            Action.CLOSE: self._close,
            Action.OPEN: self._open,
            Action.ASK_FOR_COPY: self._ask_for_copy,
            Action.ASK_FOR_STATE: self._ask_for_state,
            Action.GIVE_UP: self._give_up,
            Action.SEND_COPY: self._send_copy,
            Action.SEND_STATE: self._send_state,
            Action.SAY_NOT_YET: self._say_not_yet,
            Action.ADOPT: self._adopt,
            Action.DROP: self._drop,
        }

    async def do(self, action: Action, one: Interface) -> None:
        """Carry out one action."""
        await self._known[action](one)

    async def _close(self, one: Interface) -> None:
        self._driver.open.discard(one.identity)
        self._save()
        if one.identity in self._driver.here:
            await self._driver.apply()

    async def _open(self, one: Interface) -> None:
        if not one.machine.passes:
            return  # closed again before it was opened
        self._driver.open.add(one.identity)
        one.alone = False
        self._save()
        await self._driver.apply()
        if one.expecting or one.seized:
            took = self._driver.clock() - max(one.plugged, one.announced)
            await self._hands.taken(one.identity, seized=one.seized, took=took)
        one.expecting, one.seized = 0.0, False
        one.forget()

    def _save(self) -> None:
        self._hands.save(
            {one: self._driver.interfaces[one].machine.revision for one in sorted(self._driver.open)}
        )

    async def _ask_for_copy(self, one: Interface) -> None:
        self._say(one.owner, Message(Event.ASK_COPY, one.identity, _ident(one)))

    async def _ask_for_state(self, one: Interface) -> None:
        self._say(one.owner, Message(Event.ASK_STATE, one.identity, _ident(one)))

    async def _give_up(self, one: Interface) -> None:
        self._say(one.owner, Message(Event.ABORT, one.identity))

    async def _say_not_yet(self, one: Interface) -> None:
        self._say(one.peer, Message(Event.NOT_YET, one.identity))

    def _say(self, host: str, message: Message) -> None:
        if host not in {NOBODY, self._driver.host}:
            self._mail.tell(host, message)

    async def _send_copy(self, one: Interface) -> None:
        """Have a copy written beside other actions: what comes in the end must not wait for it."""
        if not one.copying:
            one.copying = True
            self._driver.start(lambda: self._copy(one))

    async def _copy(self, one: Interface) -> None:
        try:
            await asyncio.sleep(_GRACE)
            if one.machine.state is State.OFFERING:
                await self._write_copy(one)
        except HandsError:
            self._driver.counts["failed"] += 1
        finally:
            one.copying = False
        self._driver.go_on(one)

    async def _write_copy(self, one: Interface) -> None:
        sent, now = one.sent.get(False), self._driver.clock()
        if sent is None or sent.to != one.peer or now - sent.at > _OFTEN:
            sent = await self._exchange.write(one, now, final=False)
        if one.machine.state is State.OFFERING:
            self._say(one.peer, Message(Event.COPY, one.identity, header=sent.header))

    async def _send_state(self, one: Interface) -> None:
        sent = one.sent.get(True)
        if sent is None or sent.to != one.peer or sent.base not in {"", one.known}:
            sent = await self._exchange.write_final(one, self._driver.clock())
            self._driver.reports.offered(one, sent)
        header = replace(sent.header, revision=one.machine.revision)
        if one.machine.state in {State.GIVEN, State.GIVEN_AWAY}:
            self._say(one.peer, Message(Event.STATE, one.identity, header=header))

    async def _adopt(self, one: Interface) -> None:
        came = one.state
        if came is not None:
            await self._hands.adopt(came.header, list(came.entries.values()))
        self._driver.feed(one, Event.ADOPTED)

    async def _drop(self, one: Interface) -> None:
        one.forget()
        await self._hands.drop(one.identity)


def _ident(one: Interface) -> str:
    return one.copy.header.ident if one.copy is not None else ""
