"""Payloads of IKE version 1: proposals and their attributes (RFC 2408, RFC 2409)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from appliance.protocols.ike import names
from appliance.protocols.ike.message import Payloads

SA, KEY_EXCHANGE, NONCE, VENDOR = 1, 4, 10, 13
_PROPOSAL = 2
_MAX_TRANSFORMS = 128
_MAX_ATTRIBUTES = 32

Attributes = tuple[tuple[int, int | bytes], ...]  # (type, number or, when it is long, bytes)


@dataclass(slots=True, frozen=True)
class End:
    """What one end has sent so far in the clear."""

    key_exchange: bytes = b""
    nonce: bytes = b""
    transforms: tuple[Attributes, ...] = ()
    doi: int | None = None


def collect(chain: Payloads, before: End) -> End:
    """Add what a message has to what its sender sent ``before``."""
    key, nonce, transforms, doi = before.key_exchange, before.nonce, before.transforms, before.doi
    for kind, body in chain.found:
        if kind == KEY_EXCHANGE:
            key = body
        elif kind == NONCE:
            nonce = body
        elif kind == SA and len(body) >= 8:
            doi = int.from_bytes(body[:4], "big")
            transforms = tuple(_proposals(body[8:]))
    return End(key, nonce, transforms, doi)


def _proposals(body: bytes) -> list[Attributes]:
    """Read all transforms of all proposals."""
    found: list[Attributes] = []
    for proposal in _chained(body):
        if len(proposal) >= 4:
            rest = proposal[4 + proposal[2] :]
            found += [_attributes(transform[4:]) for transform in _chained(rest) if len(transform) >= 4]
        if len(found) >= _MAX_TRANSFORMS:
            break
    return found[:_MAX_TRANSFORMS]


def _chained(body: bytes) -> list[bytes]:
    """Take apart a chain of proposals or of transforms."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(body) and len(found) < _MAX_TRANSFORMS:
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if length < 4 or at + length > len(body):
            break
        found.append(body[at + 4 : at + length])
        if not body[at]:
            break
        at += length
    return found


def _attributes(body: bytes) -> Attributes:
    """Read data attributes (RFC 2408 section 3.3)."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at + 4 <= len(body) and len(found) < _MAX_ATTRIBUTES:
        kind, value = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
        at += 4
        if kind & 0x8000:
            found.append((kind & 0x7FFF, value))
            continue
        if at + value > len(body):
            break
        data = body[at : at + value]
        found.append((kind, int.from_bytes(data, "big") if value <= 8 else data))
        at += value
    return tuple(found)


def numbers(attributes: Attributes) -> dict[str, int]:
    """Give the numeric attributes by key, the first of each."""
    found: dict[str, int] = {}
    for kind, value in attributes:
        if kind in names.ATTRIBUTES and isinstance(value, int):
            found.setdefault(names.ATTRIBUTES[kind], value)
    return found


def log_attributes(attributes: Attributes) -> dict[str, Any]:
    """Give the part of the record for a transform: each attribute by name and as it was sent."""
    found: dict[str, Any] = {}
    for kind, value in attributes:
        key = names.ATTRIBUTES.get(kind, "unknown")
        if key in found:
            continue
        known = names.VALUES.get(kind, {})
        found[key] = known.get(value, "Unknown") if isinstance(value, int) else "Unknown"
        found[f"{key}_raw"] = value if isinstance(value, int) else value.hex()
    return found


def log_end(end: End, *, proposals: bool) -> dict[str, Any]:
    """Give the part of the record for one end."""
    found: dict[str, Any] = {}
    for key, data in (("key_exchange_payload", end.key_exchange), ("nonce_payload", end.nonce)):
        if data:
            found[key] = data.hex()
            found[f"{key}_length"] = len(data)
    if proposals:
        found["proposals"] = [log_attributes(transform) for transform in end.transforms]
    return found
