"""Session descriptions in message bodies (SDP, RFC 8866)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.reader import text

MAX_LINES = 1024

# Letter of a line that stands for itself -> its name in logs and rules.
_SESSION = {
    b"o": "origin",
    b"s": "session_name",
    b"i": "session_info",
    b"u": "uri",
    b"e": "email",
    b"p": "phone_number",
    b"c": "connection_data",
    b"z": "timezone",
    b"k": "encryption_key",
}
_MEDIA = {b"i": "media_info", b"c": "connection_data", b"k": "encryption_key"}


class Part:
    """The lines of the session, or those of one medium: single ones by name, and the repeated."""

    __slots__ = ("attributes", "bandwidths", "fields")

    def __init__(self) -> None:
        """Start empty."""
        self.fields: dict[str, bytes] = {}
        self.attributes: list[bytes] = []
        self.bandwidths: list[bytes] = []

    def take(self, letter: bytes, value: bytes, names: dict[bytes, str]) -> None:
        """Take one line."""
        if letter == b"a":
            self.attributes.append(value)
        elif letter == b"b":
            self.bandwidths.append(value)
        elif letter in names:
            self.fields.setdefault(names[letter], value)

    def log(self) -> dict[str, Any]:
        """Give this part of the record."""
        found: dict[str, Any] = {name: text(value) for name, value in self.fields.items()}
        if self.bandwidths:
            found["bandwidths"] = [text(value) for value in self.bandwidths]
        if self.attributes:
            found["attributes"] = [text(value) for value in self.attributes]
        return found


class Description:
    """One description: the session, its times (each with its repetitions) and its media."""

    __slots__ = ("media", "session", "times")

    def __init__(self) -> None:
        """Start empty."""
        self.session = Part()
        self.times: list[tuple[bytes, list[bytes]]] = []
        self.media: list[Part] = []

    def buffer(self, name: str) -> list[bytes]:
        """Give the values that a rule means by ``name``, which comes after "sdp."."""
        scope, _, field = name.partition(".")
        if scope == "media":
            return [part.fields[field] for part in self.media if field in part.fields]
        if name == "time":
            return [time for time, _ in self.times]
        if name == "repeat_time":
            return [item for _, repeated in self.times for item in repeated]
        if name == "attribute":
            return list(self.session.attributes)
        if name == "bandwidth":
            return list(self.session.bandwidths)
        return [self.session.fields[name]] if name in self.session.fields else []

    def log(self) -> dict[str, Any]:
        """Give the record's ``sdp``."""
        found = self.session.log()
        if self.times:
            found["time_descriptions"] = [
                {"time": text(time)} | ({"repeat_time": text(b" ".join(again))} if again else {})
                for time, again in self.times
            ]
        if self.media:
            found["media_descriptions"] = [part.log() for part in self.media]
        return found


def parse(body: bytes) -> Description | None:
    """Read a description; None when it does not begin with its version."""
    if not body.startswith(b"v="):
        return None
    found = Description()
    for line in body.split(b"\n", MAX_LINES)[:MAX_LINES]:
        letter, equals, value = line.rstrip(b"\r").partition(b"=")
        if not equals:
            continue
        if letter == b"m":
            found.media.append(Part())
            found.media[-1].fields["media"] = value
        elif found.media:
            found.media[-1].take(letter, value, _MEDIA)
        elif letter == b"t":
            found.times.append((value, []))
        elif letter == b"r" and found.times:
            found.times[-1][1].append(value)
        else:
            found.session.take(letter, value, _SESSION)
    return found
