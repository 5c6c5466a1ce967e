"""Payloads of IKE version 2: proposals, and what is weak in them (RFC 7296, RFC 8247)."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.protocols.ike import names
from appliance.protocols.ike.message import Payloads

SA, KEY_EXCHANGE, NONCE, NOTIFY, VENDOR = 33, 34, 40, 41, 43
_MAX_PROPOSALS = 64
_MAX_TRANSFORMS = 256
_AH = 2
_EVENTS = {
    names.ENCRYPTION: "weak_crypto_enc",
    names.PRF: "weak_crypto_prf",
    names.INTEGRITY: "weak_crypto_auth",
    names.GROUP: "weak_crypto_dh",
}

Transforms = list[tuple[int, int]]  # (type, number)


@dataclass(slots=True)
class Content:
    """What a message has: chosen or proposed algorithms, keys, notifications, events."""

    proposals: list[tuple[int, Transforms]] = field(default_factory=list)
    key_exchange: bytes = b""
    nonce: bytes = b""
    notifications: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def note(self, event: str) -> None:
        """Add an event once."""
        if event not in self.events:
            self.events.append(event)

    @property
    def errors(self) -> int:
        """Count the notifications that are errors."""
        return sum(kind < names.ERROR_LIMIT for kind in self.notifications)


def collect(chain: Payloads, *, initiator: bool) -> Content:
    """Read the payloads that are in the clear."""
    content = Content()
    for kind, body in chain.found:
        if kind == SA:
            _association(content, body, initiator=initiator)
        elif kind == KEY_EXCHANGE:
            content.key_exchange = body[4:]
        elif kind == NONCE:
            content.nonce = body
        elif kind == NOTIFY and len(body) >= 4:
            content.notifications.append(int.from_bytes(body[2:4], "big"))
    return content


def _association(content: Content, body: bytes, *, initiator: bool) -> None:
    """Read a security association payload (section 3.3) and judge its proposals."""
    at = 0
    while at < len(body) and len(content.proposals) < _MAX_PROPOSALS:
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if length < 8 or at + length > len(body):
            content.note("invalid_proposal")
            break
        transforms = _transforms(content, body[at + 8 + body[at + 6] : at + length])
        content.proposals.append((body[at + 5], transforms))
        _judge(content, body[at + 5], transforms)
        at += length
    if not initiator and len(content.proposals) > 1:
        content.note("multiple_server_proposal")


def _transforms(content: Content, body: bytes) -> Transforms:
    found: Transforms = []
    at = 0
    while at < len(body) and len(found) < _MAX_TRANSFORMS:
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if length < 8 or at + length > len(body):
            content.note("invalid_proposal")
            break
        found.append((body[at + 4], int.from_bytes(body[at + 6 : at + 8], "big")))
        at += length
    return found


def _judge(content: Content, protocol: int, transforms: Transforms) -> None:
    """Note algorithms that should not be used, and the lack of those that should."""
    for kind, number in transforms:
        if number in names.WEAK.get(kind, ()):
            content.note(_EVENTS[kind])
        elif kind not in names.TRANSFORMS:
            content.note("unknown_proposal")
    if protocol == _AH:
        content.note("no_encryption")
    if not any(kind == names.GROUP and number for kind, number in transforms):
        content.note("weak_crypto_no_dh")
    sealed = any(kind == names.INTEGRITY and number for kind, number in transforms) or any(
        kind == names.ENCRYPTION and number in names.AUTHENTICATED for kind, number in transforms
    )
    if not sealed:
        content.note("weak_crypto_no_auth")


def algorithms(content: Content) -> dict[str, str]:
    """Name the algorithms of the first proposal, as a responder has chosen them."""
    found: dict[str, str] = {}
    for kind, number in content.proposals[0][1] if content.proposals else ():
        if kind in names.TRANSFORMS:
            key, table = names.TRANSFORMS[kind]
            found.setdefault(key, table.get(number, f"Unknown({number})"))
    return found
