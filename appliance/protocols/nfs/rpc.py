"""ONC RPC messages (RFC 5531) and their framing in streams (section 11)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.reader import Reader, text
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

NFS = 100_003
CALL, REPLY = 0, 1
MAX_RECORD = 2 << 20
MAX_AUTH = 400
_LAST = 0x80000000
_AUTH = {0: "NULL", 1: "UNIX", 2: "SHORT", 3: "DES", 6: "GSSAPI"}
_UNIX = 1
_CALL_HEAD = b"\0\0\0\0\0\0\0\2\0\1\x86\xa3"


def opaque(reader: Reader) -> bytes:
    """Read variable-length data with their padding (RFC 4506 section 4.10)."""
    size = reader.uint(4)
    data = reader.take(size)
    reader.take(min(-size % 4, reader.left))
    return data


class Message:
    """A call or a reply; what follows the header is at ``reader``."""

    __slots__ = ("accepted", "auth", "creds", "kind", "procedure", "program", "reader", "version", "xid")

    def __init__(self, data: bytes) -> None:
        """Begin with the transaction id and the kind."""
        self.reader = Reader(data)
        self.xid = self.reader.uint(4)
        self.kind = self.reader.uint(4)
        self.program = self.version = self.procedure = 0
        self.accepted = False
        self.auth = 0
        self.creds: dict[str, Any] = {}

    @property
    def auth_name(self) -> str:
        """The kind of credentials of a call, or of the verifier of a reply."""
        return _AUTH.get(self.auth, str(self.auth))


def parse(data: bytes) -> Message | None:
    """Read the header of a message; None when it is not one."""
    message = Message(data)
    reader = message.reader
    if message.kind == CALL:
        version = reader.uint(4)
        message.program, message.version, message.procedure = reader.uint(4), reader.uint(4), reader.uint(4)
        message.auth = reader.uint(4)
        _credentials(message, opaque(reader))
        reader.take(4)
        opaque(reader)
        return None if reader.failed or version != 2 else message
    if message.kind != REPLY:
        return None
    if reader.uint(4) == 0:
        message.auth = reader.uint(4)
        opaque(reader)
        message.accepted = True
        message.procedure = reader.uint(4)  # the status of the acceptance: 0 when there are results
    return None if reader.failed else message


def _credentials(message: Message, data: bytes) -> None:
    if message.auth != _UNIX or len(data) > MAX_AUTH:
        return
    reader = Reader(data)
    reader.take(4)
    name = opaque(reader)
    uid, gid = reader.uint(4), reader.uint(4)
    if not reader.failed:
        message.creds = {"machine_name": text(name), "uid": uid, "gid": gid}


class Records:
    """Puts together the records of one direction of a stream; those over the limit are left out."""

    __slots__ = ("_held", "_record", "_skip", "lost")

    def __init__(self) -> None:
        """Start at the beginning of a record."""
        self._held = bytearray()
        self._record = bytearray()
        self._skip = 0
        self.lost = False  # after a hole: the next piece has to look like a record

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; gives the records that are complete now."""
        held = self._held
        held += chunk
        out: list[bytes] = []
        if self.lost and not self._found(chunk):
            return out
        self.lost = False
        while len(held) >= 4 or (self._skip and held):
            if self._skip:
                step = min(self._skip, len(held))
                del held[:step]
                self._skip -= step
                continue
            mark = int.from_bytes(held[:4], "big")
            size = mark & ~_LAST
            if len(self._record) + size > MAX_RECORD:
                self._record.clear()
                self._skip = 4 + size
                continue
            if len(held) < 4 + size:
                break
            self._record += held[4 : 4 + size]
            del held[: 4 + size]
            if mark & _LAST:
                out.append(bytes(self._record))
                self._record.clear()
        return out

    def _found(self, chunk: bytes) -> bool:
        """Tell whether a record begins with what is held, or else with the last piece; keep what may be."""
        held = self._held
        answer = probe_stream(bytes(held[:64]))
        if answer == PROBE_NO:
            held[:] = chunk
            answer = probe_stream(chunk[:64])
        if answer == PROBE_NO:
            held.clear()
        return answer == PROBE_YES

    def gap(self, length: int) -> None:
        """Go on after a hole."""
        if length <= self._skip:
            self._skip -= length
            return
        self._held.clear()
        self._record.clear()
        self._skip = 0
        self.lost = True


def _head(data: bytes, at: int) -> int:
    """Tell whether a message of NFS begins at ``at``."""
    head = data[at + 4 : at + 16]
    if not _CALL_HEAD.startswith(head):
        return PROBE_NO
    return PROBE_YES if len(head) == len(_CALL_HEAD) else PROBE_MAYBE


def _reply(data: bytes, at: int) -> int:
    if len(data) < at + 12:
        return PROBE_MAYBE
    kind, status = int.from_bytes(data[at + 4 : at + 8], "big"), int.from_bytes(data[at + 8 : at + 12], "big")
    return PROBE_YES if kind == REPLY and status in {0, 1} else PROBE_NO


def probe_call(data: bytes) -> int:
    """Tell whether a datagram is a call of NFS."""
    answer = _head(data, 0)
    return PROBE_NO if answer == PROBE_MAYBE else answer


def probe_reply(data: bytes) -> int:
    """Tell whether a datagram is a reply."""
    answer = _reply(data, 0)
    return PROBE_NO if answer == PROBE_MAYBE else answer


def probe_stream_call(data: bytes) -> int:
    """Tell whether a stream begins with a call of NFS."""
    return _head(data, 4)


def probe_stream_reply(data: bytes) -> int:
    """Tell whether a stream begins with a reply."""
    return _reply(data, 4)


def probe_stream(data: bytes) -> int:
    """Tell whether a call of NFS or a reply begins here."""
    call = _head(data, 4)
    return call if call != PROBE_NO else _reply(data, 4)
