"""A provider's process, kept running and listened to: whatever it does, it holds nobody up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.hypervisor.frames import FrameError, FrameReader
from appliance.hypervisor.intake import Intake, Taken

SILENCE = 20.0  # seconds without a sign of life after which a process hangs
_CALM = 60.0  # seconds after which a process that ends counts as well
_MAX_PAUSE = 30.0
_READ = 64 << 10
_TICK = 1.0
_REAP = 1.0

Took = Callable[["Provider", Taken], None]


@dataclass(slots=True)
class Tally:
    """What came of a provider, for status and metrics."""

    starts: int = 0
    frames: int = 0
    refused: int = 0  # frames and machines that made no sense
    hangs: int = 0
    lost: int = 0  # times at which it ceased to tell of changes


class Provider:
    """Runs ``python -m appliance.hypervisor TYPE`` and gives what it says to ``took``, until cancelled."""

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        took: Took,
        intake: Intake,
        *,
        silence: float = SILENCE,
        program: Sequence[str] = (sys.executable, "-m", "appliance.hypervisor"),
    ) -> None:
        """Take ``options`` for the process, ``type`` among them, and what was known before in ``intake``."""
        self._program = program
        self.name = name
        self.options = options
        self.tally = Tally()
        self.connected = False
        self.told = False  # what others were told of that
        self.why = "has not answered yet"
        self.answered = False  # it has said once all that it knows
        self.intake = intake
        self._took = took
        self._silence = silence
        self._complaint = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process number, 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def run(self) -> None:
        """Start the process, and again after a growing pause whenever it ends."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            why = await self._run_once()
            self._lose(why)
            calm = time.monotonic() - begun > _CALM
            pause = 1.0 if calm else min(_MAX_PAUSE, max(0.5, pause * 2))

    async def _run_once(self) -> str:
        """Run one process to its end; says why it ended."""
        self.intake = Intake(self.name, self.intake.view)
        self.tally.starts += 1
        self._complaint = ""
        orders, theirs_in = _pipe()
        theirs_out, answers = _pipe(reading=True)
        try:
            with os.fdopen(theirs_in, "rb", 0) as stdin, os.fdopen(theirs_out, "wb", 0) as stdout:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [*self._program, self.options["type"]], stdin=stdin, stdout=stdout
                )
            os.write(orders, json.dumps(self.options).encode() + b"\n")
            return await self._listen(answers)
        except BrokenPipeError:
            return "its process has ended"
        finally:
            self._end()
            os.close(orders)
            os.close(answers)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may hang in the kernel, for all we know
            process.wait(_REAP)

    async def _listen(self, answers: int) -> str:
        reader, heard = FrameReader(), time.monotonic()
        while True:
            data = await _read(answers, _TICK)
            now, taken = time.monotonic(), Taken()
            if data == b"":
                return self._complaint or "its process has ended"
            problem = self._feed(reader, data, now, taken) if data else ""
            self.intake.tick(now, taken)
            self._tell(taken)
            if problem:
                return problem
            heard = now if data else heard
            if now - heard > self._silence:
                self.tally.hangs += 1
                return "it hangs"
            await asyncio.sleep(0)  # one that never ceases to speak is not alone

    def _feed(self, reader: FrameReader, data: bytes, now: float, taken: Taken) -> str:
        """Take what came; says why the process is not to be listened to any more."""
        try:
            for frame in reader.feed(data):
                self.tally.frames += 1
                self.intake.take(frame, now, time.time_ns(), taken)
        except FrameError as error:
            self.tally.refused += 1
            return f"it says what makes no sense: {error}"
        finally:
            self.tally.refused += len(taken.errors)
        return ""

    def _tell(self, taken: Taken) -> None:
        if taken.whole and not taken.trouble:
            self.connected = self.answered = True
            self.why = ""
        elif taken.trouble:
            self._complaint = taken.trouble
            self._set_lost(taken.trouble)
        self._took(self, taken)

    def _lose(self, why: str) -> None:
        self._set_lost(why)
        self._took(self, Taken())

    def _set_lost(self, why: str) -> None:
        self.tally.lost += self.connected
        self.connected, self.why = False, why

    def status(self) -> dict[str, Any]:
        """Describe the provider as plain values."""
        return {
            "name": self.name,
            "type": self.options["type"],
            "connected": self.connected,
            "answered": self.answered,
            "why": self.why,
            "pid": self.pid,
            "machines": len(self.intake.view),
            "starts": self.tally.starts,
            "frames": self.tally.frames,
            "refused": self.tally.refused,
            "hangs": self.tally.hangs,
            "lost": self.tally.lost,
        }


def _pipe(*, reading: bool = False) -> tuple[int, int]:
    """Make a pipe: our end first, or last where we are the one who reads."""
    read, write = os.pipe()
    ours = read if reading else write
    os.set_blocking(ours, False)
    return write, read


async def _read(fd: int, patience: float) -> bytes | None:
    """Read what is there; None when nothing comes for ``patience`` seconds."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), patience)
        return os.read(fd, _READ)
    except (TimeoutError, BlockingIOError):
        return None
    finally:
        loop.remove_reader(fd)
