"""Bundles in the store: published piece by piece, the manifest last; watched for, fetched whole."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from appliance.handoff.bundle import Manifest, describe, read_manifest
from appliance.handoff.codec import MAX_PIECE
from appliance.handoff.lease import EXPECTED, revision_of
from appliance.handoff.store import StoreError

SETTINGS: dict[str, Any] = {"max_value_size": MAX_PIECE, "history": 1, "max_bytes": 256 << 20}
_KEY = "bundle"


class Bundles:
    """The bucket of bundles."""

    def __init__(self, bucket: KeyValue, counts: Counter[str]) -> None:
        """Work on ``bucket``."""
        self._bucket, self._counts = bucket, counts

    async def publish(self, packed: bytes, by: str) -> Manifest:
        """Store a bundle under the next number.

        Raises:
            StoreError: it was not stored, or somebody else has published at the same time.
        """
        try:
            before, last = await self._newest()
            manifest = describe(packed, before.number + 1 if before is not None else 1, by, time.time_ns())
            for index in range(manifest.pieces):
                await self._bucket.put(
                    manifest.key(index), packed[index * MAX_PIECE : (index + 1) * MAX_PIECE]
                )
            await self._bucket.update(_KEY, manifest.pack(), last=last)
        except KeyWrongLastSequenceError:
            raise StoreError("somebody else has published at the same time; look, and try again") from None
        except EXPECTED as error:
            raise StoreError(f"not published: {type(error).__name__}: {error}"[:200]) from error
        if before is not None and before.digest != manifest.digest:
            await self._purge(before)
        return manifest

    async def _newest(self) -> tuple[Manifest | None, int]:
        try:
            entry = await self._bucket.get(_KEY)
        except KeyNotFoundError as error:
            return None, revision_of(error.entry)
        manifest = read_manifest(entry.value or b"")
        if manifest is None:
            raise StoreError("there is a bundle that makes no sense; remove the key `bundle` of the bucket")
        return manifest, revision_of(entry)

    async def _purge(self, manifest: Manifest) -> None:
        for index in range(manifest.pieces):
            try:
                await self._bucket.purge(manifest.key(index))
            except EXPECTED:
                return  # what is left over is bounded by the bucket

    async def watch(
        self, wanted: Callable[[Manifest], bool], take: Callable[[Manifest, bytes], None]
    ) -> None:
        """Give each bundle that is ``wanted`` to ``take``, until cancelled."""
        watcher: Any = await self._bucket.watch(_KEY)
        while True:
            entry = await watcher.__anext__()
            if entry is None or entry.operation is not None:
                continue
            manifest = read_manifest(entry.value or b"")
            if manifest is None:
                self._counts["garbage"] += 1
            elif wanted(manifest):
                packed = await self._fetch(manifest)
                if packed is not None:
                    take(manifest, packed)

    async def _fetch(self, manifest: Manifest) -> bytes | None:
        """Give a bundle's bytes; None where pieces are missing: a newer one is there, or will be."""
        packed = bytearray()
        for index in range(manifest.pieces):
            try:
                packed += (await self._bucket.get(manifest.key(index))).value or b""
            except KeyNotFoundError:
                self._counts["cut off"] += 1
                return None
            if len(packed) > manifest.size:
                self._counts["garbage"] += 1
                return None
        return bytes(packed)
