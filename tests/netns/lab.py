"""A virtual host of network namespaces: a bridge, and a namespace for each VM plugged into it.

    with Lab("queue") as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        b = lab.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        lab.run(a, "ping", "-c1", "10.9.0.2")
        with lab.inside(lab.host):
            ...  # sockets made here belong to the host's namespace, for as long as they live

All that a lab makes has names of its own (``ew-<pid>-…``) and is gone when it is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

CLONE_NEWNET = 0x40000000
BRIDGE = "br0"
_LIBC = ctypes.CDLL(None, use_errno=True)
_COUNT = itertools.count(1)

# Nothing of the lab's own stack shall be on the wire beside what a test sends.
_QUIET = {
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.dad_transmits": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.conf.default.accept_ra": "0",
}
_HOST = {"net.ipv6.conf.default.addr_gen_mode": "1"}  # the bridge and its ports have no address


@dataclass(frozen=True)
class Guest:
    """A VM: its namespace, and where it is plugged in on the host."""

    name: str
    namespace: str
    mac: str
    port: str  # device on the host
    index: int  # number of that device there
    device: str = "eth0"  # device inside the VM

    @property
    def address(self) -> bytes:
        """Give the MAC in 6 bytes."""
        return bytes.fromhex(self.mac.replace(":", ""))


def call(*argv: str, check: bool = True, timeout: float = 60) -> str:
    """Run a command and give its output; a failure shows what the command said."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Lab:
    """One virtual host. ``host`` is the namespace with the bridge ``br0``."""

    def __init__(self, name: str, netfilter: bool = True) -> None:
        """Name the lab; with ``netfilter`` bridged IPv4 and IPv6 goes through xtables (br_netfilter)."""
        self.prefix = f"ew-{os.getpid()}-{next(_COUNT)}{name}"
        self.host = f"{self.prefix}-host"
        self.guests: dict[str, Guest] = {}
        self._netfilter = netfilter
        self._namespaces: list[str] = []
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Lab:
        try:
            self.namespace("host")
            settings = _HOST | {
                f"net.bridge.bridge-nf-call-{which}": "1" if self._netfilter and which != "arptables" else "0"
                for which in ("iptables", "ip6tables", "arptables")
            }
            self.sysctl(self.host, settings)
            self.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            self.ip("link", "set", BRIDGE, "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the lab's processes, by their id, and remove its namespaces."""
        for process in list(self._processes):
            self.end(process)
        for name in reversed(self._namespaces):
            call("ip", "netns", "del", name, check=False)
        self._namespaces.clear()

    def namespace(self, name: str) -> str:
        """Make a namespace of the lab and give its full name."""
        full = f"{self.prefix}-{name}"
        call("ip", "netns", "add", full)
        self._namespaces.append(full)
        self.sysctl(full, _QUIET)
        call("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def vm(
        self,
        name: str,
        mac: str = "",
        addresses: Sequence[str] = (),
        mtu: int = 1500,
        bridge: str = BRIDGE,
    ) -> Guest:
        """Plug a new VM into the bridge. ``addresses`` are like ``10.9.0.1/24`` or ``fd09::1/64``."""
        number = len(self.guests) + 1
        mac = mac or f"02:00:5e:10:00:{number:02x}"
        space = self.namespace(name)
        port = f"p{number}-{name}"[:15]
        peer = ("type", "veth", "peer", "name", "eth0", "netns", space, "address", mac, "mtu", str(mtu))
        self.ip("link", "add", port, "mtu", str(mtu), *peer)
        self.ip("link", "set", port, "master", bridge, "up")
        for address in addresses:
            call("ip", "-n", space, "address", "add", address, "dev", "eth0", "nodad")
        call("ip", "-n", space, "link", "set", "eth0", "up")
        guest = Guest(name, space, mac, port, self.index(port))
        self.guests[name] = guest
        return guest

    def unplug(self, guest: Guest) -> None:
        """Take a VM's interface away, as when it is stopped."""
        self.ip("link", "del", guest.port)
        del self.guests[guest.name]

    def ip(self, *argv: str) -> str:
        """Run ``ip`` on the host."""
        return call("ip", "-n", self.host, *argv)

    def index(self, device: str) -> int:
        """Give the kernel's number of a device of the host."""
        return int(self.ip("-o", "link", "show", "dev", device).split(":", 1)[0])

    def run(self, where: str | Guest, *argv: str, check: bool = True, timeout: float = 60) -> str:
        """Run a command in a namespace to its end and give its output."""
        return call("ip", "netns", "exec", _name(where), *argv, check=check, timeout=timeout)

    def spawn(
        self, where: str | Guest, *argv: str, stdin: int | None = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Start a command in a namespace; output is piped. The lab ends it when it is closed."""
        command = ("ip", "netns", "exec", _name(where), *argv)  # exec: the pid is the command's own
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> str:
        """Terminate a spawned process if it still runs, and give what it said."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        except ValueError:  # already read, or its input was closed to end it
            output = ""
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if process in self._processes:
            self._processes.remove(process)
        return output

    def sysctl(self, where: str | Guest, values: dict[str, str]) -> None:
        """Set kernel settings of a namespace."""
        self.run(where, "sysctl", "-qw", *(f"{key}={value}" for key, value in values.items()))

    @contextlib.contextmanager
    def inside(self, where: str | Guest) -> Iterator[None]:
        """Move this thread into a namespace for a while: sockets made meanwhile stay in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with Path(f"/run/netns/{_name(where)}").open("rb") as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home)
        finally:
            os.close(home)


def _name(where: str | Guest) -> str:
    return where if isinstance(where, str) else where.namespace


def _enter(handle: int) -> None:
    """Switch this thread's network namespace (``os.setns`` came with Python 3.12)."""
    if _LIBC.setns(handle, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
