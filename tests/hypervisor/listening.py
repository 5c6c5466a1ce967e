"""A provider's process and what it has said, for tests that wait until something is so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from appliance.hypervisor.intake import Intake, Taken
from appliance.hypervisor.process import Provider
from appliance.inventory.events import VmEvent
from appliance.inventory.machines import Machine

PATIENCE = 60.0


class Listener:
    """Takes what a provider says."""

    def __init__(self, options: dict[str, Any], known: dict[str, Machine] | None = None, **more: Any) -> None:
        """Make the provider; nothing runs yet."""
        self.hints: list[VmEvent] = []
        self.gone: list[str] = []
        self.errors: list[str] = []
        self._changed = asyncio.Event()
        intake = Intake("tested", known or {})
        self.provider = Provider("tested", options, self._took, intake, **more)

    def _took(self, provider: Provider, taken: Taken) -> None:
        del provider
        self.hints += taken.hints
        self.errors += taken.errors
        self.gone += [uuid for uuid, machine in taken.changes.items() if machine is None]
        self._changed.set()

    @property
    def view(self) -> dict[str, Machine]:
        """What it has said, by the machines' names."""
        return {machine.label: machine for machine in self.provider.intake.view.values()}

    async def until(self, condition: Callable[[], Any], what: str = "what the test waits for") -> Any:
        """Wait until something holds."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := condition()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            state = self.provider.status()
            raise AssertionError(f"no {what}; {state}; {self.view}") from None
        return found

    async def connected(self) -> None:
        """Wait until everything has been said."""
        await self.until(lambda: self.provider.connected, "connection")


@contextlib.asynccontextmanager
async def listening(options: dict[str, Any], **more: Any) -> AsyncIterator[Listener]:
    """Run a provider."""
    listener = Listener(options, **more)
    task = asyncio.ensure_future(listener.provider.run())
    try:
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
