"""What the readers of NFQUEUE cost: packets/s of 64-byte UDP and bulk TCP between two VMs on a bridge.

    sudo .venv/bin/python -m bench.queue [--seconds 2] [--rounds 3]

Every packet is received, made a frame, and accepted; nothing looks into it. `bridge` is the same host without
a queue, with connection tracking; ratios are to that and to the `netfilterqueue` package. Needs root.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "netns"))

from lab import Guest, Lab

from appliance.capture import batch as batches
from appliance.capture.nfqueue import message
from appliance.capture.nfqueue.config import Queue, QueueConfig
from appliance.capture.nfqueue.readers import open_queues
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface
from appliance.model.verdict import ACCEPTED

TARGET = "10.9.0.2"
PORT = 5000
BODY = 22  # of UDP: 64 bytes of frame with its check sequence


class OneByOne(batches.Batch):
    """The other way to receive: a call for each message. What recvmmsg is compared with."""

    def receive(self, fd: int, most: int) -> int:
        """Receive until there is nothing, or enough."""
        got = 0
        link = socket.socket(fileno=os.dup(fd)) if not hasattr(self, "link") else self.link
        self.link = link
        for i in range(min(most, self.count)):
            try:
                size = link.recv_into(self.view[i * self.size : (i + 1) * self.size], 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            self._numbers[i * batches._STRIDE + batches._LEN] = size
            got += 1
        return got


def read_queue(lab: Lab, ports: PortMap, reader: str, pipe: Any) -> None:
    """Accept all, until told to stop; then say what it took."""
    if reader == "netlink, recv":
        import appliance.capture.nfqueue.reader as module  # noqa: PLC0415 - the variant under test

        module.Batch = OneByOne  # type: ignore[misc]
        reader = "netlink"
    with lab.inside(lab.host):
        source = open_queues(QueueConfig((Queue(0),)), ports, time.time_ns, reader)
    pipe.send("ready")
    while not pipe.poll():
        for _ in range(50):
            for frame in source.receive(0.02):
                source.verdict(frame.token, ACCEPTED)
            source.flush()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    counters = source.counters()
    pipe.send((usage.ru_utime, usage.ru_stime, counters.received, counters.queue_drops))
    source.close()


def flood(lab: Lab, guest: Guest, seconds: float) -> None:
    """Send small datagrams as fast as one process can (sendmmsg)."""
    with lab.inside(guest):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((TARGET, PORT))
    many = batches.Batch(64, BODY)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            batches._LIBC.sendmmsg(sender.fileno(), many._headers, 64, 0)
    sender.close()


def received(lab: Lab, guest: Guest) -> int:
    """Count packets that came out of the bridge towards a VM."""
    path = f"/sys/class/net/{guest.port}/statistics/tx_packets"
    return int(lab.run(lab.host, "cat", path))


def udp(lab: Lab, a: Guest, b: Guest, seconds: float) -> float:
    """Give packets/s that reach the receiver while the sender sends all it can."""
    sender = multiprocessing.Process(target=flood, args=(lab, a, seconds + 0.5))
    sender.start()
    time.sleep(0.3)
    start, before = time.monotonic(), received(lab, b)
    time.sleep(seconds - 0.2)
    after, end = received(lab, b), time.monotonic()
    sender.join()
    return (after - before) / (end - start)


def tcp(lab: Lab, a: Guest, b: Guest, seconds: float) -> float:
    """Give bits/s of one connection."""
    with lab.inside(b):
        server = socket.create_server((TARGET, 0))
    sender = multiprocessing.Process(target=_stream, args=(lab, a, server.getsockname(), seconds + 0.5))
    sender.start()
    connection, _ = server.accept()
    buffer = bytearray(1 << 20)
    total, start = 0, 0.0
    while got := connection.recv_into(buffer):
        start = start or time.monotonic()
        total += got
        last = time.monotonic()
    sender.join()
    connection.close()
    server.close()
    return total * 8 / (last - start)


def _stream(lab: Lab, guest: Guest, address: tuple[str, int], seconds: float) -> None:
    with lab.inside(guest), socket.create_connection(address) as client:
        block = bytes(1 << 18)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            client.sendall(block)


def measure(lab: Lab, ports: PortMap, reader: str, load: Callable[[], float]) -> tuple[float, float, int]:
    """Run one load with a reader (or none): its rate, and the reader's µs of processor time per packet."""
    if reader == "bridge":
        return load(), 0.0, 0
    here, there = multiprocessing.Pipe()
    argv = (
        "-t",
        "mangle",
        "FORWARD",
        "-m",
        "physdev",
        "--physdev-is-bridged",
        "-j",
        "NFQUEUE",
        "--queue-num",
        "0",
    )
    child = multiprocessing.Process(target=read_queue, args=(lab, ports, reader, there))
    child.start()
    here.recv()
    lab.run(lab.host, "iptables", *argv[:2], "-A", *argv[2:])
    try:
        rate = load()
    finally:
        lab.run(lab.host, "iptables", *argv[:2], "-D", *argv[2:])
        here.send("stop")
        user, kernel, packets, _ = here.recv()
        child.join()
    return rate, (user + kernel) / max(1, packets) * 1e6, packets


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    modes = ["bridge", "library", "netlink, recv", "netlink"]
    compiled = not str(message.__file__).endswith(".py")
    print(f"readers are {'compiled' if compiled else 'plain Python'}; medians of {options.rounds}")
    with Lab("bench") as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24"])
        b = lab.vm("b", addresses=["10.9.0.2/24"])
        lab.run(
            lab.host, "iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"
        )
        lab.run(b, "iptables", "-A", "INPUT", "-p", "udp", "-j", "DROP")
        vms = [VmInterface(n, Vm(g.name, g.name), "eth0", g.address) for n, g in enumerate((a, b))]
        ports = PortMap(Port(g.port, g.index, vm) for g, vm in zip((a, b), vms, strict=True))
        lab.run(a, "ping", "-c1", TARGET)
        for name, load in (("UDP 64 B, kpps", udp), ("TCP, Gbit/s", tcp)):
            scale = 1e3 if load is udp else 1e9
            print(f"\n{name:16} {'rate':>8} {'/bridge':>8} {'/library':>8} {'µs/packet':>10}")
            rates: dict[str, list[tuple[float, float, int]]] = {mode: [] for mode in modes}
            for _ in range(options.rounds):
                for mode in modes:
                    rates[mode].append(measure(lab, ports, mode, lambda: load(lab, a, b, options.seconds)))  # noqa: B023
            middle = {mode: statistics.median(r[0] for r in found) for mode, found in rates.items()}
            for mode, found in rates.items():
                cost = statistics.median(r[1] for r in found)
                against = middle[mode] / middle["bridge"], middle[mode] / middle["library"]
                print(
                    f"{mode:16} {middle[mode] / scale:8.1f} {against[0]:8.2f} {against[1]:8.2f} {cost:10.2f}"
                )


if __name__ == "__main__":
    main()
