"""NTP (RFC 5905): the header, in its versions 3 and 4, and control and private messages by their mode."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferSpec, BufferValue, Parser, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.single import MessageTransaction
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORT = ((123, 123),)
_NTP = ("ntp",)
_HEADER = 48
_SYMMETRIC_ACTIVE, _SYMMETRIC_PASSIVE, _CLIENT, _SERVER, _BROADCAST, _CONTROL, _PRIVATE = range(1, 8)
# Shortest message of the modes with a form of their own (RFC 9327; the private mode of ntpd).
_LEAST = {_CONTROL: 12, _PRIVATE: 8}
_VERSIONS = frozenset((1, 2, 3, 4))
_REQUESTS = frozenset((_SYMMETRIC_ACTIVE, _CLIENT, _PRIVATE, _CONTROL))


def _mode(data: bytes) -> int:
    return data[0] & 7


def _version(data: bytes) -> int:
    return (data[0] >> 3) & 7


def sound(data: bytes) -> bool:
    """Tell whether a datagram has a version that exists and is long enough for its mode."""
    if not data or _version(data) not in _VERSIONS or not _mode(data):
        return False
    return len(data) >= _LEAST.get(_mode(data), _HEADER)


def probe(data: bytes) -> int:
    """Recognise a message."""
    return PROBE_YES if sound(data) else PROBE_NO


class NtpTransaction(MessageTransaction):
    """One message; it exists in its own direction only."""

    __slots__ = ("head",)

    def __init__(self, tx_id: int, direction: int, raw: bytes) -> None:
        """Wrap a message; an empty one is one that could not be read."""
        super().__init__(tx_id, direction)
        self.head = raw[:_HEADER]

    @property
    def timed(self) -> bool:
        """Tell whether it has the header of time messages: a stratum and a reference."""
        return len(self.head) == _HEADER and _mode(self.head) not in _LEAST

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.head[12:16] if name == "ntp.reference_id" and self.timed else None

    @override
    def value(self, name: str) -> Any:
        if not self.head:
            return None
        if name == "ntp.version":
            return _version(self.head)
        if name == "ntp.mode":
            return _mode(self.head)
        return self.head[1] if name == "ntp.stratum" and self.timed else None

    @override
    def log(self) -> dict[str, Any]:
        if not self.head:
            return {}
        found: dict[str, Any] = {"version": _version(self.head), "mode": _mode(self.head)}
        if self.timed:
            found["stratum"] = self.head[1]
            found["reference_id"] = self.head[12:16].hex(":")
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A message that could not be read is an anomaly and no record."""
        return [self.log()] if self.head else []


class NtpParser(Parser):
    """Messages of one flow."""

    name = "ntp"
    log_type = "ntp"

    def __init__(self, settings: Any = None) -> None:
        """Start with no question asked."""
        super().__init__(settings)
        self._asked = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        whole = sound(chunk)
        tx = NtpTransaction(self.next_tx, direction, chunk if whole else b"")
        self.next_tx += 1
        self.transactions.append(tx)
        if not whole:
            tx.events.append("malformed_data")
        elif direction == TOSERVER:
            self._asked += _mode(chunk) in _REQUESTS
        elif _mode(chunk) == _SERVER:
            if not self._asked:
                tx.events.append("unsolicited_response")
            self._asked = max(self._asked - 1, 0)


SPECS = (
    ProtocolSpec(
        "ntp",
        transports=("udp",),
        parser=NtpParser,
        probings=tuple(Probing(probe, direction, _PORT) for direction in _BOTH),
        buffers=(BufferSpec("ntp.reference_id", _NTP, _BOTH),),
        values=tuple(ValueSpec(name, _NTP, _BOTH) for name in ("ntp.version", "ntp.mode", "ntp.stratum")),
        log="ntp",
        events=frozenset(("malformed_data", "unsolicited_response")),
    ),
)
