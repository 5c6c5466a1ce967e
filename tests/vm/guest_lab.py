"""Guests with a stock Debian kernel, for what the kernel of the machine that runs the tests may lack.

``Guest`` boots one under QEMU's emulator (no KVM), runs programs and Python functions in it, and takes it
down. Everything there takes about 20 times as long as on the machine itself, imports above all: modules whose
functions are called in a guest (named ``inside_*``) import little, and not pytest.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guest_image import Image, image

AGENT = Path(__file__).with_name("guest_agent.py")
BOOT_LIMIT = 600.0  # seconds; about 10 on an idle machine
GRACE = 120.0  # what an answer may be late after the request's own time limit: imports come before it
PASSED_ON = ("EASTWALL_SHARED", "EASTWALL_PURE", "CI")


class GuestError(Exception):
    """Raised if the guest does not boot or does not answer; shows the end of its console."""


@dataclass(frozen=True)
class Result:
    """How a program in the guest ended: its exit status (124: time was up) and what it printed."""

    status: int
    output: str


class Guest:
    """One running guest; use it as a context manager."""

    def __init__(self, memory: int = 1024, processors: int = 1) -> None:
        """Boot a guest.

        Args:
            memory: what it has, in MiB; the host gives it as the guest touches it.
            processors: number of virtual CPUs.

        Raises:
            GuestError: It did not come up.
        """
        booted = image()
        self._console = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the guest)
        self._socket, theirs = socket.socketpair()
        self._rest = b""
        self._number = 0  # of the last request: an answer that came too late is not taken for the next one's
        with theirs:
            self._process = subprocess.Popen(
                _command(booted, memory, processors, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._console,
                stderr=subprocess.STDOUT,
            )
        try:
            self._answer(BOOT_LIMIT)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the guest at once; it has nothing to save."""
        self._process.kill()
        self._process.wait(10)
        self._socket.close()
        self._console.close()

    def run(self, *argv: str, seconds: float = 60.0) -> Result:
        """Run a program in the guest and wait for its end."""
        return self._ask({"argv": argv}, seconds)

    def call(self, function: Callable[..., None], seconds: float = 300.0, **arguments: object) -> str:
        """Call a module's function in the guest and give what it printed.

        Args:
            function: found there by its file and name.
            seconds: time limit.
            arguments: what JSON can carry.

        Raises:
            AssertionError: It raised, or was not done in time; the message is what it printed.
        """
        where = {"file": inspect.getfile(function), "function": function.__name__, "arguments": arguments}
        result = self._ask(where, seconds)
        assert result.status == 0, f"in the guest (status {result.status}):\n{result.output}"
        return result.output

    def _ask(self, request: dict[str, object], seconds: float) -> Result:
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._number += 1
        line = json.dumps(request | {"number": self._number, "seconds": seconds, "env": env}).encode() + b"\n"
        self._socket.settimeout(GRACE)
        self._socket.sendall(line)
        answer = self._answer(seconds + GRACE)
        return Result(answer["status"], answer["output"])

    def _answer(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            found = json.loads(self._line(end))
            if found["number"] == self._number:
                return found

    def _line(self, end: float) -> bytes:
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = self._socket.recv(65536)
            except TimeoutError:
                piece = b""
            if not piece:
                raise GuestError(f"no answer from the guest; its console:\n{self.console()}")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def console(self) -> str:
        """Give the end of what the guest's kernel wrote."""
        self._console.seek(0)
        return self._console.read()[-4000:].decode(errors="replace")


def _command(booted: Image, memory: int, processors: int, agent: int) -> list[str]:
    line = [
        "console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr", "no_timer_check",
        "random.trust_cpu=on", f"modules={booted.modules}", f"python={sys.executable}", f"agent={AGENT}",
    ]  # fmt: skip
    return [
        "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "Nehalem,+rdrand",
        "-m", str(memory), "-smp", str(processors), "-nodefaults", "-no-user-config", "-no-reboot",
        "-display", "none", "-serial", "stdio",
        "-kernel", str(booted.kernel), "-initrd", str(booted.initramfs), "-append", " ".join(line),
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-chardev", f"socket,id=agent,fd={agent}",
        "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent",
    ]  # fmt: skip
