"""What may be asked of the running appliance about interfaces that move (``eastwall handoff``)."""

from __future__ import annotations

import asyncio
from typing import Any

from appliance.daemon.live.carrying import CarryError
from appliance.daemon.live.channel import Message
from appliance.daemon.live.moves import Identity
from appliance.daemon.live.quarantine import find_vm
from appliance.daemon.live.supervisor import Supervisor
from appliance.daemon.live.transfer import TransferError, read_parts, write_parts


class MoveError(Exception):
    """The request cannot be carried out; the message is for whoever asked."""


class MoveCommands:
    """Answers ``handoff`` requests; ``action`` says which."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Speak for ``supervisor``."""
        self._supervisor = supervisor
        self._actions = {
            "export": self._export,
            "import": self._import,
            "open": self._open,
            "take": self._take,
            "status": self._status,
        }

    async def answer(self, request: Message, fds: list[int]) -> Any:
        """Carry out one request.

        Raises:
            MoveError: it cannot be carried out.
        """
        action = self._actions.get(str(request.get("action", "")))
        if action is None:
            raise MoveError(f"unknown action; known: {', '.join(self._actions)}")
        try:
            return await action(request, fds)
        except (CarryError, TransferError, OSError) as error:
            raise MoveError(str(error)) from error

    async def _export(self, request: Message, fds: list[int]) -> Any:
        """Close a machine's interfaces and write their state to the file that came along."""
        self._by_file()
        handover, wanted = self._supervisor.handover, self._interfaces(request)
        if len(fds) != 1:
            raise MoveError("an export needs one file to write to")
        parts = []
        try:
            for identity in wanted:
                parts.append(await handover.give(identity))  # noqa: PERF401 - those before have to be known
            await asyncio.to_thread(write_parts, fds[0], parts)
        except BaseException:
            for identity in wanted:
                await handover.open(identity)
            raise
        for identity in wanted:
            await handover.given(identity)
        return {"interfaces": [_told(header.name, header.entries, header.lost) for header, _ in parts]}

    async def _import(self, request: Message, fds: list[int]) -> Any:
        """Take in what was exported elsewhere: at once, or as soon as the interface is plugged in."""
        del request
        self._by_file()
        if len(fds) != 1:
            raise MoveError("an import needs one file to read from")
        handover = self._supervisor.handover
        parts = await asyncio.to_thread(read_parts, fds[0])
        known = {(one.vm.uuid, one.name) for one in self._supervisor.intent.inventory.interfaces}
        for header, _ in parts:
            if (header.uuid, header.name) not in known:
                raise MoveError(f"{header.uuid}/{header.name} is not in the inventory of this host")
        for header, entries in parts:
            handover.expect(header, entries)
        await self._supervisor.look()
        return {"interfaces": [_told(header.name, header.entries, header.lost) for header, _ in parts]}

    async def _open(self, request: Message, fds: list[int]) -> Any:
        """Let a machine pass here again that was closed by an export."""
        del fds
        opened = [one for one in self._interfaces(request) if await self._supervisor.handover.open(one)]
        return {"interfaces": [name for _, name in opened]}

    def _by_file(self) -> None:
        if self._supervisor.ownership is not None:
            raise MoveError(
                "hosts of a cluster move machines by themselves; files are for hosts that are alone"
            )

    async def _take(self, request: Message, fds: list[int]) -> Any:
        """Take a machine's interfaces whose owner is dead; ``interface`` names one of them."""
        del fds
        ownership = self._supervisor.ownership
        if ownership is None:
            raise MoveError("this host is alone: the appliance file has no `cluster`")
        name = str(request.get("interface", ""))
        wanted = [one for one in self._interfaces(request) if name in {"", one[1]}]
        taken = [one for one in wanted if ownership.driver.orders.take(one)]
        if not taken:
            raise MoveError("there is nothing to take: it passes here already, or has no such interface")
        return {"interfaces": [one for _, one in taken]}

    async def _status(self, request: Message, fds: list[int]) -> Any:
        del request, fds
        ownership = self._supervisor.ownership
        cluster = ownership.status() if ownership is not None else None
        return self._supervisor.handover.status() | {"cluster": cluster}

    def _interfaces(self, request: Message) -> list[Identity]:
        name = str(request.get("vm", ""))
        inventory = self._supervisor.intent.inventory
        vm = find_vm(inventory, name)
        if vm is None:
            raise MoveError(f"no machine with the name or UUID {name!r} is in the inventory")
        located = self._supervisor.handover.located
        found = [(one.vm.uuid, one.name) for one in inventory.interfaces if one.vm.uuid == vm.uuid]
        here = [identity for identity in found if identity in located]
        if not here:
            raise MoveError(f"no interface of {name} is plugged in on this host")
        return here


def _told(name: str, entries: int, lost: int) -> dict[str, Any]:
    return {"name": name, "entries": entries, "lost": lost}
