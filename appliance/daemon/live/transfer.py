"""An interface's state in a file: written on one host, read on another. The network carries the same."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from appliance.handoff.codec import (
    MAX_HEADER,
    BodyError,
    Entry,
    Header,
    Packed,
    read_header,
    unpack,
)

_MAGIC = b"EWMOVE1\n"
_LENGTH = struct.Struct("!I")
_MAX_PARTS = 64


class TransferError(Exception):
    """A file that is no transfer, or is damaged."""


def write_parts(fd: int, parts: Sequence[tuple[Header, Packed]]) -> None:
    """Write the state of some interfaces to ``fd``.

    Raises:
        OSError: there is no room.
    """
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(_MAGIC + _LENGTH.pack(len(parts)))
        for header, packed in parts:
            head = header.pack()
            file.write(_LENGTH.pack(len(head)) + head + packed.body)
        file.flush()
        os.fsync(file.fileno())


def read_parts(fd: int) -> list[tuple[Header, list[Entry]]]:
    """Read what :func:`write_parts` has written, all of it or nothing.

    Raises:
        TransferError: it is something else, of another version, or damaged.
    """
    with os.fdopen(os.dup(fd), "rb") as file:
        start = file.read(len(_MAGIC) + _LENGTH.size)
        if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + _LENGTH.size:
            raise TransferError("not a file of `eastwall handoff export`")
        (count,) = _LENGTH.unpack(start[len(_MAGIC) :])
        if count > _MAX_PARTS:
            raise TransferError("damaged, or written by another version")
        return [_read_part(file) for _ in range(count)]


def _read_part(file: BinaryIO) -> tuple[Header, list[Entry]]:
    head = file.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else MAX_HEADER + 1
    header = read_header(file.read(length)) if length <= MAX_HEADER else None
    if header is None:
        raise TransferError("damaged, or written by another version")
    try:
        entries = unpack(header, file.read(header.size), {})
    except BodyError as error:
        raise TransferError(f"{header.uuid}/{header.name}: {error}") from error
    return header, list(entries.values())
