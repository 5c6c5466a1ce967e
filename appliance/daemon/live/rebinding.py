"""Another inventory under the same policies and rules: made in a thread beside the packets of a worker."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.daemon.assemble import Documents
from appliance.daemon.live.channel import Message
from appliance.daemon.live.told import View, unpack
from appliance.hypervisor.messages import MessageError
from appliance.inventory.machines import inventory_of
from appliance.inventory.registry import Registry

_USUAL = sys.getswitchinterval()
_WHILE_BINDING = 0.0002  # seconds for which the thread may hold up a packet


class Rebinding:
    """One change at a time; :meth:`take` gives the documents when they are done."""

    def __init__(self, machines: View) -> None:
        """Start with the machines in force."""
        self.machines = machines
        self._thread: threading.Thread | None = None
        self._message: Message = {}
        self._made: Documents | None = None
        self._failure = ""

    @property
    def busy(self) -> bool:
        """Tell whether something is being made or waits to be taken."""
        return self._thread is not None

    def change(self, machines: Mapping[str, Any]) -> None:
        """Take a change of machines as the supervisor sends it.

        Raises:
            MessageError: it makes no sense.
        """
        result = dict(self.machines)
        for uuid, machine in unpack(machines).items():
            if machine is None:
                result.pop(uuid, None)
            else:
                result[uuid] = machine
        self.machines = result

    def start(self, message: Message, documents: Documents) -> None:
        """Begin to make ``documents`` anew as a ``bind`` order says."""
        self._message, self._made, self._failure = message, None, ""
        sys.setswitchinterval(_WHILE_BINDING)
        self._thread = threading.Thread(target=self._make, args=(documents,), name="binder", daemon=True)
        self._thread.start()

    def _make(self, documents: Documents) -> None:
        try:
            self.change(self._message["machines"])
            inventory = inventory_of(self.machines.values())
            made = replace(documents, inventory=inventory, registry=Registry(inventory))
            if documents.book is not None:
                made.book = documents.book.over(inventory)
                made.bound = made.book.bind(self._message["epoch"], self._message["forced"])
            self._made = made
        except (MessageError, MemoryError, ValueError) as error:
            self._failure = f"{type(error).__name__}: {error}"

    def take(self) -> tuple[Message, Documents | None, str] | None:
        """Give the order and its documents, or what went wrong; None while they are being made."""
        if self._thread is None or self._thread.is_alive():
            return None
        self._thread.join()
        self._thread = None
        sys.setswitchinterval(_USUAL)
        made, self._made = self._made, None
        return self._message, made, self._failure
