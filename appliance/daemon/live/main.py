"""Start the appliance, and take it out of the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from appliance.config.errors import ConfigError
from appliance.daemon.live.commands import Commands
from appliance.daemon.live.control import ControlError, ControlServer
from appliance.daemon.live.files import Appliance, load_appliance
from appliance.daemon.live.folders import FolderError, prepare
from appliance.daemon.live.ownership import ClusterError
from appliance.daemon.live.statistics import snapshot
from appliance.daemon.live.supervisor import StartError, Supervisor
from appliance.kernel.base import KernelError
from appliance.kernel.driver import KernelDriver
from appliance.sinks.metrics import MetricsServer

__all__ = ["StartError", "protect", "sweep"]


def protect(path: Path) -> None:
    """Protect this host until told to stop, and begin anew in the same process when told so.

    Raises:
        StartError: a document is wrong, the kernel lacks what is needed, or another appliance runs here.
    """
    appliance = _appliance(path)
    try:
        _prepare(appliance)
        again = asyncio.run(_protect(path, appliance))
    except* (ControlError, KernelError, OSError, ValueError) as group:
        errors = [ConfigError(str(path), 0, 0, "", str(error)) for error in _leaves(group)]
        raise StartError(errors) from group
    except* StartError as group:
        raise StartError(
            [e for one in _leaves(group) if isinstance(one, StartError) for e in one.errors]
        ) from group
    if again:
        os.execv(sys.executable, [sys.executable, "-m", "appliance.cli", "run", "-c", str(path)])  # noqa: S606


def sweep(path: Path) -> None:
    """Take everything of ours out of the kernel: nothing is held up any more, and nothing protected.

    Raises:
        StartError: the file cannot be read, or the kernel refuses.
    """
    _appliance(path)
    try:
        KernelDriver().sweep()
    except KernelError as error:
        raise StartError([ConfigError(str(path), 0, 0, "", str(error))]) from error


async def _protect(path: Path, appliance: Appliance) -> bool:
    try:
        supervisor = Supervisor(path, appliance.state)
    except ClusterError as error:
        raise StartError(error.errors) from error
    commands = Commands(supervisor)
    control = ControlServer(appliance.socket, appliance.document.control.group, commands.answer)
    metrics = appliance.document.metrics
    if metrics is None:
        return await supervisor.run(control)
    with contextlib.closing(MetricsServer(metrics)) as server:
        supervisor.ticked = lambda: server.publish(snapshot(supervisor, time.time_ns()), time.time_ns())
        return await supervisor.run(control)


def _appliance(path: Path) -> Appliance:
    appliance, errors = load_appliance(path)
    if appliance is None:
        raise StartError(errors)
    return appliance


def _prepare(appliance: Appliance) -> None:
    """Make the folders that are needed."""
    Path(appliance.document.cache).mkdir(parents=True, exist_ok=True)
    try:
        prepare(appliance.state, appliance.document.user)
    except FolderError as error:
        raise StartError([ConfigError(str(appliance.path), 0, 0, error.field, str(error))]) from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found
