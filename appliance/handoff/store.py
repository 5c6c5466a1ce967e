"""Who owns an interface, as a record in a store that hosts share and write by compare and set.

A record is a small JSON object under a key made of UUID and name. Its revision is the store's: it rises with
every write, and each write names the one that it replaces. What cannot be read counts as garbage and is never
taken for anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from appliance.handoff.codec import read_object

VERSION = 1
MAX_RECORD = 2 << 10
MAX_NAME = 255
NOBODY = ""
HOST = re.compile(r"[A-Za-z0-9_-]{1,63}")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODED = "="  # before a name that is written as hexadecimal
_MAX_REVISION = (1 << 63) - 1

Identity = tuple[str, str]  # UUID of the machine, name of its interface


class StoreError(Exception):
    """Nobody knows what came of it: the store is away, too slow, refuses, or holds what makes no sense."""


class LostError(Exception):
    """A write did not take place: the record has another revision."""


@dataclass(frozen=True, slots=True)
class Record:
    """Whose an interface is. ``host`` may be ``NOBODY``; ``at`` is the writer's time in ns."""

    identity: Identity
    host: str
    at: int = 0

    def pack(self) -> bytes:
        """Write the record."""
        uuid, name = self.identity
        data = {"v": VERSION, "uuid": uuid, "name": name, "host": self.host, "at": self.at}
        return json.dumps(data, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Found:
    """What the store has under a key: no record where it was never written, was deleted, or is ``odd``."""

    record: Record | None
    revision: int = 0
    odd: bool = False

    @property
    def host(self) -> str:
        """Name the owner."""
        return self.record.host if self.record is not None else NOBODY


class Store(Protocol):
    """Records by compare and set. Both methods raise :class:`StoreError` within a few seconds."""

    async def read(self, identity: Identity) -> Found:
        """Give what there is now."""

    async def write(self, record: Record, last: int) -> int:
        """Write over revision ``last`` (0: over nothing); gives the new one.

        Raises:
            LostError: the record has another revision.
        """


def read_record(data: bytes) -> Record | None:
    """Read what :meth:`Record.pack` wrote; None where it is of another version or anything is odd."""
    found = read_object(data, MAX_RECORD)
    if found is None or found.get("v") != VERSION:
        return None
    identity, host, at = identity_in(found), found.get("host"), found.get("at")
    named = isinstance(host, str) and (host == NOBODY or HOST.fullmatch(host) is not None)
    if identity is None or not named or not is_count(at):
        return None
    return Record(identity, str(host), int(str(at)))


def identity_in(found: Mapping[str, Any]) -> Identity | None:
    """Give the interface that an object names in ``uuid`` and ``name``; None where it names none."""
    uuid, name = found.get("uuid"), found.get("name")
    if not isinstance(uuid, str) or not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return None
    lone = any("\ud800" <= letter <= "\udfff" for letter in name)  # surrogates, which JSON may bring
    return (uuid, name) if is_uuid(uuid) and not lone else None


def is_uuid(text: str) -> bool:
    """Tell whether this is a UUID in its usual spelling."""
    try:
        return len(text) == 36 and str(UUID(text)) == text
    except ValueError:
        return False


def is_count(value: object) -> bool:
    """Tell whether this is a number as revisions and times are."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_REVISION


def key_of(identity: Identity) -> str:
    """Give the key of a record; unusual names of interfaces are written as hexadecimal."""
    uuid, name = identity
    return f"{uuid}.{name if _PLAIN.fullmatch(name) else _CODED + name.encode().hex()}"


def identity_of(key: str) -> Identity | None:
    """Give the interface whose record has this key; None where :func:`key_of` gives no such key."""
    uuid, _, name = key.partition(".")
    if name.startswith(_CODED):
        try:
            name = bytes.fromhex(name.removeprefix(_CODED)).decode()
        except ValueError:
            return None
    found = identity_in({"uuid": uuid, "name": name})
    return found if found is not None and key_of(found) == key else None
