"""Which protocols have to be parsed, and what of files has to be computed: only what somebody asks for."""

from __future__ import annotations

from dataclasses import replace

from appliance.config.settings import AppSettings, Settings
from appliance.detect.ruleset import Ruleset
from appliance.firewall.bound import BoundPolicies

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
