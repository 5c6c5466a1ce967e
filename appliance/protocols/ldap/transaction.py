"""An LDAP request and the responses to it."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.ldap import names
from appliance.protocols.ldap.message import Message

# Responses kept of one request, and bytes on the wire with it; further ones are only counted.
MAX_RESPONSES = 1024
MAX_KEPT = 512 << 10


class LdapTransaction(Transaction):
    """A request with its responses, or a response that nobody asked for."""

    __slots__ = ("count", "kept", "request", "responses")

    def __init__(self, tx_id: int, request: Message | None) -> None:
        """Begin with the request, if there is one."""
        super().__init__(tx_id)
        self.request = request
        self.responses: list[Message] = []
        self.count = 0
        self.kept = request.size if request is not None else 0
        self.progress[TOSERVER] = COMPLETE
        if request is None:
            self.skip[TOSERVER] = True
        elif request.operation in names.UNANSWERED:
            self.skip[TOCLIENT] = True
            self.progress[TOCLIENT] = COMPLETE

    def answer(self, message: Message, room: int) -> int:
        """Add a response if it fits into ``room``; the last one ends the transaction.

        Returns:
            Bytes of the response that are kept.
        """
        self.count += 1
        taken = 0
        if self.count <= MAX_RESPONSES and message.size <= min(room, MAX_KEPT - self.kept):
            taken = message.size
            self.kept += taken
            self.responses.append(message)
        if message.operation not in names.PARTIAL:
            self.progress[TOCLIENT] = COMPLETE
        self.updated = True
        return taken

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name.startswith("ldap.request."):
            return self._requested(name)
        if name == "ldap.responses.dn":
            return [one.dn for one in self.responses if one.dn is not None] or None
        if name == "ldap.responses.message":
            return [one.text for one in self.responses if one.text is not None] or None
        if name == "ldap.responses.attribute_type":
            return [kind for one in self.responses for kind in one.attributes] or None
        return None

    def _requested(self, name: str) -> BufferValue:
        if self.request is None:
            return None
        return self.request.dn if name == "ldap.request.dn" else list(self.request.attributes) or None

    @override
    def value(self, name: str) -> Any:
        if name == "ldap.request.operation":
            return self.request.operation if self.request is not None else None
        if name == "ldap.responses.operation":
            return [one.operation for one in self.responses] or None
        if name == "ldap.responses.result_code":
            return [one.result for one in self.responses] or None  # None where it has none: places count
        if name == "ldap.responses.count":
            return self.count if self.progress[TOCLIENT] >= COMPLETE else None
        return None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.request is not None:
            found["request"] = self.request.log()
        if self.responses:
            found["responses"] = [one.log() for one in self.responses]
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A message that could not be read is an anomaly and no record."""
        found = self.log()
        return [found] if found else []
