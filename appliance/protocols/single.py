"""Transactions that are one message: what it asks or answers is another transaction."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction


class MessageTransaction(Transaction):
    """A message that is whole when it is opened and exists in its own direction only."""

    __slots__ = ("direction",)

    def __init__(self, tx_id: int, direction: int) -> None:
        """Open the transaction of a message that travelled in ``direction``."""
        super().__init__(tx_id)
        self.direction = direction
        self.progress = [COMPLETE, COMPLETE]
        self.skip[1 - direction] = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give no buffer; protocols that have some say so."""
        return None

    @override
    def ends(self, options: dict[str, Any]) -> int:
        """Name the sender of the message as the source of the record."""
        return self.direction
