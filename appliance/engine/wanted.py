"""Which protocols have to be parsed, and what of files has to be computed: only what somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from appliance.config.settings import AppSettings, EveOutput, FileStoreSettings, Settings, StreamSettings
from appliance.detect.ruleset import Ruleset
from appliance.detect.signature import Signature
from appliance.detect.txtests import BufferTest, ValueTest
from appliance.firewall.bound import BoundPolicies, Inspection
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


# Protocols that begin inside another: who parses the one in front sees the change coming.
_CARRIERS = {
    "doh2": ("http2",),
    "ftp-data": ("ftp",),
    "http2": ("http",),
    "tls": ("ftp", "ldap", "mysql", "pgsql", "pop3", "smtp"),
    "websocket": ("http",),
}


def wanted_protocols(
    settings: Settings, ruleset: Ruleset | None, bound: BoundPolicies | None
) -> frozenset[str] | None:
    """Name the protocols to parse; None is all.

    Any record may show what parsers find, so with an output all are parsed. Without one it is what
    rules look into, and what carries an application that a policy refuses. To recognise an application
    nothing has to be parsed.
    """
    if settings.eve:
        return None
    wanted: set[str] = set()
    for signature in ruleset.signatures if ruleset is not None else ():
        names = _looked_into(signature)
        if names is None:
            return None
        wanted |= names
    for policy in bound.policies if bound is not None else ():
        wanted |= _controlled(policy.inspection)
    for _ in _CARRIERS:  # a carrier may have a carrier of its own
        wanted.update(name for carried in wanted & _CARRIERS.keys() for name in _CARRIERS[carried])
    return frozenset(wanted)


def _looked_into(signature: Signature) -> frozenset[str] | None:
    """Give the protocols whose parsers a rule needs; None when it may need any."""
    if not (signature.tx_tests or signature.events or signature.frame):
        return frozenset()
    if signature.protocols is not None:
        return signature.protocols
    tests = [test for test in signature.tx_tests if isinstance(test, BufferTest | ValueTest)]
    if not tests or len(tests) < len(signature.tx_tests):
        return None
    specs = [test.key.specs if isinstance(test, BufferTest) else test.specs for test in tests]
    return frozenset(protocol for one in specs for protocol, _ in one)


def _controlled(inspection: Inspection) -> frozenset[str]:
    """Give the protocols that a policy refuses and that begin inside others, so that these are parsed."""
    if inspection.allow_applications:
        return frozenset(_CARRIERS.keys() - inspection.allow_applications)
    return frozenset(_CARRIERS.keys() & inspection.deny_applications)
