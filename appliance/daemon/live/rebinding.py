"""Another inventory under the same policies and rules: made in a thread beside the packets of a worker."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.daemon.assemble import Documents, make_pipeline
from appliance.daemon.live.channel import Message
from appliance.daemon.live.told import View, unpack
from appliance.engine.pipeline import Pipeline
from appliance.hypervisor.messages import MessageError
from appliance.inventory.inventory import Inventory
from appliance.inventory.machines import Machine, inventory_after
from appliance.inventory.registry import Registry

_USUAL = sys.getswitchinterval()
_WHILE_BINDING = 0.0002  # seconds for which the thread may hold up a packet


class Rebinding:
    """One change at a time; :meth:`take` gives the documents when they are done."""

    def __init__(self, machines: View) -> None:
        """Start with the machines in force."""
        self.machines = machines
        self._done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._message: Message = {}
        self._made: tuple[Documents, Pipeline] | None = None
        self._failure = ""

    def fileno(self) -> int:
        """Give the descriptor that can be read as soon as something is made."""
        return self._done

    @property
    def busy(self) -> bool:
        """Tell whether something is being made or waits to be taken."""
        return self._thread is not None

    def change(self, machines: Mapping[str, Any]) -> dict[str, Machine | None]:
        """Take a change of machines as the supervisor sends it, and give it.

        Raises:
            MessageError: it makes no sense.
        """
        result, changed = dict(self.machines), unpack(machines)
        for uuid, machine in changed.items():
            if machine is None:
                result.pop(uuid, None)
            else:
                result[uuid] = machine
        self.machines = result
        return changed

    def start(self, message: Message, documents: Documents, registry: Registry | None) -> None:
        """Begin to make ``documents`` and a pipeline as a ``bind`` order says; ``registry`` is in force."""
        self._message, self._made, self._failure = message, None, "has ended without a result"
        sys.setswitchinterval(_WHILE_BINDING)
        self._thread = threading.Thread(
            target=self._run, args=(documents, registry), name="binder", daemon=True
        )
        self._thread.start()

    def _run(self, documents: Documents, registry: Registry | None) -> None:
        try:
            made = self._make(documents, registry)
            self._made, self._failure = (made, make_pipeline(made)), ""
        except (MessageError, MemoryError, ValueError) as error:
            self._failure = f"{type(error).__name__}: {error}"
        finally:
            os.eventfd_write(self._done, 1)

    def _make(self, documents: Documents, registry: Registry | None) -> Documents:
        changed = self.change(self._message["machines"])
        inventory = inventory_after(documents.inventory or Inventory(), changed, self.machines)
        registry = registry.following(inventory) if registry is not None else Registry(inventory)
        made = replace(documents, inventory=inventory, registry=registry)
        if documents.book is not None:
            made.book = documents.book.over(inventory)
            made.bound = made.book.bind(self._message["epoch"], self._message["forced"])
        return made

    def take(self) -> tuple[Message, tuple[Documents, Pipeline] | None, str] | None:
        """Give the order and what was made, or what went wrong; None while it is being made."""
        if self._thread is None or not self._over():
            return None
        self._thread.join()
        self._thread = None
        sys.setswitchinterval(_USUAL)
        made, self._made = self._made, None
        return self._message, made, self._failure

    def _over(self) -> bool:
        try:
            return os.eventfd_read(self._done) > 0
        except BlockingIOError:
            return False
