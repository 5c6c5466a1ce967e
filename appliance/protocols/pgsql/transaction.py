"""A PostgreSQL request with everything that answers it."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.pgsql.messages import Body

# Kinds of request whose answer is not a typed message, or that nobody answers.
ENCRYPTION, ALONE = "encryption", "alone"


class PgsqlTransaction(Transaction):
    """Request and response as the record has them; ``query`` is the text of the statement."""

    __slots__ = ("kind", "query", "request", "response")

    def __init__(self, tx_id: int, direction: int) -> None:
        """Open with what comes from ``direction``."""
        super().__init__(tx_id)
        self.kind = ""
        self.query: list[bytes] = []
        self.request: Body = {}
        self.response: Body = {}
        if direction == TOCLIENT:
            self.skip[TOSERVER] = True
            self.progress[TOSERVER] = COMPLETE

    def complete(self) -> None:
        """Take note that the answer is over."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return list(self.query) or None

    @override
    def log(self) -> dict[str, Any]:
        return self._record(False)

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the body; passwords only where the output says so."""
        return [self._record(options.get("passwords") in {True, "yes", "true"})]

    def _record(self, passwords: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"tx_id": self.id + 1}
        request = dict(self.request)
        if not passwords and "password" in request:
            del request["password"]
            request["password_redacted"] = True
        if request:
            found["request"] = request
        if self.response:
            found["response"] = dict(self.response)
        return found
