"""MySQL and MariaDB: the statements that a client sends (MySQL client/server protocol, version 10)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.reader import MessageTransaction, Reader, text
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

MAX_KEPT = 256 << 10  # bytes of one packet that are looked at
_HEADER = 4
_LOGIN = 32  # fixed part of the client's answer to the greeting; alone it asks for TLS
_RESERVED = 23
_PROTOCOL_41, _SSL, _ATTRIBUTES = 0x0200, 0x0800, 1 << 27
_QUERY, _PREPARE = 0x03, 0x16
_COMMANDS = {
    0x01: "quit",
    0x02: "init_db",
    0x03: "query",
    0x04: "field_list",
    0x09: "statistics",
    0x0C: "process_kill",
    0x0E: "ping",
    0x11: "change_user",
    0x16: "stmt_prepare",
    0x17: "stmt_execute",
    0x18: "stmt_send_long_data",
    0x19: "stmt_close",
    0x1A: "stmt_reset",
    0x1B: "set_option",
    0x1C: "stmt_fetch",
    0x1F: "reset_connection",
}


class MysqlTransaction(MessageTransaction):
    """One command; ``query`` is the statement, where it has one."""

    __slots__ = ("command", "query", "user")

    def __init__(self, tx_id: int, command: int, query: bytes | None, user: bytes) -> None:
        """Wrap a command that ``user`` gave."""
        super().__init__(tx_id, TOSERVER)
        self.command = command
        self.query = query
        self.user = user

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.query

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {"command": _COMMANDS.get(self.command, str(self.command))}
        if self.query is not None:
            found["query"] = text(self.query)
        if self.user:
            found["user"] = text(self.user)
        return found


class MysqlParser(Parser):
    """Reads what the client says; results are not looked at."""

    name = "mysql"
    log_type = "mysql"

    def __init__(self, settings: Any = None) -> None:
        """Start before the client has logged in."""
        super().__init__(settings)
        self._held = bytearray()
        self._skip = 0  # bytes of a long packet still to come that are not looked at
        self._capabilities = 0
        self._user = b""

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        if direction != TOSERVER:
            return
        self._held += chunk
        while not self.upgrade and self._step():
            pass
        if self.upgrade:
            self.upgrade_data = (bytes(self._held), b"")

    @override
    def gap(self, direction: int, length: int) -> None:
        """Only a hole within what is not read anyway does no harm."""
        if direction == TOCLIENT:
            return
        if length <= self._skip:
            self._skip -= length
        else:
            self.failed = True

    def _step(self) -> bool:
        held = self._held
        if self._skip:
            step = min(self._skip, len(held))
            del held[:step]
            self._skip -= step
        if len(held) < _HEADER:
            return False
        length, sequence = int.from_bytes(held[:3], "little"), held[3]
        kept = min(length, MAX_KEPT)
        if len(held) < _HEADER + kept:
            return False
        body = bytes(held[_HEADER : _HEADER + kept])
        del held[: _HEADER + kept]
        self._skip = length - kept
        if sequence == 0 and body:
            self._command(body)
        elif sequence == 1 and not self._capabilities:
            self._login(body)
        return True

    def _login(self, body: bytes) -> None:
        """Take the client's answer to the greeting."""
        reader = Reader(body)
        self._capabilities = reader.little(4) | 1
        if len(body) == _LOGIN and self._capabilities & _SSL:
            self.upgrade = "tls"
            return
        reader.take(_LOGIN - 4)
        self._user = reader.string()

    def _command(self, body: bytes) -> None:
        query = None
        if body[0] in {_QUERY, _PREPARE}:
            query = body[1:]
            # Without parameters, query attributes are a count of none in one set.
            if body[0] == _QUERY and self._capabilities & _ATTRIBUTES and query[:2] == b"\0\1":
                query = query[2:]
        self.transactions.append(MysqlTransaction(self.next_tx, body[0], query, self._user))
        self.next_tx += 1


def probe_greeting(data: bytes) -> int:
    """Tell whether a server begins with a greeting of version 10 or an error in its place."""
    if len(data) < _HEADER + 2:
        return PROBE_MAYBE
    length = int.from_bytes(data[:3], "little")
    fits = 20 <= length <= 1024 and data[3] == 0 and data[4] == 10 and 0x30 <= data[5] <= 0x39
    if not fits:
        return PROBE_NO
    end = data.find(b"\0", 5, 80)
    return PROBE_YES if end > 0 else PROBE_NO if len(data) >= 80 else PROBE_MAYBE


def probe_login(data: bytes) -> int:
    """Tell whether a client begins with the answer to a greeting: its reserved bytes are zero."""
    if len(data) < _HEADER:
        return PROBE_MAYBE if data[2:3] in {b"", b"\0"} else PROBE_NO
    length = int.from_bytes(data[:3], "little")
    if data[3] != 1 or not _LOGIN <= length <= MAX_KEPT:
        return PROBE_NO
    if len(data) < _HEADER + _LOGIN:
        return PROBE_MAYBE
    # MariaDB puts further capabilities into the last four of the reserved bytes.
    zeros = data[_HEADER + _LOGIN - _RESERVED : _HEADER + _LOGIN - 4]
    capable = int.from_bytes(data[_HEADER : _HEADER + 2], "little") & _PROTOCOL_41
    return PROBE_YES if capable and not any(zeros) else PROBE_NO
