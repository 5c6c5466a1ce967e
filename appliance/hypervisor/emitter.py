"""A provider's way to the supervisor: what is the same as before is not said again."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator

from appliance.hypervisor.frames import VERSION, Frame, FrameError, encode
from appliance.hypervisor.messages import plain
from appliance.inventory.events import EventKind
from appliance.inventory.machines import Machine

BEAT = 2.0  # seconds between signs of life
_MAX_WHY = 1000


class Emitter:
    """Writes frames to a pipe; whoever reads slowly makes the provider wait, nobody else."""

    def __init__(self, fd: int) -> None:
        """Write to ``fd``; the first frame is written at once."""
        self._fd = fd
        self._seq = 0
        self._saying = threading.Lock()
        self._trouble = ""
        self.known: dict[str, Machine] = {}
        self._say("hello", version=VERSION)

    def sync(self, machines: Iterable[Machine]) -> None:
        """Say all machines anew."""
        self.known = {machine.uuid: machine for machine in machines}
        self._trouble = ""
        self._say("sync")
        for machine in self.known.values():
            self._present(machine)
        self._say("synced")

    def all(self, machines: Iterable[Machine]) -> None:
        """Say what differs from what was said; who is not among ``machines`` is gone."""
        wanted = {machine.uuid: machine for machine in machines}
        for uuid in self.known.keys() - wanted.keys():
            self.gone(uuid)
        for machine in wanted.values():
            self.machine(machine)

    def machine(self, machine: Machine) -> None:
        """Say that a machine is there, unless that is known."""
        if self.known.get(machine.uuid) != machine:
            self.known[machine.uuid] = machine
            self._present(machine)

    def _present(self, machine: Machine) -> None:
        try:
            self._say("machine", machine=plain(machine))
        except FrameError:
            self.trouble(f"machine {machine.uuid} says more than a frame can hold")

    def gone(self, uuid: str) -> None:
        """Say that a machine is not there any more."""
        if self.known.pop(uuid, None) is not None:
            self._say("gone", uuid=uuid)

    def hint(
        self, kind: EventKind, uuid: str, host: str = "", source: str = "", here: bool | None = None
    ) -> None:
        """Say what a hypervisor announces of a move."""
        self._say("hint", kind=kind.value, uuid=uuid, host=host[:255], source=source[:255], here=here)

    def beat(self) -> None:
        """Say that all is well."""
        self._say("beat")

    def trouble(self, why: str) -> None:
        """Say why no changes are heard of; it is said again as a sign of life."""
        self._trouble = why[:_MAX_WHY]
        self._say("trouble", why=self._trouble)

    @contextlib.contextmanager
    def patient(self, most: float) -> Iterator[None]:
        """Beat while something takes long that is no hang, such as the first answer of a large server.

        No longer than ``most`` (s): then it is one.
        """
        done = threading.Event()

        def beating() -> None:
            beats = 0
            while not done.wait(BEAT) and beats * BEAT < most:
                self.beat()
                beats += 1

        thread = threading.Thread(target=beating, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _say(self, what: str, **more: object) -> None:
        with self._saying:
            self._seq += 1
            frame: Frame = {"say": what, "seq": self._seq, **more}
            data = memoryview(encode(frame))
            while data:
                data = data[os.write(self._fd, data) :]
