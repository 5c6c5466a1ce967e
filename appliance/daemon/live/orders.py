"""What a worker does when the supervisor speaks to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from appliance.config.errors import ConfigError
from appliance.daemon.assemble import Documents, make_pipeline
from appliance.daemon.live.channel import Channel, ChannelClosedError, Message
from appliance.daemon.live.files import load_appliance
from appliance.daemon.live.loading import Loader
from appliance.daemon.live.moves import Moves
from appliance.daemon.live.rebinding import Rebinding
from appliance.daemon.live.told import View
from appliance.daemon.live.wire import unpack_ports
from appliance.daemon.live.worker import Worker
from appliance.engine.pipeline import Pipeline
from appliance.inventory.machines import inventory_of

_MAX_FLOWS = 10_000  # in one answer


class Orders:
    """Carries out the orders that come over ``channel``, between two batches of packets."""

    def __init__(
        self,
        channel: Channel,
        worker: Worker,
        documents: Documents,
        path: Any,
        *,
        tap: bool,
        machines: View | None = None,
    ) -> None:
        """Serve ``worker``, which was made from ``documents``; ``path`` is the appliance file.

        ``machines`` are those that the inventory was made of, where hypervisors tell it.
        """
        self._told = machines is not None
        self._rebinding = Rebinding(machines or {})
        self._channel = channel
        self._worker = worker
        self._documents = documents
        self._path = path
        self._tap = tap
        self.orphaned = False
        self._loader = Loader()
        self._reload: Message = {}
        self._ports: list[list[Any]] = []
        self._handlers: dict[str, Callable[[Message], None]] = {
            "ports": self._on_ports,
            "bind": self._on_bind,
            "reload": self._on_reload,
            "flows": self._on_flows,
            "capture": self._on_capture,
            "uncapture": self._on_uncapture,
            "stop": self._on_stop,
            "export": self._on_move,
            "import": self._on_move,
            "forget": self._on_move,
        }
        worker.watch(self._rebinding.fileno())
        self._moves = Moves(worker.engine, self.tell, time.time_ns, time.monotonic_ns)

    @property
    def loading(self) -> bool:
        """Tell whether documents are being read in a thread, or wait to be put in force."""
        return self._loader.busy

    def look(self) -> None:
        """Carry out what has come. Without a supervisor the worker goes on as it is."""
        if self.orphaned:
            return
        try:
            messages = self._channel.receive()
        except ChannelClosedError:
            self._leave_alone()
            return
        for message in messages:
            handler = self._handlers.get(message.get("do", ""))
            if handler is not None:
                handler(message)
        self._finish_reload()
        self._finish_rebinding()
        self._moves.step()
        self._worker.busy = self._moves.busy

    def _leave_alone(self) -> None:
        """Go on judging without a supervisor, until a successor comes."""
        self.orphaned = True
        self._worker.busy = False
        for part in (self._channel, self._rebinding):
            self._worker.unwatch(part.fileno())

    def tell(self, message: Message) -> None:
        """Say something to the supervisor, if there is one."""
        if self.orphaned:
            return
        try:
            self._channel.send(message)
        except ChannelClosedError:
            self._leave_alone()

    def _on_ports(self, message: Message) -> None:
        self._ports = message["ports"]
        if "epoch" in message:  # somebody has come: what the kernel remembers was said without them
            self._worker.epoch = message["epoch"]
            self._worker.engine.pipeline.generation += 1
        self._worker.source.swap_ports(unpack_ports(self._ports, self._worker.engine.pipeline.registry))

    def _on_bind(self, message: Message) -> None:
        """Bind the same policies anew: other machines, one in quarantine, or to judge everything again."""
        if "machines" in message:
            self._rebinding.start(message, self._documents, self._worker.engine.pipeline.registry)
            return
        book = self._documents.book
        errors = [] if book is not None else [ConfigError("", 0, 0, "policies", "there are none")]
        if book is not None:
            bound = book.bind(message["epoch"], message["forced"])
            self._exchange(replace(self._documents, bound=bound), message["epoch"])
        self._answer(message, errors)

    def _finish_rebinding(self) -> None:
        taken = self._rebinding.take() if self._rebinding.busy else None
        if taken is None:
            return
        message, made, failure = taken
        errors = [ConfigError("", 0, 0, "", failure)] if failure else []
        if made is not None:
            self._exchange(made[0], message["epoch"], judge=message["judge"], pipeline=made[1])
            self._documents.registry = None  # the next exchange may be of another inventory
        self._answer(message, errors)

    def _on_reload(self, message: Message) -> None:
        appliance, errors = load_appliance(self._path)
        if appliance is None:
            self._answer(message, errors)
            return
        self._reload = message
        known = self._documents.inventory if self._told else None
        if message.get("machines"):
            self._rebinding.change(message["machines"])
            known = inventory_of(self._rebinding.machines.values())
        inputs = appliance.inputs(
            epoch=message["epoch"], forced=message["forced"], tap=self._tap, known=known
        )
        self._loader.start(inputs)

    def _finish_reload(self) -> None:
        if not self._loader.busy:
            return
        taken = self._loader.take()
        if taken is None:
            return
        documents, failure = taken
        message, self._reload = self._reload, {}
        if documents is None or documents.errors or documents.settings is None:
            found = documents.errors if documents is not None else [ConfigError("", 0, 0, "", failure)]
            self._answer(message, found)
            return
        if not message["detection"]:
            documents.rules = self._documents.rules
        self._exchange(documents, message["epoch"])
        self._answer(message, [])

    def _exchange(
        self, documents: Documents, epoch: int, *, judge: bool = True, pipeline: Pipeline | None = None
    ) -> None:
        """Put documents in force between two packets, with their ``pipeline`` where it is made already.

        Unless everything is to be judged anew, only flows whose ends are others now are.
        """
        before = self._documents.bound
        self._documents = documents
        self._worker.engine.swap(pipeline or make_pipeline(documents))
        if not judge and before is not None and documents.bound is not None:
            documents.bound.epoch = before.epoch
        self._worker.epoch = epoch
        self._worker.source.swap_ports(unpack_ports(self._ports, self._worker.engine.pipeline.registry))

    def _answer(self, message: Message, errors: list[ConfigError]) -> None:
        texts = [str(error) for error in errors]
        self.tell({"is": "reloaded", "epoch": message["epoch"], "errors": texts})

    def _on_flows(self, message: Message) -> None:
        uuid = message.get("uuid", "")
        limit = min(int(message.get("limit", 1000)), _MAX_FLOWS)
        flows = self._worker.engine.flows(limit, (uuid, "") if uuid else None)
        self.tell({"is": "flows", "call": message["call"], "flows": flows})

    def _on_capture(self, message: Message) -> None:
        fd = self._channel.take_fd()
        if fd is not None:
            self._worker.takings.start(message["number"], fd, frozenset(message["uuids"]), message["names"])

    def _on_move(self, message: Message) -> None:
        self._moves.start(message, self._channel.take_fd() if message["do"] != "forget" else None)

    def _on_uncapture(self, message: Message) -> None:
        self._worker.takings.stop(message["number"])

    def _on_stop(self, message: Message) -> None:
        del message
        self._worker.stopping = True
