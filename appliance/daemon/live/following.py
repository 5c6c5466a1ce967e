"""Puts the bundles of a cluster in force on this host: checked aside, then whole, or not at all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from appliance.daemon.assemble import read_documents
from appliance.daemon.live.bundled import Current, read_current, tidy, unfold, write_current
from appliance.daemon.live.files import load_appliance
from appliance.daemon.live.rulecheck import check_rules
from appliance.handoff.bundle import BundleError, Manifest, unpack

_SHOWN = 10  # errors in a record
Check = Callable[[Path], Awaitable[list[str]]]


class Follower:
    """Takes bundles; one with a number that is not higher than the one in force never counts."""

    def __init__(
        self,
        state: Path,
        check: Check,
        reload: Callable[[], Awaitable[list[str]]],
        note: Callable[..., None],
    ) -> None:
        """Keep bundles in ``state``.

        Args:
            state: The appliance's folder.
            check: Reads a bundle's folder aside and gives what is wrong with it.
            reload: Puts in force what is noted as current, and gives what is wrong.
            note: Writes a record.
        """
        self._state, self._check, self._reload, self._note = state, check, reload, note
        self.current = read_current(state)
        self.refused: tuple[int, str] = (0, "")  # number and digest of the last that was refused
        self._offered: tuple[Manifest, bytes] | None = None
        self._came = asyncio.Event()

    def wanted(self, manifest: Manifest) -> bool:
        """Tell whether a bundle is newer than the one in force, and was not refused."""
        if manifest.number < self.current.number:
            self._note("bundle.old", number=manifest.number, in_force=self.current.number)
        return manifest.number > self.current.number and (manifest.number, manifest.digest) != self.refused

    def offer(self, manifest: Manifest, packed: bytes) -> None:
        """Take a bundle, in place of one that nobody has looked at yet."""
        self._offered = (manifest, packed)
        self._came.set()

    async def run(self) -> None:
        """Put bundles in force until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            offered, self._offered = self._offered, None
            if offered is not None and self.wanted(offered[0]):
                await self._take(*offered)

    async def _take(self, manifest: Manifest, packed: bytes) -> None:
        try:
            bundle = await asyncio.to_thread(unpack, manifest, packed)
            folder = await asyncio.to_thread(unfold, self._state, manifest, bundle)
        except (BundleError, OSError) as error:
            self._refuse(manifest, [str(error)])
            return
        errors = await self._check(folder) or await self._exchange(manifest, folder)
        if errors:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            self._refuse(manifest, [error.replace(f"{folder}/files/", "") for error in errors])
            return
        self._note("bundle.in_force", number=manifest.number, by=manifest.by, digest=manifest.digest)
        await asyncio.to_thread(tidy, self._state, str(folder))

    async def _exchange(self, manifest: Manifest, folder: Path) -> list[str]:
        before = self.current
        try:
            write_current(self._state, Current(manifest.number, manifest.digest, str(folder)))
            errors = await self._reload()
            if errors:
                write_current(self._state, before)
        except OSError as error:
            return [str(error)]
        if not errors:
            self.current = read_current(self._state)
        return errors

    def _refuse(self, manifest: Manifest, errors: list[str]) -> None:
        self.refused = (manifest.number, manifest.digest)
        shown: dict[str, Any] = {"errors": errors[:_SHOWN], "more": max(0, len(errors) - _SHOWN)}
        self._note("bundle.refused", number=manifest.number, by=manifest.by, **shown)


class Reloaded(Protocol):
    """What a reload gives."""

    errors: list[str]


def follower_of(
    state: Path, path: Path, reload: Callable[[], Awaitable[Reloaded]], note: Callable[..., None]
) -> Follower:
    """Make the follower of the appliance file at ``path``."""

    async def check(folder: Path) -> list[str]:
        errors = await asyncio.to_thread(_read_aside, path, folder)
        return errors or list((await check_rules(path, folder)).errors)

    async def again() -> list[str]:
        return (await reload()).errors

    return Follower(state, check, again, note)


def _read_aside(path: Path, folder: Path) -> list[str]:
    """Read everything but rules; gives what is wrong."""
    appliance, errors = load_appliance(path, folder)
    if appliance is None:
        return [str(error) for error in errors]
    found = read_documents(replace(appliance.inputs(detection=False), bind=False))
    return [str(error) for error in found.errors]
