"""The handshake of RFB, the protocol of VNC (RFC 6143 section 7), up to the server's screen."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.marks import Marks
from appliance.protocols.reader import note
from appliance.protocols.rfb.transaction import RESULTS, RfbTransaction

MAX_TEXT = 64 << 10
MAX_HELD = 128 << 10
_VERSION = 12
_INVALID, _NONE, _VNC = 0, 1, 2
_MINOR_7, _MINOR_8 = 7, 8

# State -> the end that speaks in it.
_SPEAKER = {
    "server_version": TOCLIENT,
    "client_version": TOSERVER,
    "security_type": TOCLIENT,
    "security_types": TOCLIENT,
    "selection": TOSERVER,
    "challenge": TOCLIENT,
    "response": TOSERVER,
    "result": TOCLIENT,
    "reason": TOCLIENT,
    "client_init": TOSERVER,
    "server_init": TOCLIENT,
}


class RfbParser(Parser):
    """Follows the handshake, in which the ends take turns; what comes after it is not looked at."""

    name = "rfb"
    log_type = "rfb"

    def __init__(self, settings: Any = None) -> None:
        """Open the connection's one transaction."""
        super().__init__(settings)
        self.tx = RfbTransaction()
        self.transactions.append(self.tx)
        self.next_tx = 1
        self.state = "server_version"
        self._held = (bytearray(), bytearray())
        self._marks = Marks()

    @property
    def _minor(self) -> int:
        """The minor version in use, that of the client: 3, 7 or 8 (others are taken as the one below)."""
        version = self.tx.versions[TOSERVER]
        return int(version[1]) if version is not None else 3

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        if not self.state:
            return
        self._held[direction].extend(chunk)
        while self.state and self._turn():
            pass
        if self.state and len(self._held[direction]) > MAX_HELD:
            self._stop("confused_state")

    @override
    def gap(self, direction: int, length: int) -> None:
        """A hole after the handshake does no harm."""
        if self.state:
            self._stop("")
            self.failed = True

    def _turn(self) -> bool:
        """Take one message from the end whose turn it is; False while it is not complete."""
        speaker = _SPEAKER[self.state]
        held = self._held[speaker]
        size = self._size(held)
        if held and size:
            self._marks.note(self, speaker, len(held), ("pdu", 0, size), tx_id=0)
        if not size or len(held) < size:
            return False
        message = bytes(held[:size])
        del held[:size]
        self.tx.updated = True
        self.state = getattr(self, f"_on_{self.state}")(message)
        if not self.state:
            self._stop("")
        return True

    def _size(self, held: bytearray) -> int:
        """Give the size of the message that comes next; 0 while that is not known."""
        fixed = {
            "security_type": 4,
            "selection": 1,
            "challenge": 16,
            "response": 16,
            "result": 4,
            "client_init": 1,
        }
        if self.state in fixed:
            return fixed[self.state]
        if self.state in {"server_version", "client_version"}:
            return _VERSION
        if self.state == "security_types":
            return 1 + held[0] if held else 0
        start = 20 if self.state == "server_init" else 0
        if len(held) < start + 4:
            return 0
        length = int.from_bytes(held[start : start + 4], "big")
        if length > MAX_TEXT:
            self._stop("malformed_message")
            return 0
        return start + 4 + length

    def _stop(self, event: str) -> None:
        """End the handshake here."""
        if event:
            note(self.tx, event)
        self.state = ""
        self.tx.complete()
        for held in self._held:
            held.clear()

    def _version(self, direction: int, message: bytes) -> bool:
        """Read ``RFB 003.008`` and a line feed."""
        major, minor = message[4:7], message[8:11]
        fits = message[:4] == b"RFB " and message[7:8] == b"." and message[11:] == b"\n"
        if not fits or not (major + minor).isdigit():
            note(self.tx, "malformed_message")
            return False
        self.tx.versions[direction] = (major.decode("ascii"), minor.decode("ascii"))
        return True

    def _on_server_version(self, message: bytes) -> str:
        return "client_version" if self._version(TOCLIENT, message) else ""

    def _on_client_version(self, message: bytes) -> str:
        if not self._version(TOSERVER, message):
            return ""
        return "security_types" if self._minor >= _MINOR_7 else "security_type"

    def _on_security_type(self, message: bytes) -> str:
        """Version 3.3: the server decides."""
        kind = int.from_bytes(message, "big")
        return "reason" if kind == _INVALID else self._chosen(kind)

    def _on_security_types(self, message: bytes) -> str:
        return "selection" if message[0] else "reason"

    def _on_selection(self, message: bytes) -> str:
        return self._chosen(message[0])

    def _chosen(self, kind: int) -> str:
        self.tx.kind = kind
        if kind == _VNC:
            return "challenge"
        if kind == _NONE:
            return "result" if self._minor >= _MINOR_8 else "client_init"
        note(self.tx, "unimplemented_security_type")
        return ""

    def _on_challenge(self, message: bytes) -> str:
        self.tx.challenge = message
        return "response"

    def _on_response(self, message: bytes) -> str:
        self.tx.response = message
        return "result"

    def _on_result(self, message: bytes) -> str:
        result = self.tx.result = int.from_bytes(message, "big")
        if result == 0:
            return "client_init"
        if result >= len(RESULTS):
            note(self.tx, "unknown_security_result")
            return ""
        return "reason" if self._minor >= _MINOR_8 else ""

    def _on_reason(self, message: bytes) -> str:
        self.tx.reason = message[4:]
        return ""

    def _on_client_init(self, message: bytes) -> str:
        self.tx.shared = message[0] != 0
        return "server_init"

    def _on_server_init(self, message: bytes) -> str:
        self.tx.size = (int.from_bytes(message[:2], "big"), int.from_bytes(message[2:4], "big"))
        self.tx.format = message[4:20]
        self.tx.name = message[24:]
        return ""
