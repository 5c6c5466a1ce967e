"""SSH up to the point where it is encrypted: version exchange and algorithm lists (RFC 4253)."""

from __future__ import annotations

import hashlib
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER

BANNER = 20  # step: the version line has been read
KEX = 40  # step: the algorithm lists have been read

MAX_BANNER = 255
MAX_LINES = 64  # lines that a server may send before its version
MAX_RECORD = 35_000
_KEXINIT, _NEWKEYS = 20, 21
_LISTS = 10


class SshSide:
    """What one end said: version line and, from its KEXINIT, the lists that tell implementations apart."""

    __slots__ = ("hassh_text", "proto", "software")

    def __init__(self) -> None:
        self.proto = b""
        self.software = b""
        self.hassh_text = ""

    @property
    def hassh(self) -> str:
        """Give the fingerprint of the algorithm lists, "" before they were seen."""
        text = self.hassh_text
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() if text else ""

    def log(self) -> dict[str, Any]:
        """Give this end's part of the record."""
        found: dict[str, Any] = {
            "proto_version": self.proto.decode("ascii", "backslashreplace"),
            "software_version": self.software.decode("ascii", "backslashreplace"),
        }
        if self.hassh_text:
            found["hassh"] = {"hash": self.hassh, "string": self.hassh_text}
        return found


def same_version(value: str, argument: str) -> bool:
    """Compare with ``ssh.protoversion``: a version, or ``2_compat`` for SSH 2 (RFC 4253 section 5)."""
    return value in {"2", "2.0", "1.99"} if argument == "2_compat" else value == argument


class SshTransaction(Transaction):
    """The one transaction of a connection."""

    __slots__ = ("sides",)

    def __init__(self, tx_id: int) -> None:
        """Start before the first line."""
        super().__init__(tx_id)
        self.sides = (SshSide(), SshSide())

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name in {"ssh.proto", "ssh.software"}:
            side = self.sides[direction]
            return (side.proto if name == "ssh.proto" else side.software) or None
        side = self.sides[TOCLIENT if ".server" in name else TOSERVER]
        text = side.hassh_text if name.endswith(".string") else side.hassh
        return text.encode() or None

    @override
    def compared(self, name: str, direction: int) -> Any:
        found = self.sides[direction].proto if name == "ssh.protoversion" else b""
        return found.decode("ascii", "replace") or None

    @override
    def log(self) -> dict[str, Any]:
        ends = (("client", self.sides[TOSERVER]), ("server", self.sides[TOCLIENT]))
        return {name: side.log() for name, side in ends if side.proto}

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.log()
        return [found] if found else []


class _Reader:
    """Reading state of one direction."""

    __slots__ = ("banner", "held", "lines", "marked", "skip", "stopped")

    def __init__(self) -> None:
        self.held = bytearray()
        self.banner = False
        self.lines = 0
        self.marked = False
        self.skip = 0
        self.stopped = False


class SshParser(Parser):
    """Reads both version lines and key exchange offers, then lets go of the connection."""

    name = "ssh"
    log_type = "ssh"

    def __init__(self, settings: Any = None) -> None:
        """Open the connection's one transaction."""
        super().__init__(settings)
        self.tx = SshTransaction(0)
        self.transactions.append(self.tx)
        self.next_tx = 1
        self._readers = (_Reader(), _Reader())

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        reader = self._readers[direction]
        if reader.stopped:
            return
        reader.held += chunk
        self.tx.updated = True
        while not reader.banner and not reader.stopped:
            if not self._line(direction, reader):
                return
        while not reader.stopped and self._record(direction, reader):
            pass
        if all(one.stopped for one in self._readers):
            self.bypass = True

    @override
    def gap(self, direction: int, length: int) -> None:
        reader = self._readers[direction]
        if length <= reader.skip:
            reader.skip -= length
        else:
            self._stop(direction, reader)

    def _stop(self, direction: int, reader: _Reader) -> None:
        reader.stopped = True
        reader.held.clear()
        self.tx.progress[direction] = COMPLETE

    def _note(self, event: str) -> None:
        if event not in self.tx.events:
            self.tx.events.append(event)

    def _line(self, direction: int, reader: _Reader) -> bool:
        """Take one line of the beginning; False while it is not complete."""
        end = reader.held.find(b"\n", 0, MAX_BANNER + 1)
        if end < 0:
            if len(reader.held) > MAX_BANNER:
                self._note("long_banner")
                self._version(direction, reader, bytes(reader.held[:MAX_BANNER]))
                self._stop(direction, reader)
            return False
        line = bytes(reader.held[:end]).rstrip(b"\r")
        del reader.held[: end + 1]
        reader.lines += 1
        if line.startswith(b"SSH-"):
            self._version(direction, reader, line)
        elif reader.lines >= MAX_LINES or direction == TOSERVER:
            self._note("invalid_banner")
            self._stop(direction, reader)
        return True

    def _version(self, direction: int, reader: _Reader, line: bytes) -> None:
        """Take ``SSH-protoversion-softwareversion comments`` apart."""
        reader.banner = True
        proto, dash, rest = line[4:].partition(b"-")
        if not dash or not proto:
            self._note("invalid_banner")
        side = self.tx.sides[direction]
        side.proto, side.software = proto, rest.partition(b" ")[0]
        self.tx.progress[direction] = BANNER

    def _record(self, direction: int, reader: _Reader) -> bool:
        """Take one binary packet; False while it is not complete."""
        held = reader.held
        if reader.skip:
            step = min(reader.skip, len(held))
            del held[:step]
            reader.skip -= step
            if reader.skip:
                return False
        if len(held) < 6:
            return False
        length = int.from_bytes(held[:4], "big")
        if length < 2 or length > MAX_RECORD:
            self._note("invalid_record" if length < 2 else "long_kex_record")
            self._stop(direction, reader)
            return False
        if not reader.marked:
            self._note_frames(direction, len(held), length)
        reader.marked = held[5] == _KEXINIT and len(held) < 4 + length
        if held[5] == _NEWKEYS:
            self._stop(direction, reader)
            return False
        if held[5] != _KEXINIT:
            reader.skip = 4 + length
            return True
        if len(held) < 4 + length:
            return False
        body = bytes(held[6 : 4 + length - held[4]])
        del held[: 4 + length]
        self._offer(direction, body)
        return True

    def _note_frames(self, direction: int, behind: int, length: int) -> None:
        """Note a binary packet: as a whole, its header (lengths and type), what is in it."""
        self.note_frame("record.hdr", direction, behind, 6, 0)
        self.note_frame("record.data", direction, behind - 6, length - 2, 0)
        self.note_frame("record.pdu", direction, behind, length + 4, 0)

    def _offer(self, direction: int, body: bytes) -> None:
        """Read the name lists of KEXINIT and keep those that HASSH is made of."""
        lists: list[str] = []
        at = 16
        while at + 4 <= len(body) and len(lists) < _LISTS:
            length = int.from_bytes(body[at : at + 4], "big")
            lists.append(body[at + 4 : at + 4 + length].decode("ascii", "backslashreplace"))
            at += 4 + length
        if len(lists) < _LISTS or at > len(body):
            self._note("invalid_record")
            return
        offset = 0 if direction == TOSERVER else 1
        self.tx.sides[direction].hassh_text = ";".join((lists[0], *(lists[i + offset] for i in (2, 4, 6))))
        self.tx.progress[direction] = KEX
