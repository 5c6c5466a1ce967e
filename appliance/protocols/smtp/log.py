"""Records of mails: the envelope, and the message as ``email``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from appliance.protocols.mime.fields import addresses

if TYPE_CHECKING:
    from appliance.protocols.mime.message import Message

# Field of a message -> its key in a record, and whether the value is one text, a list, or addresses.
_FIELDS: dict[str, tuple[bytes, str]] = {
    "reply_to": (b"reply-to", "text"),
    "bcc": (b"bcc", "addresses"),
    "message_id": (b"message-id", "text"),
    "subject": (b"subject", "text"),
    "x_mailer": (b"x-mailer", "text"),
    "user_agent": (b"user-agent", "text"),
    "received": (b"received", "list"),
    "x_originating_ip": (b"x-originating-ip", "text"),
    "in_reply_to": (b"in-reply-to", "text"),
    "references": (b"references", "text"),
    "importance": (b"importance", "text"),
    "priority": (b"priority", "text"),
    "sensitivity": (b"sensitivity", "text"),
    "organization": (b"organization", "text"),
    "content_md5": (b"content-md5", "text"),
    "date": (b"date", "text"),
}
_EXTENDED = ("bcc", "message_id", "subject", "x_mailer", "user_agent")
_YES = frozenset({True, "yes", "true", "on", "1"})


def text(value: bytes) -> str:
    r"""Write bytes as UTF-8; those that are not become ``\xhh``."""
    return value.decode("utf-8", "backslashreplace")


def email(message: Message) -> dict[str, Any]:
    """Describe a message: what every record says of it."""
    found: dict[str, Any] = {"status": message.status}
    sender = message.fields.first(b"from")
    if sender:
        found["from"] = text(sender)
    for key in ("to", "cc"):
        value = message.fields.first(key.encode())
        names = addresses(value) if value else []
        if names:
            found[key] = [text(name) for name in names]
    if message.attachments:
        found["attachment"] = [text(name) for name in message.attachments]
    if message.urls:
        found["url"] = [text(url) for url in reversed(message.urls)]
    if message.body_md5:
        found["body_md5"] = message.body_md5
    return found


def more(message: Message, options: dict[str, Any]) -> dict[str, Any]:
    """Give what an output's options add: ``extended``, ``custom`` fields, ``md5`` of some."""
    found: dict[str, Any] = {}
    for key in _wanted(options):
        value = _field(message, *_FIELDS[key])
        if value:
            found[key] = value
    digests = options.get("md5")
    if isinstance(digests, list) and "subject" in digests:
        subject = message.fields.first(b"subject")
        if subject:
            found["subject_md5"] = hashlib.md5(subject, usedforsecurity=False).hexdigest()
    return found


def without(found: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Leave out the digest of the body unless the output's ``md5`` asks for it."""
    digests = options.get("md5")
    if isinstance(digests, list) and "body" in digests:
        return found
    return {key: value for key, value in found.items() if key != "body_md5"}


def _wanted(options: dict[str, Any]) -> Iterable[str]:
    """Name the fields that the options ask for, each once."""
    extended = options.get("extended", False)
    keys = list(_EXTENDED) if isinstance(extended, bool | str) and extended in _YES else []
    custom = options.get("custom")
    if isinstance(custom, list):
        keys += [str(name).strip().lower().replace("-", "_") for name in custom]
    return [key for key in dict.fromkeys(keys) if key in _FIELDS]


def _field(message: Message, name: bytes, kind: str) -> Any:
    if kind == "list":
        return [text(value) for value in message.fields.every(name) if value]
    value = message.fields.first(name)
    if not value:
        return None
    return [text(one) for one in addresses(value)] if kind == "addresses" else text(value)
