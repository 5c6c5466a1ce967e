"""A bridge whose traffic goes to queues, and a thread that reads them, for tests."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from lab import Guest, Lab, call

from appliance.capture.base import LiveSource
from appliance.capture.frame import Frame
from appliance.capture.nfqueue.config import Queue, QueueConfig
from appliance.capture.nfqueue.readers import open_queues
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface
from appliance.model.verdict import ACCEPTED, Decision

Judge = Callable[[Frame], tuple[Decision, int]]
TABLES = ("iptables", "ip6tables")


def accept(frame: Frame) -> tuple[Decision, int]:
    return ACCEPTED, 0


def port_map(*guests: Guest, zone: int = 0) -> PortMap:
    ports = []
    for n, guest in enumerate(guests):
        interface = VmInterface(n, Vm(f"uuid-{n}", guest.name), "eth0", guest.address)
        ports.append(Port(guest.port, guest.index, interface, zone=zone))
    return PortMap(ports)


def rule(lab: Lab, *argv: str) -> None:
    for table in TABLES:
        lab.run(lab.host, table, "-w", "10", *argv)


def to_queue(lab: Lab, *target: str) -> None:
    """Send bridged IP to a queue, with connection tracking (so that fragments are put together)."""
    rule(lab, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "ACCEPT")
    for chatter in ("143", "133"):  # guests tell by themselves which groups they are in, and ask for routers
        icmp = ("-p", "icmpv6", "--icmpv6-type", chatter)
        lab.run(lab.host, "ip6tables", "-w", "10", "-t", "mangle", "-A", "FORWARD", *icmp, "-j", "DROP")
    rule(
        lab,
        "-t",
        "mangle",
        "-A",
        "FORWARD",
        "-m",
        "physdev",
        "--physdev-is-bridged",
        "-j",
        "NFQUEUE",
        *target,
    )


@contextlib.contextmanager
def source_of(
    lab: Lab, reader: str, ports: PortMap, queues: tuple[Queue, ...] = (Queue(0),), **sizes: int
) -> Iterator[LiveSource]:
    with lab.inside(lab.host):
        source = open_queues(QueueConfig(queues, **sizes), ports, time.time_ns, reader)
    try:
        yield source
    finally:
        source.close()


class Reading:
    """Reads a source in a thread and keeps what it saw."""

    def __init__(self, source: LiveSource, judge: Judge = accept, keep: bool = True) -> None:
        self.source = source
        self.judge = judge
        self.keep = keep
        self.frames: list[Frame] = []
        self.failed: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Reading:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join(10)
        if self.failed is not None:
            raise self.failed

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.step(0.05)
        except BaseException as problem:
            self.failed = problem

    @property
    def ip4(self) -> list[Frame]:
        """What is IPv4: guests may chat in IPv6 by themselves."""
        return [frame for frame in self.frames if frame.data[12:14] == b"\x08\x00"]

    def step(self, timeout: float) -> int:
        frames = self.source.receive(timeout)
        if self.keep:  # before any verdict: who waits for the packet finds its frame
            self.frames += frames
        for frame in frames:
            decision, mark = self.judge(frame)
            self.source.verdict(frame.token, decision, mark)
        self.source.flush()
        return len(frames)


def until(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return true()


__all__ = ["Lab", "Reading", "accept", "call", "port_map", "rule", "source_of", "to_queue", "until"]
