"""What hosts say to each other about an interface: small JSON objects, read with suspicion.

Who has said something is not in it: the subject that it came by says so, and the server holds hosts to that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from appliance.handoff.codec import MAX_HEADER, Header, read_header, read_object
from appliance.handoff.fsm import Event
from appliance.handoff.store import Identity, identity_in

VERSION = 1
MAX_MESSAGE = MAX_HEADER + (4 << 10)
_SAID = {
    "ask copy": Event.ASK_COPY,
    "ask state": Event.ASK_STATE,
    "abort": Event.ABORT,
    "copy": Event.COPY,
    "state": Event.STATE,
    "not yet": Event.NOT_YET,
}
_NAMES = {event: name for name, event in _SAID.items()}
WITH_HEADER = frozenset((Event.COPY, Event.STATE))
_MAX_IDENT = 64


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said. ``known`` names the copy that whoever asks has; ``header`` is of a copy or state."""

    event: Event
    identity: Identity
    known: str = ""
    header: Header | None = None

    def pack(self) -> bytes:
        """Write the message."""
        uuid, name = self.identity
        data = {"v": VERSION, "is": _NAMES[self.event], "uuid": uuid, "name": name, "known": self.known}
        if self.header is not None:
            data["header"] = self.header.pack().decode()
        return json.dumps(data, separators=(",", ":")).encode()


def read_message(data: bytes) -> Message | None:
    """Read what :meth:`Message.pack` wrote; None where it is of another version or anything is odd."""
    found = read_object(data, MAX_MESSAGE)
    if found is None or found.get("v") != VERSION:
        return None
    event, identity, known = _SAID.get(str(found.get("is"))), identity_in(found), found.get("known")
    if event is None or identity is None or not isinstance(known, str) or len(known) > _MAX_IDENT:
        return None
    header = _header_in(found.get("header"), identity)
    if (event in WITH_HEADER) is (header is None) or (header is not None and header.final is _is_copy(event)):
        return None
    return Message(event, identity, known, header)


def _is_copy(event: Event) -> bool:
    return event is Event.COPY


def _header_in(text: object, identity: Identity) -> Header | None:
    header = read_header(text.encode()) if isinstance(text, str) and len(text) <= MAX_HEADER else None
    return header if header is not None and (header.uuid, header.name) == identity else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One piece of a body that was announced."""

    ident: str
    index: int

    def pack(self) -> bytes:
        """Write the request."""
        return json.dumps({"v": VERSION, "ident": self.ident, "index": self.index}).encode()


def read_wanted(data: bytes) -> Wanted | None:
    """Read what :meth:`Wanted.pack` wrote; None where anything is odd."""
    found = read_object(data, 256)
    if found is None or found.get("v") != VERSION:
        return None
    ident, index = found.get("ident"), found.get("index")
    if not isinstance(ident, str) or not isinstance(index, int) or isinstance(index, bool):
        return None
    return Wanted(ident, index)
