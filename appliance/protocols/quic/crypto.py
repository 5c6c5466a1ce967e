"""Protection of Initial packets, whose keys anybody can derive (RFC 9001 section 5, RFC 9369)."""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from appliance.protocols.quic.header import V1, V2

_SALTS = {
    V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
}
# The last draft that used a salt.
_DRAFTS = (
    (28, bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")),
    (32, bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")),
    (255, _SALTS[V1]),
)
_OLDEST_DRAFT = 23
_SAMPLE = 16
_TAG = 16


def salt_of(version: int) -> bytes | None:
    """Give the salt of a version, None when its Initial packets cannot be read."""
    if version in _SALTS:
        return _SALTS[version]
    number = version & 0xFF
    if version >> 8 != 0xFF0000 or number < _OLDEST_DRAFT:
        return None
    return next(salt for last, salt in _DRAFTS if number <= last)


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 with SHA-256, for at most one block."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


class Keys:
    """Keys of both directions of a connection, from the first destination id of its client."""

    __slots__ = ("_ends", "dcid")

    def __init__(self, version: int, dcid: bytes, salt: bytes) -> None:
        """Derive them."""
        self.dcid = dcid
        secret = hmac.digest(salt, dcid, "sha256")
        prefix = b"quicv2 " if version == V2 else b"quic "
        self._ends = tuple(_end(_expand(secret, name, 32), prefix) for name in (b"client in", b"server in"))

    def open(self, direction: int, packet: bytes, start: int) -> bytes | None:
        """Take the protection off a packet whose packet number is at ``start``; None when it does not fit."""
        key, nonce, mask_key = self._ends[direction]
        sample = packet[start + 4 : start + 4 + _SAMPLE]
        if len(sample) < _SAMPLE:
            return None
        # One block of a cipher as a one-way function is what section 5.4.3 asks for.
        encryptor = Cipher(AES(mask_key), ECB()).encryptor()  # noqa: S305
        mask = encryptor.update(sample)
        first = packet[0] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        raw = bytes(a ^ b for a, b in zip(packet[start : start + size], mask[1 : 1 + size], strict=False))
        number = int.from_bytes(raw, "big")
        head = bytes((first,)) + packet[1:start] + raw
        iv = (int.from_bytes(nonce, "big") ^ number).to_bytes(12, "big")
        sealed = packet[start + size :]
        if len(sealed) < _TAG:
            return None
        try:
            return AESGCM(key).decrypt(iv, sealed, head)
        except InvalidTag:
            return None


def _end(secret: bytes, prefix: bytes) -> tuple[bytes, bytes, bytes]:
    return (
        _expand(secret, prefix + b"key", 16),
        _expand(secret, prefix + b"iv", 12),
        _expand(secret, prefix + b"hp", 16),
    )
