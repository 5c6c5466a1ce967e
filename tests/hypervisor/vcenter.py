"""A simulated vCenter, and a way to it that can be cut or made to hang."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

SOURCE = Path(__file__).resolve().parent / "vcsim"
_GOPATH = Path("/usr/share/gocode")  # where Debian's package of govmomi is
_MODULE_NEEDS = (1, 25)


def build(folder: Path) -> Path:
    """Build the simulator: from the Go module where Go is new enough, else from Debian's package."""
    go = shutil.which("go")
    assert go, "Go is missing; `.ci/system-packages test` installs it"
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"go(\d+)\.(\d+)", said)[0])
    out = folder / "vcsim"
    if version >= _MODULE_NEEDS and _built([go, "build", "-o", str(out), "."], {"GOTOOLCHAIN": "local"}):
        return out
    old = {"GOPATH": str(_GOPATH), "GO111MODULE": "off"}
    built = _built([go, "build", "-o", str(out), "main.go", "machines.go", "old.go"], old)
    assert built, "the simulator cannot be built"
    return out


def _built(command: list[str], more: dict[str, str]) -> bool:
    done = subprocess.run(command, cwd=SOURCE, env=os.environ | more, timeout=600, check=False)
    return done.returncode == 0


class Way:
    """Passes connections on to a server: ``serve``, ``hang`` (nothing passes) or ``cut`` (all are closed)."""

    def __init__(self, port: int) -> None:
        """Listen on a port of its own."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._target = port
        self._open = threading.Event()
        self._open.set()
        self._refuses = False
        self._ends: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, port: int | None = None) -> None:
        """Let everything pass, to another server if its ``port`` is given."""
        self._target = port or self._target
        self._refuses = False
        self._open.set()

    def hang(self) -> None:
        """Let nothing pass; connections stay open."""
        self._open.clear()

    def cut(self) -> None:
        """Close all connections, and new ones as they come."""
        self._refuses = True
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop."""
        self.cut()
        self.listener.close()
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            if self._refuses:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the server is being started anew
                near.close()
                continue
            self._ends |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._ends.discard(end)


class Vcenter:
    """A running simulator, with a session of the test's own to change things."""

    def __init__(
        self, binary: Path, folder: Path, *, machines: int = 2, hosts: int = 2, cards: int = 1
    ) -> None:
        """Start it; ``folder`` gets its certificate and credentials."""
        self.ca, self.credentials = folder / "vcenter.pem", folder / "credentials.yaml"
        self.credentials.write_text("{username: user, password: pass}\n")
        self.credentials.chmod(0o600)
        self._process = subprocess.Popen(
            [
                binary, "-machines", str(machines), "-hosts", str(hosts), "-cards", str(cards),
                "-certificate", self.ca,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"TMPDIR": str(folder)},  # for the disks of its machines
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(":")[2])
        try:
            context = ssl.create_default_context(cafile=str(self.ca))
            login = {"user": "user", "pwd": "pass", "sslContext": context}
            self.session = SmartConnect(host="127.0.0.1", port=self.port, **login)
            self.content = self.session.RetrieveContent()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, as a vCenter that crashes."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def close(self) -> None:
        """End the session and the simulator."""
        if self._process.poll() is None:
            Disconnect(self.session)
            self.stop()

    def options(self, port: int = 0, **more: Any) -> dict[str, Any]:
        """Give what a provider needs to know."""
        return {
            "type": "vsphere", "server": "127.0.0.1", "port": port or self.port,
            "credentials": str(self.credentials), "ca": str(self.ca),
        } | more  # fmt: skip

    def objects(self, kind: Any) -> dict[str, Any]:
        """Give all objects of a kind by name."""
        return {values["name"]: one for one, values in self.properties(kind, "name")}

    def properties(self, kind: Any, *paths: str) -> list[tuple[Any, dict[str, Any]]]:
        """Give all objects of a kind with some of their properties."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], recursive=True)
        collector = vmodl.query.PropertyCollector
        selected = collector.TraversalSpec(type=type(view), path="view", skip=False)
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=view, skip=True, selectSet=[selected])],
            propSet=[collector.PropertySpec(type=kind, pathSet=list(paths))],
        )
        found = self.content.propertyCollector.RetrieveProperties([spec])
        view.DestroyView()
        return [(one.obj, {value.name: value.val for value in one.propSet}) for one in found]

    def machines(self) -> dict[str, Any]:
        """Give all machines by name."""
        return self.objects(vim.VirtualMachine)

    def value(self, managed: Any, path: str) -> Any:
        """Read one property."""
        collector = vmodl.query.PropertyCollector
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=managed)],
            propSet=[collector.PropertySpec(type=type(managed), pathSet=[path])],
        )
        found = self.content.propertyCollector.RetrieveProperties([spec])
        return found[0].propSet[0].val

    def relocate(self, machine: Any, host: str) -> None:
        """Move a machine."""
        target = self.objects(vim.HostSystem)[host]
        self.wait(machine.Relocate(vim.vm.RelocateSpec(host=target)))

    def wait(self, task: Any) -> None:
        """Wait until a task is done; pyvmomi's own way asks the simulator for what it does not know."""
        until = time.monotonic() + 30.0
        while (state := str(self.value(task, "info.state"))) in {"queued", "running"}:
            assert time.monotonic() < until, state
            time.sleep(0.01)
        assert state == "success", self.value(task, "info.error")

    def host_of(self, machine: Any) -> str:
        """Name the host of a machine."""
        return str(self.value(machine, "runtime.host").name)


@contextlib.contextmanager
def vcenter(binary: Path, folder: Path, **size: int) -> Iterator[Vcenter]:
    """Run a simulator."""
    found = Vcenter(binary, folder, **size)
    try:
        yield found
    finally:
        found.close()
