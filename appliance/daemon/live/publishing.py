"""``eastwall cluster publish``: this host's documents as a bundle for all hosts that follow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from appliance.config.errors import ConfigError
from appliance.daemon.assemble import read_documents
from appliance.daemon.live.files import Appliance, load_appliance
from appliance.handoff.bundle import Bundle, BundleError, Manifest
from appliance.handoff.bundles import SETTINGS, Bundles
from appliance.handoff.credentials import Access, SecretError
from appliance.handoff.document import CredentialsDocument
from appliance.handoff.lease import EXPECTED
from appliance.handoff.link import SafeClient
from appliance.handoff.session import open_bucket
from appliance.handoff.store import StoreError

_PATIENCE = 5.0


class PublishError(Exception):
    """Nothing was published; ``errors`` say why."""

    def __init__(self, errors: list[ConfigError]) -> None:
        """Keep all errors."""
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


def publish(path: Path, credentials: CredentialsDocument | None) -> Manifest:
    """Check the documents that the appliance file names, and publish them.

    Args:
        path: The appliance file; its ``cluster`` says where to.
        credentials: Whom to be instead of what the file says; hosts need not be allowed to publish.

    Raises:
        PublishError: a document is wrong, or the servers refuse.
    """
    appliance, errors = load_appliance(path, follow=False)
    if appliance is None:
        raise PublishError(errors)
    document = appliance.document.cluster
    if document is None:
        raise PublishError([_error(path, "there is no `cluster` to publish to")])
    found = read_documents(replace(appliance.inputs(), bind=False))
    wrong = [*found.errors, *found.rules.unreadable]
    if wrong:
        raise PublishError(wrong)
    access = Access(
        document.model_copy(update={"credentials": credentials or document.credentials}), appliance.named
    )
    try:
        return asyncio.run(_send(access, bundle_of(appliance).pack()))
    except (BundleError, SecretError, StoreError, NatsError, OSError, TimeoutError) as error:
        raise PublishError([_error(path, str(error) or type(error).__name__)]) from error


def _error(path: Path, text: str) -> ConfigError:
    return ConfigError(str(path), 0, 0, "cluster", text)


def bundle_of(appliance: Appliance) -> Bundle:
    """Gather the files that the appliance file names: policies, rules, inventory, settings.

    Raises:
        BundleError: there is too much of it, or a file cannot be read.
    """
    document = appliance.document
    files: dict[str, bytes] = {}
    parts: dict[str, Any] = {}
    for kind, names in (("policies", document.policies), ("rules", document.rules)):
        parts[kind] = [_gather(appliance.named(name), f"{kind}/{n}", files) for n, name in enumerate(names)]
    for kind, name in (("inventory", document.inventory), ("settings", document.settings)):
        parts[kind] = _gather(appliance.named(name), kind, files) if name else ""
    return Bundle(files, parts)


def _gather(path: Path, under: str, files: dict[str, bytes]) -> str:
    """Add a file, or all of a folder; gives its name in the bundle."""
    try:
        for one in _inside(path):
            name = f"{under}/{one.relative_to(path) if path.is_dir() else one.name}"
            files[name] = one.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    return under if path.is_dir() else f"{under}/{path.name}"


def _inside(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(one for one in path.rglob("*") if one.is_file())
    else:
        yield path


async def _send(access: Access, packed: bytes) -> Manifest:
    """Connect to the first server that answers, and publish.

    Raises:
        StoreError: none does.
    """
    why = "no server answers"
    for server in access.document.servers:
        client = SafeClient()
        try:
            async with asyncio.timeout(_PATIENCE):
                await client.connect(
                    servers=[server], allow_reconnect=False, connect_timeout=int(_PATIENCE), error_cb=_quiet,
                    inbox_prefix=f"_INBOX.{access.document.name}", **access.options(),
                )  # fmt: skip
        except EXPECTED as error:
            why = f"{server}: {type(error).__name__}: {error}"
            continue
        try:
            stream = client.jetstream(timeout=_PATIENCE)
            bucket = await open_bucket(stream, access.document, "policies", SETTINGS)
            return await Bundles(bucket, Counter()).publish(packed, access.document.name)
        finally:
            await client.close()
    raise StoreError(why)


async def _quiet(error: Exception) -> None:
    """Say nothing here: what fails is raised where it matters."""
    del error
