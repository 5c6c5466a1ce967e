"""What the driver needs of the host it runs on, and of the way to other hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from appliance.handoff.codec import Entry, Header, Packed
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.store import Identity


class HandsError(Exception):
    """State could not be taken out or in."""


class Mail(Protocol):
    """Speaks to other hosts. What is said may get lost."""

    def tell(self, host: str, message: Message) -> None:
        """Say something to a host; nothing happens when it cannot be reached."""

    async def fetch(self, host: str, wanted: Wanted) -> bytes:
        """Get a piece of what a host has announced; raises :class:`StoreError` when it does not come."""

    def alive(self, host: str) -> bool:
        """Tell whether a host was heard of lately."""


class Hands(Protocol):
    """Does on this host what the table says."""

    async def apply(self) -> None:
        """Have workers and kernel know who may pass now."""

    async def collect(
        self, identity: Identity, known: frozenset[str], *, final: bool
    ) -> tuple[Header, Packed]:
        """Write down an interface's state; revision 0.

        Raises:
            HandsError: it could not be collected.
        """

    async def adopt(self, header: Header, entries: Sequence[Entry]) -> None:
        """Take state in; whatever fails, the interface will be under its policy."""

    async def taken(self, identity: Identity, *, seized: bool, took: float) -> None:
        """Note that an interface passes that was another host's.

        ``took`` is in seconds, since it and its state were there.
        """

    async def drop(self, identity: Identity) -> None:
        """Let go of an interface's flows."""

    def save(self, passing: Mapping[Identity, int]) -> None:
        """Keep over a restart who passes, and under which revision."""

    def note(self, name: str, **details: Any) -> None:
        """Record that something has happened."""
