"""The way to other hosts and to the store: one connection to NATS at a time, begun anew whenever it ends.

Nothing here is waited for by what passes traffic. Whatever a server does, requests end within seconds, queues
are bounded, and a connection that says nothing is given up. Each connection begins with all records, so that
nothing is missed between two of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from typing_extensions import override

from appliance.handoff.credentials import Access
from appliance.handoff.lease import EXPECTED
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.peers import Peers
from appliance.handoff.session import Receiver, Session
from appliance.handoff.store import Found, Identity, Record, StoreError

_CONNECT = 3.0
_PINGS: dict[str, Any] = {"ping_interval": 2, "max_outstanding_pings": 2}
_PAUSE = (0.2, 3.0)  # seconds between attempts, growing
_OUTBOX = 4096
_CLOSING = 2.0
_AGAIN = 0.5


class SafeClient(Client):
    """Speaks TLS where it was told to, also when the server does not ask for it."""

    @override
    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and self.options.get("tls") is not None and not info.get("tls_required"):
            raise NatsError("nats: the server does not speak TLS")
        await super()._process_info(info, initial_connection)


@dataclass(slots=True)
class Told:
    """What status and records show of the link."""

    server: str = ""
    since: float = 0.0
    connections: int = 0
    problem: str = ""
    counts: Counter[str] = field(default_factory=Counter)


class Link:
    """Implements :class:`Store` and :class:`Mail`. Its methods may be called at any time."""

    def __init__(
        self,
        access: Access,
        receiver: Receiver,
        note: Callable[..., None],
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        """Connect as ``access`` says, and tell ``receiver`` what comes.

        Args:
            access: Servers and credentials.
            receiver: Takes records and messages.
            note: Writes a record of something that has happened.
            describe: Gives what this host says of itself to others.
        """
        self._access, self._receiver, self._note, self._describe = access, receiver, note, describe
        self.host = access.document.name
        self.told = Told()
        self.peers = Peers()
        self._session: Session | None = None
        self._outbox: asyncio.Queue[tuple[str, Message]] = asyncio.Queue(_OUTBOX)

    @property
    def connected(self) -> bool:
        """Tell whether the store can be asked."""
        return self._session is not None

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        tries = 0
        servers = list(self._access.document.servers)
        random.shuffle(servers)
        while True:
            began = time.monotonic()
            problem = await _to_its_end(self._once(servers[tries % len(servers)]))
            if self._session is not None:
                self._session = None
                self._note("cluster.disconnected", server=self.told.server, why=problem)
            elif problem != self.told.problem:
                self._note("cluster.unreachable", why=problem)
            self.told.problem, self.told.server = problem, ""
            tries = tries + 1 if time.monotonic() - began < _PAUSE[1] else 1
            pause = min(_PAUSE[1], _PAUSE[0] * 2 ** min(tries // len(servers), 5))
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads hosts, nothing more

    async def _once(self, server: str) -> str:
        """Connect to a server and serve until it ends; gives why it did."""
        client, over = SafeClient(), asyncio.Event()
        why = ["the connection was closed"]

        async def closed() -> None:
            over.set()

        async def failed(error: Exception) -> None:
            self.told.counts["errors"] += 1
            why[0] = f"{type(error).__name__}: {error}"[:200]

        try:
            async with asyncio.timeout(2 * _CONNECT):
                await self._connect(client, server, closed, failed)
            session = Session(client, self._access.document, self._receiver, self.peers, self.told.counts)
            await session.serve(over, self._describe, self._outbox, lambda: self._began(session, server))
        except EXPECTED as error:
            return why[0] if over.is_set() else _said(error)
        finally:
            await _close(client)
        return why[0]

    async def _connect(self, client: Client, server: str, closed: Any, failed: Any) -> None:
        options = await asyncio.to_thread(self._access.options)
        await client.connect(
            servers=[server], name=self.host, allow_reconnect=False, connect_timeout=int(_CONNECT),
            closed_cb=closed, error_cb=failed, inbox_prefix=f"_INBOX.{self.host}", **_PINGS, **options,
        )  # fmt: skip

    def _began(self, session: Session, server: str) -> None:
        self._session = session
        self.told.server, self.told.since, self.told.problem = server, time.time_ns(), ""
        self.told.connections += 1
        self._note("cluster.connected", server=server)
        self._receiver.connected()

    def _live(self) -> Session:
        if self._session is None:
            raise StoreError("not connected")
        return self._session

    async def read(self, identity: Identity) -> Found:
        """Give an ownership record."""
        return await self._live().read(identity)

    async def write(self, record: Record, last: int) -> int:
        """Write an ownership record over revision ``last``."""
        return await self._live().write(record, last)

    def tell(self, host: str, message: Message) -> None:
        """Say something to a host."""
        if self._session is None or self._outbox.full():
            self.told.counts["unsent"] += 1
        else:
            self._outbox.put_nowait((host, message))

    async def fetch(self, host: str, wanted: Wanted) -> bytes:
        """Get a piece from a host."""
        return await self._live().fetch(host, wanted)

    def alive(self, host: str) -> bool:
        """Tell whether a host was heard of lately; also true while we hear of nobody."""
        return self._session is None or self.peers.alive(host, time.monotonic())

    def status(self) -> dict[str, Any]:
        """Describe the link as plain values."""
        told = self.told
        return {
            "name": self.host,
            "connected": self.connected,
            "server": told.server,
            "connections": told.connections,
            "problem": told.problem,
            "counts": dict(told.counts),
            "hosts": self.peers.listed(time.monotonic()),
        }


async def _to_its_end(work: Coroutine[Any, Any, str]) -> str:
    """Wait for a connection's end; told to stop, tell it until it has: the library may lose being told."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_AGAIN)
    return task.result()


def _said(error: Exception) -> str:
    """Give an error as text; the first one of several."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:200]


async def _close(client: Client) -> None:
    """Close, whatever state the connection is in; one that was never complete too."""
    with contextlib.suppress(*EXPECTED):
        async with asyncio.timeout(_CLOSING):
            await client.close()
    transport = getattr(client, "_transport", None)
    if transport is not None:
        with contextlib.suppress(*EXPECTED):
            transport.close()


__all__: Sequence[str] = ("Link", "SafeClient")
