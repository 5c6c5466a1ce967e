"""Options of the SMTP parser, under the names that Suricata's configuration gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.protocols.mime.options import MimeOptions, flag, mime_options, number


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """``raw`` keeps whole messages as files, for which MIME decoding has to be off."""

    mime: MimeOptions = field(default_factory=MimeOptions)
    raw: bool = False
    content_limit: int = 100_000  # bytes of a file that rules see; 0: no limit of its own
    inspect_min: int = 32_768  # bytes of an unfinished file before rules see it


def smtp_options(section: Any) -> SmtpOptions:
    """Read the protocol's options."""
    if not isinstance(section, Mapping):
        return SmtpOptions()
    mime = mime_options(section.get("mime"))
    tracker = section.get("inspected-tracker")
    tracker = tracker if isinstance(tracker, Mapping) else {}
    return SmtpOptions(
        mime=mime,
        raw=flag(section.get("raw-extraction"), False) and not mime.decode,
        content_limit=number(tracker.get("content-limit"), 100_000),
        inspect_min=number(tracker.get("content-inspect-min-size"), 32_768),
    )
