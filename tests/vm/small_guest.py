"""Small guests that can move: busybox from an initramfs, one network interface, ready in some seconds.

A guest echoes TCP on two ports, pings an address without end, and has a shell on its serial port.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from guest_image import archive, image

from tests.netns.lab import Lab

MEMORY = 128  # MiB
LIMIT = 240.0  # seconds for a boot or a migration; 4 and 1 on an idle machine
MODULES = ["virtio_pci", "virtio_net"]
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
option() { sed -n "s/.*$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
ip link set lo up
ip link set eth0 up
ip address add "$(option address)" dev eth0
for port in $(option ports | tr , ' '); do nc -ll -p "$port" -e cat & done
ping -i 0.1 "$(option pinged)" > /dev/null 2>&1 &
stty -echo -onlcr < /dev/ttyS0
echo "guest is ready" > /dev/ttyS0
while true; do setsid cttyhack sh < /dev/ttyS0 > /dev/ttyS0 2>&1; done
"""
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


class GuestError(Exception):
    """Raised if a guest does not do what it is told in time."""


def boot_files(folder: Path) -> tuple[Path, Path]:
    """Give kernel and initramfs of small guests; the latter is made in ``folder``."""
    base = image()
    initramfs = folder / "small.gz"
    if not initramfs.exists():
        initramfs.write_bytes(gzip.compress(archive(base.modules, MODULES, INIT), 1, mtime=0))
    return base.kernel, initramfs


def command_line(address: str, pinged: str, ports: tuple[int, ...]) -> str:
    """Give the kernel's command line: the guest's address with its prefix, and what it does with it."""
    served = ",".join(map(str, ports))
    return f"console=ttyS0 quiet panic=-1 no_timer_check address={address} pinged={pinged} ports={served}"


@contextlib.contextmanager
def tap(lab: Lab, name: str) -> Iterator[int]:
    """Open a tap on a lab's host, as libvirt does: it is gone when its last user is.

    What is given is its descriptor, for a process that is started meanwhile.
    """
    with lab.inside(lab.host):
        handle = os.open("/dev/net/tun", os.O_RDWR)
    try:
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        yield handle
    finally:
        os.close(handle)


def connect(path: Path, alive: Callable[[], None] = lambda: None) -> socket.socket:
    """Connect to a socket that appears in time, while ``alive`` does not raise."""
    end = time.monotonic() + LIMIT
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(LIMIT)
    while True:
        try:
            made.connect(str(path))
            return made
        except OSError as error:
            made.close()
            alive()
            if time.monotonic() > end:
                raise GuestError(f"{path}: {error}") from None
            time.sleep(0.05)
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(LIMIT)


class Console:
    """The shell on a guest's serial port."""

    def __init__(self, path: Path, alive: Callable[[], None] = lambda: None) -> None:
        """Connect to its socket."""
        self._socket = connect(path, alive)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_ready(self) -> None:
        """Wait until the guest serves."""
        self._until(b"guest is ready")

    def run(self, command: str) -> str:
        """Run a command in the guest and give what it said; it has to succeed."""
        self._socket.sendall(f"{command}; echo ended=$?.\n".encode())
        said = self._until(b"ended=0.").decode(errors="replace")
        return said.partition("ended=")[0]

    def _until(self, mark: bytes) -> bytes:
        said = b""
        while mark not in said:
            try:
                more = self._socket.recv(4096)
            except TimeoutError:
                more = b""
            said += more
            if not more or b"ended=1." in said:
                raise GuestError(said.decode(errors="replace"))
        return said

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class SmallGuest:
    """One QEMU process in the namespace of a lab's host. ``folder`` holds its sockets."""

    def __init__(self, lab: Lab, folder: Path, port: str, mac: str, kernel_line: str, *more: str) -> None:
        """Start it, with a tap ``port`` that is not on any bridge yet."""
        self.lab, self.folder, self.port = lab, folder, port
        folder.mkdir()
        kernel, initramfs = boot_files(folder.parent)
        with tap(lab, port) as handle, (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [
                    "ip", "netns", "exec", lab.host,
                    "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "Nehalem",
                    "-m", str(MEMORY), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                    "-kernel", str(kernel), "-initrd", str(initramfs), "-append", kernel_line,
                    "-netdev", f"tap,id=n0,fd={handle},vhost=off",
                    "-device", f"virtio-net-pci,netdev=n0,mac={mac},romfile=",
                    "-chardev", f"socket,id=shell,path={folder}/shell,server=on,wait=off",
                    "-serial", "chardev:shell",
                    "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
                    *more,
                ],
                pass_fds=[handle], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._qmp = connect(folder / "qmp", self._alive)
            self.console = Console(folder / "shell", self._alive)
            self._rest = b""
            self._read_qmp()
            self.ask("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def _alive(self) -> None:
        if self._process.poll() is not None:
            raise GuestError((self.folder / "log").read_text())

    def ask(self, command: str, **arguments: Any) -> Any:
        """Ask QEMU over QMP and give what it returns."""
        request = {"execute": command, "arguments": arguments}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read_qmp()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise GuestError(f"{command}: {answer['error']}")

    def _read_qmp(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            piece = self._qmp.recv(65536)
            if not piece:
                raise GuestError((self.folder / "log").read_text())
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def migrate(self, where: str) -> None:
        """Move to the QEMU that listens there; this one has stopped when it returns."""
        self.ask("migrate", uri=where)
        end = time.monotonic() + LIMIT
        while (status := self.ask("query-migrate").get("status")) != "completed":
            if status in {"failed", "cancelled"} or time.monotonic() > end:
                raise GuestError(f"migration: {self.ask('query-migrate')}")
            time.sleep(0.01)

    def runs(self) -> bool:
        """Tell whether the guest runs here."""
        return bool(self.ask("query-status")["running"])

    def close(self) -> None:
        """End it at once; its tap goes with it."""
        for one in ("_qmp", "console"):
            if hasattr(self, one):
                getattr(self, one).close()
        self._process.kill()
        self._process.wait(10)
