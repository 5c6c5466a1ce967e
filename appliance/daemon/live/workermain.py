"""The process of a worker: ``python -m appliance.daemon.live.workermain FD``."""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from appliance.capture.base import CaptureError, LiveSource
from appliance.capture.inject import Injector
from appliance.config.errors import ConfigError
from appliance.config.settings import EveOutput, Settings
from appliance.daemon.assemble import Documents, make_engine, read_documents
from appliance.daemon.live.channel import Channel, ChannelClosedError, Message
from appliance.daemon.live.endings import KernelEnds
from appliance.daemon.live.files import Appliance, load_appliance
from appliance.daemon.live.orders import Orders
from appliance.daemon.live.overload import Overload
from appliance.daemon.live.predecessor import Place
from appliance.daemon.live.privileges import CAP_NET_ADMIN, PrivilegeError, drop_to
from appliance.daemon.live.reporting import Reporting, record_output
from appliance.daemon.live.sources import open_source
from appliance.daemon.live.told import View, unpack_all
from appliance.daemon.live.wire import unpack_ports
from appliance.daemon.live.worker import Worker
from appliance.daemon.memory import Collector, resident, settle
from appliance.daemon.outputs import policy_names
from appliance.engine.engine import Engine
from appliance.inventory.machines import inventory_of
from appliance.kernel.base import KernelError
from appliance.sinks.filestore import FileStore

_HANDOVER = "handover"


class NoStartError(Exception):
    """The worker cannot do its work."""


@dataclass(slots=True)
class Start:
    """What the supervisor says first, and what came of it."""

    message: Message
    end: socket.socket
    appliance: Appliance
    documents: Documents
    machines: View | None = None  # what the inventory is made of, where hypervisors tell it

    @property
    def tap(self) -> bool:
        """Tell whether this worker only watches."""
        return bool(self.message["kind"] == "tap")


def main() -> int:
    """Do a worker's work until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the supervisor
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        start = _begin(channel)
        _work(channel, start)
    except (NoStartError, CaptureError, PrivilegeError, KernelError) as error:
        print(f"eastwall: worker: {error}", file=sys.stderr)
        _say(channel, {"is": "failed", "why": str(error)})
        return 1
    except ChannelClosedError:
        return 1
    return 0


def _begin(channel: Channel) -> Start:
    """Wait for the first order and read the documents."""
    messages: list[Message] = []
    while not messages:
        select.select([channel.fileno()], [], [])
        messages = channel.receive()
    message, fds = messages[0], channel.take_fds()
    appliance, errors = load_appliance(Path(message["path"]))
    if appliance is None:
        raise NoStartError(_texts(errors))
    tap = message["kind"] == "tap"
    machines = unpack_all(_take(fds[1])) if message.get("told") else None
    known = inventory_of(machines.values()) if machines is not None else None
    inputs = appliance.inputs(epoch=message["epoch"], forced=message["forced"], tap=tap, known=known)
    documents = read_documents(inputs)
    if documents.errors or documents.settings is None:
        raise NoStartError(_texts(documents.errors))
    output = record_output(documents.settings, appliance.document.outputs)
    documents.settings = replace(documents.settings, eve=(output,) if output.types else ())
    return Start(message, socket.socket(fileno=fds[0]), appliance, documents, machines)


def _take(fd: int) -> bytes:
    """Read a file that the supervisor has given, from its beginning."""
    with open(fd, "rb") as file:
        file.seek(0)
        return file.read()


def _texts(errors: list[ConfigError]) -> str:
    return "; ".join(str(error) for error in errors)


def _work(channel: Channel, start: Start) -> None:
    document, documents = start.appliance.document, start.documents
    engine = make_engine(documents)
    settle()
    place = Place(start.appliance.state / _HANDOVER, start.message["number"])
    place.take()
    ports = unpack_ports(start.message["ports"], engine.pipeline.registry)
    source = open_source(start.message, document, ports)
    injector = None if start.tap else Injector(time.time_ns)
    ends = None if start.tap else KernelEnds()
    reporting = _reporting(start, engine)
    drop_to(document.user, (CAP_NET_ADMIN,))
    restored = engine.restore(place.load(time.time()), time.time_ns())  # noqa: TID251 - a file's age
    overload = Overload(document.overload.less_at, document.overload.none_at, document.overload.calm_for)
    worker = Worker(source, engine, reporting, injector, overload, time.time_ns, document.queues.length)
    worker.epoch = start.message["epoch"]
    orders = Orders(channel, worker, documents, start.appliance.path, tap=start.tap, machines=start.machines)
    worker.look, worker.report = orders.look, lambda: orders.tell(_statistics(worker, source, reporting))
    collector = Collector()
    worker.tidy = lambda idle: collector.look(idle=idle, loading=orders.loading)
    if ends is not None:
        worker.ended = partial(ends.look, engine)
    worker.watch(channel.fileno())
    signal.signal(signal.SIGTERM, _stopper(worker, orders))
    _say(channel, {"is": "ready", "restored": restored})
    try:
        worker.run()
        place.save(engine.export())
    finally:
        source.close()
        for part in (injector, ends):
            if part is not None:
                part.close()
        if not orders.orphaned:  # else a successor goes on with the flows
            reporting.write(engine.finish(time.time_ns()))
        reporting.close()
        place.give()


def _stopper(worker: Worker, orders: Orders) -> Any:
    def stop(number: int, frame: FrameType | None) -> None:
        """A successor asks us to leave. A worker that has a supervisor is stopped by that."""
        del number, frame
        worker.stopping = worker.stopping or orders.orphaned

    return stop


def _reporting(start: Start, engine: Engine) -> Reporting:
    documents = start.documents
    settings = documents.settings or Settings()
    output = settings.eve[0] if settings.eve else EveOutput()
    store = None
    if settings.file_store.enabled:
        folder = start.appliance.state / "files" / settings.file_store.folder
        store = FileStore(settings.file_store, folder, engine.pipeline.counters.add)
    return Reporting(output, start.end, documents.rules.references, policy_names(documents), store)


def _statistics(worker: Worker, source: LiveSource, reporting: Reporting) -> Message:
    engine = worker.engine
    return {
        "is": "stats",
        "engine": engine.counters(),
        "interfaces": engine.interface_counters(),
        "flows": len(engine.pipeline.table),
        "load": worker.overload.level,
        "memory": resident(),
        "source": {name: getattr(source.counters(), name) for name in source.counters().__slots__},
        "records": reporting.sender.statistics(),
    }


def _say(channel: Channel, message: Message) -> None:
    try:
        channel.send(message)
    except ChannelClosedError:
        return


if __name__ == "__main__":
    sys.exit(main())
