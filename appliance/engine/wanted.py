"""Which protocols have to be parsed, and what of files has to be computed: only what somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from appliance.config.settings import AppSettings, EveOutput, FileStoreSettings, Settings, StreamSettings
from appliance.detect.ruleset import Ruleset
from appliance.firewall.bound import BoundPolicies
from appliance.protocols import registry
from appliance.protocols.spool import Spool

_HASHES = frozenset(("md5", "sha1", "sha256"))


def with_needs(settings: AppSettings, needs: frozenset[str]) -> AppSettings:
    """Add the hashes and file types that rules compare to those that the settings ask for."""
    protocols = settings.protocols
    if "body-md5" in needs:
        smtp = settings.options("smtp")
        mime = smtp.get("mime")
        mime = {**(mime if isinstance(mime, dict) else {}), "body-md5": True}
        protocols = {**protocols, "smtp": {**smtp, "mime": mime}}
    return replace(
        settings,
        protocols=protocols,
        force_hashes=settings.force_hashes | (needs & _HASHES),
        force_magic=settings.force_magic or "magic" in needs,
        frames=frozenset(need.partition(":")[2] for need in needs if need.startswith("frame:")),
    )


def records_frames(outputs: Iterable[EveOutput]) -> bool:
    """Tell whether an output wants a record of every frame."""
    return any("frame" in output.types for output in outputs)


def with_frames(settings: AppSettings, outputs: Iterable[EveOutput]) -> AppSettings:
    """Add all frames where an output records them."""
    if not records_frames(outputs):
        return settings
    names = frozenset(name for protocol in registry.ALL for name in registry.frames(protocol))
    return replace(settings, frames=settings.frames | names)


def with_files(
    settings: AppSettings,
    store: FileStoreSettings,
    stream: StreamSettings,
    magic: Callable[[bytes], str] | None,
) -> AppSettings:
    """Add what the types of files are found with, and the room for files that are to be stored."""
    depth = with_depth(stream, store).depth
    spool = Spool(everything=store.everything, depth=depth) if store.enabled else None
    hashes = settings.force_hashes | {"sha256"} if store.enabled else settings.force_hashes
    found = magic if settings.force_magic else None
    return replace(settings, magic=found, spool=spool, force_hashes=hashes)


def with_depth(settings: StreamSettings, store: FileStoreSettings) -> StreamSettings:
    """Follow streams as far as the file store wants them, where that is farther."""
    wanted = store.stream_depth
    if not store.enabled or wanted < 0 or settings.depth == 0 or 0 < wanted <= settings.depth:
        return settings
    return replace(settings, depth=wanted)


def wanted_protocols(
    settings: Settings, ruleset: Ruleset | None, bound: BoundPolicies | None
) -> frozenset[str] | None:
    """Name the protocols to parse; None is all, which is what any record of theirs or any rule needs.

    Without rules and without an output nobody looks at what parsers find. Recognition of applications,
    which application control needs, goes on either way.
    """
    del bound
    if settings.eve or (ruleset is not None and len(ruleset)):
        return None
    return frozenset()
