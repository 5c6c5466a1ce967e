"""TFTP (RFC 1350): the requests; transfers run between other ports."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.model.packet import TOSERVER

_KINDS = {1: "read", 2: "write"}
MODES = frozenset((b"netascii", b"octet", b"mail"))
MAX_NAME = 512


class TftpTransaction(Transaction):
    """One request to read or to write a file."""

    __slots__ = ("file", "kind", "mode")

    def __init__(self, tx_id: int, kind: int, file: bytes, mode: bytes) -> None:
        """Begin and end with the request: answers come from another port."""
        super().__init__(tx_id)
        self.kind = kind
        self.file = file
        self.mode = mode
        self.progress = [COMPLETE, COMPLETE]
        self.skip = [False, True]

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None

    @override
    def log(self) -> dict[str, Any]:
        return {
            "packet": _KINDS[self.kind],
            "file": self.file.decode("utf-8", "backslashreplace"),
            "mode": self.mode.decode("utf-8", "backslashreplace"),
        }


def read_request(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Give kind, file and mode of a request; None when the datagram is none (RFC 1350 section 5)."""
    if len(data) < 6 or data[0] or data[1] not in _KINDS:
        return None
    words = data[2 : 2 + 2 * MAX_NAME].split(b"\0", 2)
    if len(words) < 3 or not words[0] or words[1].lower() not in MODES:
        return None
    return data[1], words[0][:MAX_NAME], words[1]


class TftpParser(Parser):
    """Each request is a transaction."""

    name = "tftp"
    log_type = "tftp"

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take one datagram."""
        request = read_request(chunk) if direction == TOSERVER else None
        if request is None:
            return
        tx = TftpTransaction(self.next_tx, *request)
        tx.created = self.now
        self.next_tx += 1
        self.transactions.append(tx)
