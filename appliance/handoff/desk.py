"""Reads and writes ownership records for the driver: one task at a time for an interface."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from appliance.handoff.fsm import Action, Event
from appliance.handoff.machinery import Interface, Todo
from appliance.handoff.store import NOBODY, Found, LostError, Record, Store, StoreError

_AT_ONCE = 64  # requests under way
_TRIES = 3

Answer = Callable[[Interface, Event, int, int], None]  # interface, what came of it, attempt, revision


class Desk:
    """Carries out ``CLAIM``, ``SEIZE``, ``TAKE_OVER`` and ``RELEASE``."""

    def __init__(self, host: str, store: Store, answer: Answer, clock: Callable[[], int]) -> None:
        """Write for ``host``; ``clock`` gives ns since the epoch."""
        self._host = host
        self._store = store
        self._answer = answer
        self._clock = clock
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def work(self, one: Interface) -> None:
        """Carry out what is wanted for an interface; a newer request takes the place of an unread one."""
        try:
            while one.request is not None:
                async with self._room:
                    request, one.request = one.request, None
                    await self._carry_out(one, request)
        finally:
            one.storing = False

    async def _carry_out(self, one: Interface, request: Todo) -> None:
        try:
            revision = await self._write(one, request)
        except LostError:
            self._say(one, request, Event.LOST)
        except StoreError:
            self._say(one, request, Event.NO_STORE)
        else:
            if revision:
                self._say(one, request, Event.WON, revision)

    def _say(self, one: Interface, request: Todo, event: Event, revision: int = 0) -> None:
        if request.action is not Action.RELEASE:
            self._answer(one, event, request.attempt, revision)

    async def _write(self, one: Interface, request: Todo) -> int:
        """Give the revision that was written; 0 where the request was replaced or has nothing to do.

        Raises:
            LostError: the record is another's, or has changed.
            StoreError: nobody knows.
        """
        if request.action is Action.TAKE_OVER:
            return await self._put(one, self._host, request.promised)
        host = NOBODY if request.action is Action.RELEASE else self._host
        for _ in range(_TRIES):
            found = await self._store.read(one.identity)
            if one.request is not None:
                return 0
            self._check(one, request.action, found)
            with contextlib.suppress(LostError):  # somebody has written meanwhile: look again
                return await self._put(one, host, found.revision)
        raise LostError

    def _check(self, one: Interface, action: Action, found: Found) -> None:
        """Make sure that a record may be written over.

        Raises:
            LostError: it is another's.
            StoreError: nobody can say whose it is.
        """
        if found.odd and action is not Action.SEIZE and not one.machine.passes:
            raise StoreError("a record that makes no sense; its owner, if there is one, writes it anew")
        if not self._may(one, action, found):
            one.owner = found.host
            raise LostError

    async def _put(self, one: Interface, host: str, last: int) -> int:
        at = self._clock()
        revision = await self._store.write(Record(one.identity, host, at), last)
        one.wrote = at
        return revision

    def _may(self, one: Interface, action: Action, found: Found) -> bool:
        if action is Action.SEIZE or found.host == self._host:
            return True
        old = one.machine.passes and found.record is not None and found.record.at < one.wrote
        return action is Action.CLAIM and (found.host == NOBODY or old)
