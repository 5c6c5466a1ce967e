"""What may be asked of the running appliance over its control socket."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from appliance.daemon.live.channel import Message
from appliance.daemon.live.movecommands import MoveCommands, MoveError
from appliance.daemon.live.quarantine import find_vm
from appliance.daemon.live.statistics import status
from appliance.daemon.live.supervisor import ReloadResult, Supervisor
from appliance.daemon.live.vmcommands import VmCommands, VmError
from appliance.model.identity import Vm

_MAX_FLOWS = 100_000
Handler = Callable[[Message, list[int]], Awaitable[Any]]


class CommandError(Exception):
    """The request cannot be carried out; the message is for whoever asked."""


class Commands:
    """Answers requests. Every request is an object with ``command``; see ``docs/running.md``."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Speak for ``supervisor``."""
        self._supervisor = supervisor
        self._captures = itertools.count(1)
        handoff = MoveCommands(supervisor)
        self._handlers: dict[str, Handler] = {
            "status": self._status,
            "flows": self._flows,
            "reload": self._reload,
            "quarantine": self._quarantine,
            "release": self._release,
            "capture": self._capture,
            "uncapture": self._uncapture,
            "restart": self._restart,
            "stop": self._stop,
            "handoff": handoff.answer,
            "hosts": self._hosts,
            "vm": VmCommands(supervisor).answer,
        }

    async def answer(self, request: Message, fds: list[int]) -> Message:
        """Carry out one request; gives ``{"result": ...}`` or ``{"error": text}``."""
        handler = self._handlers.get(str(request.get("command", "")))
        if handler is None:
            return {"error": f"unknown command; known: {', '.join(self._handlers)}"}
        try:
            return {"result": await handler(request, fds)}
        except (CommandError, MoveError, VmError) as error:
            return {"error": str(error)}

    async def _status(self, request: Message, fds: list[int]) -> Any:
        del request, fds
        now = self._supervisor.keeper.asked = time.time_ns()
        return status(self._supervisor, now)

    async def _flows(self, request: Message, fds: list[int]) -> Any:
        del fds
        uuid = self._vm(request).uuid if request.get("vm") else ""
        limit = max(1, min(_number(request, "limit", 1000), _MAX_FLOWS))
        answers = await self._supervisor.crew.ask({"do": "flows", "uuid": uuid, "limit": limit})
        flows = [flow for answer in answers for flow in answer["flows"]]
        flows.sort(key=lambda flow: -int(flow.get("last", 0)))
        return {"flows": flows[:limit], "missing_workers": len(self._supervisor.crew.posts) - len(answers)}

    async def _reload(self, request: Message, fds: list[int]) -> Any:
        del fds
        accept = request.get("accept_refused") is True
        return _told(await self._supervisor.reload(accept_refused=accept))

    async def _quarantine(self, request: Message, fds: list[int]) -> Any:
        del fds
        return _told(await self._supervisor.hold(self._vm(request).uuid, held=True))

    async def _release(self, request: Message, fds: list[int]) -> Any:
        del fds
        return _told(await self._supervisor.hold(self._vm(request).uuid, held=False))

    async def _capture(self, request: Message, fds: list[int]) -> Any:
        """Send copies of a machine's frames to the datagram socket that came along."""
        if len(fds) != 1:
            raise CommandError("a capture needs one socket to write to")
        vm = self._vm(request)
        inventory = self._supervisor.intent.inventory
        names = [one.label for one in inventory.interfaces if one.vm.uuid == vm.uuid]
        number = next(self._captures)
        order = {
            "do": "capture",
            "number": number,
            "uuids": [vm.uuid],
            "names": {name: place for place, name in enumerate(names)},
        }
        self._supervisor.crew.order(order, (fds[0],))
        await self._supervisor.renew()  # connections that the kernel judges by itself come by again
        return {"number": number, "interfaces": names}

    async def _uncapture(self, request: Message, fds: list[int]) -> Any:
        del fds
        self._supervisor.crew.order({"do": "uncapture", "number": _number(request, "number", 0)})
        return {}

    async def _restart(self, request: Message, fds: list[int]) -> Any:
        del request, fds
        self._supervisor.stop(again=True)
        return {}

    async def _stop(self, request: Message, fds: list[int]) -> Any:
        del request, fds
        self._supervisor.stop()
        return {}

    async def _hosts(self, request: Message, fds: list[int]) -> Any:
        del request, fds
        ownership = self._supervisor.ownership
        if ownership is None:
            raise CommandError("this host is alone: the appliance file has no `cluster`")
        return ownership.link.status()

    def _vm(self, request: Message) -> Vm:
        name = str(request.get("vm", ""))
        vm = find_vm(self._supervisor.intent.inventory, name)
        if vm is None:
            raise CommandError(f"no machine with the name or UUID {name!r} is in the inventory")
        return vm


def _number(request: Message, name: str, default: int) -> int:
    value = request.get(name, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _told(result: ReloadResult) -> dict[str, Any]:
    if result.errors:
        raise CommandError("nothing was changed:\n" + "\n".join(result.errors))
    return {"epoch": result.epoch, "rules": result.rules, "refused": result.refused}
