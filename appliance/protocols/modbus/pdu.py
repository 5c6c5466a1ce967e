"""Modbus application data units (Modbus Application Protocol 1.1b3; Modbus on TCP/IP 1.0b)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.reader import Reader

HEADER = 7
MIN_LENGTH, MAX_LENGTH = 2, 254
_ERROR = 0x80

_NAMES = {
    1: "RdCoils",
    2: "RdDiscreteInputs",
    3: "RdHoldRegs",
    4: "RdInputRegs",
    5: "WrSingleCoil",
    6: "WrSingleReg",
    7: "RdExcStatus",
    8: "Diagnostic",
    9: "Program484",
    10: "Poll484",
    11: "GetCommEventCtr",
    12: "GetCommEventLog",
    13: "ProgramController",
    14: "PollController",
    15: "WrMultCoils",
    16: "WrMultRegs",
    17: "ReportServerID",
    18: "Program884",
    19: "ResetCommLink",
    20: "RdFileRec",
    21: "WrFileRec",
    22: "MaskWrReg",
    23: "RdWrMultRegs",
    24: "RdFIFOQueue",
    43: "MEI",
}
_EXCEPTIONS = {
    1: "IllegalFunction",
    2: "IllegalDataAddr",
    3: "IllegalDataValue",
    4: "ServerDeviceFail",
    5: "Ack",
    6: "ServerDeviceBusy",
    7: "NegAck",
    8: "MemParityErr",
    10: "GatewayPathUnavailable",
    11: "GatewayTargetFailToResp",
}
_ACCESS = {
    1: ("READ", "COILS"),
    2: ("READ", "DISCRETES"),
    3: ("READ", "HOLDING"),
    4: ("READ", "INPUT"),
    5: ("WRITE", "COILS", "SINGLE"),
    6: ("WRITE", "HOLDING", "SINGLE"),
    15: ("WRITE", "COILS", "MULTIPLE"),
    16: ("WRITE", "HOLDING", "MULTIPLE"),
    20: ("READ",),
    21: ("WRITE",),
    22: ("WRITE", "HOLDING"),
    23: ("READ", "WRITE", "HOLDING", "MULTIPLE"),
}
# Most coils or registers that one request may ask for or write.
_READ_LIMIT = {1: 2000, 2: 2000, 3: 125, 4: 125}
_WRITE_LIMIT = {15: 1968, 16: 123}
_DIAGNOSTIC, _MEI = 8, 43
_ASSIGNED = frozenset((*range(1, 9), 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43))
_RESERVED = frozenset((9, 10, 13, 14, 41, 42, 90, 91, 125, 126, 127))
_USER = frozenset((*range(65, 73), *range(100, 111)))
_DIAGNOSTICS = frozenset((0, 1, 2, 3, 4, *range(10, 19), 20))
_COIL_ON = 0xFF00


class Pdu:
    """One request or response."""

    __slots__ = (
        "data",
        "exception",
        "flaws",
        "function",
        "protocol",
        "read",
        "subfunction",
        "transaction",
        "unit",
        "write",
        "written",
    )

    def __init__(self, header: bytes, function: int) -> None:
        """Take the header and the function apart; ``function`` may have the bit of an exception."""
        self.transaction = int.from_bytes(header[:2], "big")
        self.protocol = int.from_bytes(header[2:4], "big")
        self.unit = header[6]
        self.function = function & 0x7F
        self.exception = 0 if function & _ERROR else -1
        self.subfunction = -1
        self.read: tuple[int, int] | None = None  # address, quantity
        self.write: tuple[int, int] | None = None
        self.written: list[int] = []  # values, from the first address on
        self.data = b""
        self.flaws: list[str] = []  # events

    @property
    def access(self) -> tuple[str, ...]:
        """What is accessed, and how."""
        return _ACCESS.get(self.function, ())

    @property
    def category(self) -> str:
        """To whom the function belongs."""
        if self.function in _USER:
            return "USER_DEFINED"
        diagnostic = self.function == _DIAGNOSTIC and self.subfunction not in _DIAGNOSTICS
        other_mei = self.function == _MEI and self.subfunction not in {13, 14}
        if self.function in _RESERVED or ((diagnostic or other_mei) and self.subfunction >= 0):
            return "RESERVED"
        return "PUBLIC_ASSIGNED" if self.function in _ASSIGNED else "PUBLIC_UNASSIGNED"

    def note(self, event: str) -> None:
        """Record what is wrong, once."""
        if event not in self.flaws:
            self.flaws.append(event)

    def log(self) -> dict[str, Any]:
        """Give this part of the record."""
        found: dict[str, Any] = {
            "transaction_id": self.transaction,
            "protocol_id": self.protocol,
            "unit_id": self.unit,
            "function_raw": self.function | (_ERROR if self.exception >= 0 else 0),
            "function_code": _NAMES.get(self.function, "Unknown"),
            "access_type": " | ".join(self.access) or "NONE",
            "category": self.category,
            "error_flags": self._errors(),
        }
        if self.exception >= 0:
            name = _EXCEPTIONS.get(self.exception, "Unknown")
            found["exception"] = {"raw": self.exception, "code": name}
        elif self.subfunction >= 0:
            kind = "mei" if self.function == _MEI else "diagnostic"
            found[kind] = {"raw": self.subfunction, "data": self.data.hex()}
        for name, place in (("read", self.read), ("write", self.write)):
            if place is not None:
                found[name] = {"address": place[0], "quantity": place[1]}
        if self.written:
            found["write"]["data"] = self.written[:256]
        return found

    def _errors(self) -> str:
        names = {
            "invalid_length": "DATA_LENGTH",
            "invalid_value": "DATA_VALUE",
            "invalid_exception_code": "EXC_CODE",
            "invalid_function_code": "FUNC_CODE",
            "invalid_protocol_id": "PROTO_ID",
        }
        return " | ".join(names[flaw] for flaw in self.flaws if flaw in names) or "NONE"


def parse(raw: bytes, response: bool) -> Pdu:
    """Read one unit: header, function and at most 252 bytes of data."""
    pdu = Pdu(raw, raw[HEADER])
    if pdu.protocol:
        pdu.note("invalid_protocol_id")
    if not pdu.function:
        pdu.note("invalid_function_code")
    reader = Reader(raw, HEADER + 1)
    pdu.data = raw[HEADER + 1 :]
    if pdu.exception >= 0:
        _exception(pdu, reader, response)
    elif pdu.function in {_DIAGNOSTIC, _MEI}:
        pdu.subfunction = reader.uint(2 if pdu.function == _DIAGNOSTIC else 1)
        pdu.data = raw[reader.at :]
    elif not response:
        _request(pdu, reader)
    else:
        _response(pdu, reader)
    if reader.failed:
        pdu.note("invalid_length")
    return pdu


def _exception(pdu: Pdu, reader: Reader, response: bool) -> None:
    pdu.exception = reader.uint(1)
    if not response:
        pdu.note("invalid_function_code")
    if pdu.exception not in _EXCEPTIONS:
        pdu.note("invalid_exception_code")


def _request(pdu: Pdu, reader: Reader) -> None:
    function = pdu.function
    if function in _READ_LIMIT or function == 23:
        pdu.read = (reader.uint(2), reader.uint(2))
        _limit(pdu, pdu.read[1], _READ_LIMIT.get(function, 125))
    if function in _WRITE_LIMIT or function == 23:
        _many(pdu, reader, _WRITE_LIMIT.get(function, 121))
    elif function in {5, 6}:
        _one(pdu, reader)
    elif function == 22:
        pdu.write = (reader.uint(2), 1)
        pdu.data = reader.take(4)


def _one(pdu: Pdu, reader: Reader) -> None:
    """Take a write of one coil or register."""
    pdu.write = (reader.uint(2), 1)
    value = reader.uint(2)
    if pdu.function == 5:
        if value not in {0, _COIL_ON}:
            pdu.note("invalid_value")
        value = int(value == _COIL_ON)
    if not reader.failed:
        pdu.written = [value]


def _many(pdu: Pdu, reader: Reader, limit: int) -> None:
    """Take a write of several coils (bits, the first one lowest) or registers."""
    address, quantity, size = reader.uint(2), reader.uint(2), reader.uint(1)
    pdu.write = (address, quantity)
    _limit(pdu, quantity, limit)
    expected = (quantity + 7) // 8 if pdu.function == 15 else 2 * quantity
    if size != expected:
        pdu.note("invalid_value")
    data = reader.take(min(size, reader.left))
    if len(data) != size:
        pdu.note("invalid_length")
    if pdu.function == 15:
        pdu.written = [data[i // 8] >> i % 8 & 1 for i in range(min(quantity, 8 * len(data)))]
    else:
        pdu.written = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data) - 1, 2)]


def _limit(pdu: Pdu, quantity: int, limit: int) -> None:
    if not 1 <= quantity <= limit:
        pdu.note("invalid_value")


def _response(pdu: Pdu, reader: Reader) -> None:
    if pdu.function in _READ_LIMIT or pdu.function == 23:
        size = reader.uint(1)
        pdu.data = reader.take(min(size, reader.left))
        if len(pdu.data) != size or reader.left:
            pdu.note("invalid_length")
    elif pdu.function in {5, 6}:
        _one(pdu, reader)
    elif pdu.function in _WRITE_LIMIT:
        pdu.write = (reader.uint(2), reader.uint(2))


def answers(request: Pdu, response: Pdu) -> bool:
    """Tell whether what a response says agrees with what was asked for."""
    if request.function != response.function:
        return False
    if response.exception >= 0:
        return True
    if request.read is not None:
        quantity = request.read[1]
        size = (quantity + 7) // 8 if request.function in {1, 2} else 2 * quantity
        return len(response.data) == size
    if response.write is not None:
        return request.write == response.write and (
            not response.written or request.written == response.written
        )
    return True
