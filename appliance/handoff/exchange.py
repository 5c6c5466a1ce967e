"""State on its way between hosts: kept for whom it was announced to, fetched piece by piece."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterable

from appliance.handoff.codec import Assembler, BodyError, Header, Packed, pack, unpack
from appliance.handoff.contract import Hands, HandsError, Mail
from appliance.handoff.fsm import State
from appliance.handoff.machinery import Came, Interface, Sent
from appliance.handoff.messages import Wanted
from appliance.handoff.store import StoreError

_AT_ONCE = 2  # bodies that are being fetched; each may be large
_WINDOW = 4  # pieces asked for at a time
_TRIES = 3
_WRITING = 4
_COPIES = 2


class Exchange:
    """Writes and fetches bodies."""

    def __init__(self, host: str, mail: Mail, hands: Hands, counts: Counter[str]) -> None:
        """Fetch by ``mail``, write with ``hands`` on ``host``."""
        self._host = host
        self._mail, self._hands, self._counts = mail, hands, counts
        self._fetching = asyncio.Semaphore(_AT_ONCE)
        # Copies beforehand have room of their own, so that none holds up what comes in the end.
        self._room = {False: asyncio.Semaphore(_COPIES), True: asyncio.Semaphore(_WRITING)}

    async def write(self, one: Interface, now: float, *, final: bool) -> Sent:
        """Write an interface's state down for the host that has asked last.

        Raises:
            HandsError: it could not be collected.
        """
        to, known = one.peer, one.known
        earlier = one.sent.get(False)
        base = known if final and earlier is not None and earlier.header.ident == known else ""
        digests = earlier.packed.digests if base and earlier is not None else frozenset()
        async with self._room[final]:
            header, packed = await self._hands.collect(one.identity, digests, final=final)
        sent = Sent(header, packed, to, base, now)
        if final or one.machine.state is State.OFFERING:
            one.sent[final] = sent
        return sent

    async def write_final(self, one: Interface, now: float) -> Sent:
        """Write down what there is in the end; where that fails nothing, so that the other host may go on."""
        try:
            return await self.write(one, now, final=True)
        except HandsError as error:
            self._counts["failed"] += 1
            uuid_, name = one.identity
            self._hands.note("handoff.failed", uuid=uuid_, interface=name, to=one.peer, why=str(error))
            header, packed = nothing(self._host, one)
            one.sent[True] = Sent(header, packed, one.peer, "", now)
            return one.sent[True]

    def piece(self, interfaces: Iterable[Interface], sender: str, wanted: Wanted) -> bytes:
        """Give a piece to the host it was announced to; empty for anything else."""
        for one in interfaces:
            for sent in one.sent.values():
                if sent.header.ident == wanted.ident and sent.to == sender:
                    return sent.packed.piece(wanted.index)
        self._counts["ignored"] += 1
        return b""

    async def fetch(self, one: Interface, host: str, header: Header) -> Came | None:
        """Fetch a body whole; None where it does not come or cannot be read."""
        copy = one.copy
        known = copy.entries if copy is not None and header.final else {}
        async with self._fetching:
            if one.fetching != header.ident:
                return None
            try:
                body = await self._pieces(host, header)
                return Came(header, await asyncio.to_thread(unpack, header, body, known))
            except (StoreError, BodyError) as error:
                self._counts["unreadable" if isinstance(error, BodyError) else "cut off"] += 1
                if isinstance(error, BodyError):
                    one.copy = None  # ask for all of it next time
                return None

    async def _pieces(self, host: str, header: Header) -> bytes:
        assembler = Assembler(header)
        for _ in range(_TRIES):
            missing = assembler.missing()
            for place in range(0, len(missing), _WINDOW):
                window = missing[place : place + _WINDOW]
                asked = (self._piece(host, header, index) for index in window)
                for index, piece in zip(window, await asyncio.gather(*asked), strict=True):
                    assembler.take(index, piece)
            if not assembler.missing():
                return assembler.body()
        raise StoreError("pieces did not come")

    async def _piece(self, host: str, header: Header, index: int) -> bytes:
        try:
            return await self._mail.fetch(host, Wanted(header.ident, index))
        except StoreError:
            return b""


def nothing(host: str, one: Interface) -> tuple[Header, Packed]:
    """Give the state of an interface of which nothing is known."""
    packed = pack(())
    uuid_, name = one.identity
    size, digest = len(packed.body), packed.digest
    at = time.time_ns()
    header = Header(uuid.uuid4().hex, host, uuid_, name, True, 0, False, at, 0, 0, size, digest)
    return header, packed
