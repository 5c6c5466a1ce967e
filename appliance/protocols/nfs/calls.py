"""Arguments and results of NFS versions 2, 3 and 4 (RFC 1094, RFC 1813, RFC 7530, RFC 8881)."""

from __future__ import annotations

from collections.abc import Callable

from appliance.protocols.nfs.rpc import opaque
from appliance.protocols.reader import Reader

_WORDS_2 = """
NULL GETATTR SETATTR ROOT LOOKUP READLINK READ WRITECACHE WRITE CREATE REMOVE RENAME LINK SYMLINK
MKDIR RMDIR READDIR STATFS
"""
_WORDS_3 = """
NULL GETATTR SETATTR LOOKUP ACCESS READLINK READ WRITE CREATE MKDIR SYMLINK MKNOD REMOVE RMDIR
RENAME LINK READDIR READDIRPLUS FSSTAT FSINFO PATHCONF COMMIT
"""
PROCEDURES_2 = tuple(_WORDS_2.split())
PROCEDURES_3 = tuple(_WORDS_3.split())
OPERATIONS_4 = {
    3: "ACCESS",
    4: "CLOSE",
    5: "COMMIT",
    6: "CREATE",
    9: "GETATTR",
    10: "GETFH",
    11: "LINK",
    15: "LOOKUP",
    18: "OPEN",
    22: "PUTFH",
    24: "PUTROOTFH",
    25: "READ",
    28: "REMOVE",
    29: "RENAME",
    31: "RESTOREFH",
    32: "SAVEFH",
    38: "WRITE",
    53: "SEQUENCE",
}
STATUSES = {
    0: "OK",
    1: "ERR_PERM",
    2: "ERR_NOENT",
    5: "ERR_IO",
    6: "ERR_NXIO",
    13: "ERR_ACCESS",
    17: "ERR_EXIST",
    18: "ERR_XDEV",
    19: "ERR_NODEV",
    20: "ERR_NOTDIR",
    21: "ERR_ISDIR",
    22: "ERR_INVAL",
    27: "ERR_FBIG",
    28: "ERR_NOSPC",
    30: "ERR_ROFS",
    31: "ERR_MLINK",
    63: "ERR_NAMETOOLONG",
    66: "ERR_NOTEMPTY",
    69: "ERR_DQUOT",
    70: "ERR_STALE",
    71: "ERR_REMOTE",
    10001: "ERR_BADHANDLE",
    10002: "ERR_NOT_SYNC",
    10003: "ERR_BAD_COOKIE",
    10004: "ERR_NOTSUPP",
    10005: "ERR_TOOSMALL",
    10006: "ERR_SERVERFAULT",
    10007: "ERR_BADTYPE",
    10008: "ERR_JUKEBOX",
}
MAX_OPERATIONS = 64
REFUSED = 10_006  # what a call that RPC itself refused is taken for: a fault of the server
_HANDLE_2 = 32
_ATTRIBUTES_2, _ATTRIBUTES_3 = 68, 84
_NAMED = frozenset(("LOOKUP", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR"))
_LINK, _BLOCK, _CHARACTER = 5, 3, 4


class Call:
    """What a call does to which file. ``number`` is that of the procedure, in version 4 of the operation."""

    __slots__ = ("count", "data", "handle", "name", "number", "offset", "operation", "target", "version")

    def __init__(self, version: int, number: int, operation: str, handle: bytes = b"") -> None:
        """Begin with what is done."""
        self.version = version
        self.number = number
        self.operation = operation
        self.handle = handle
        self.name = b""
        self.target = b""  # the new name of a file
        self.offset = 0
        self.count = 0
        self.data = b""


def parse(version: int, procedure: int, reader: Reader) -> list[Call]:
    """Read the arguments of a call; in version 4 there is one for each operation that was understood."""
    if version == 4:
        return _compound(reader) if procedure == 1 else []
    names = PROCEDURES_2 if version == 2 else PROCEDURES_3
    call = Call(version, procedure, names[procedure] if procedure < len(names) else str(procedure))
    if procedure == 0:
        return [call]

    def handle() -> bytes:
        return reader.take(_HANDLE_2) if version == 2 else opaque(reader)

    call.handle = handle()
    if call.operation in _NAMED:
        call.name = opaque(reader)
    elif call.operation == "RENAME":
        call.name = opaque(reader)
        handle()
        call.target = opaque(reader)
    elif call.operation == "LINK":
        handle()
        call.name = opaque(reader)
    elif call.operation in {"READ", "WRITE"}:
        _transfer(call, reader)
    return [call]


def _transfer(call: Call, reader: Reader) -> None:
    """Read the arguments of READ and WRITE after the handle."""
    if call.version == 3:
        call.offset, call.count = reader.uint(8), reader.uint(4)
        if call.operation == "WRITE":
            reader.take(4)
            call.data = opaque(reader)
    elif call.operation == "WRITE":
        reader.take(4)
        call.offset = reader.uint(4)
        reader.take(4)
        call.data = opaque(reader)
    else:
        call.offset, call.count = reader.uint(4), reader.uint(4)


def _bitmap(reader: Reader) -> None:
    reader.take(4 * reader.uint(4))


def _create(reader: Reader, call: Call) -> None:
    kind = reader.uint(4)
    if kind == _LINK:
        call.target = opaque(reader)
    elif kind in {_BLOCK, _CHARACTER}:
        reader.take(8)
    call.name = opaque(reader)
    _bitmap(reader)
    opaque(reader)


def _read(reader: Reader, call: Call) -> None:
    reader.take(16)
    call.offset, call.count = reader.uint(8), reader.uint(4)


def _write(reader: Reader, call: Call) -> None:
    reader.take(16)
    call.offset = reader.uint(8)
    reader.take(4)
    call.data = opaque(reader)


def _name(reader: Reader, call: Call) -> None:
    call.name = opaque(reader)


def _rename(reader: Reader, call: Call) -> None:
    call.name = opaque(reader)
    call.target = opaque(reader)


def _handle(reader: Reader, call: Call) -> None:
    call.handle = opaque(reader)


def _mask(reader: Reader, call: Call) -> None:
    del call
    _bitmap(reader)


def _skip(size: int) -> Callable[[Reader, Call], None]:
    def pass_over(reader: Reader, call: Call) -> None:
        del call
        reader.take(size)

    return pass_over


# Operation of version 4 -> what reads its arguments. One that is missing ends the reading of a compound.
_ARGUMENTS: dict[str, Callable[[Reader, Call], None]] = {
    "ACCESS": _skip(4),
    "CLOSE": _skip(20),
    "COMMIT": _skip(12),
    "CREATE": _create,
    "GETATTR": _mask,
    "GETFH": _skip(0),
    "LINK": _name,
    "LOOKUP": _name,
    "PUTFH": _handle,
    "PUTROOTFH": _skip(0),
    "READ": _read,
    "REMOVE": _name,
    "RENAME": _rename,
    "RESTOREFH": _skip(0),
    "SAVEFH": _skip(0),
    "SEQUENCE": _skip(32),
    "WRITE": _write,
}


def _compound(reader: Reader) -> list[Call]:
    """Read a compound of version 4; each operation works on the handle that is current there."""
    opaque(reader)  # tag
    reader.take(4)  # minor version
    calls: list[Call] = []
    handle, saved = b"", b""
    for _ in range(min(reader.uint(4), MAX_OPERATIONS)):
        number = reader.uint(4)
        operation = OPERATIONS_4.get(number, "")
        if operation not in _ARGUMENTS:
            break
        call = Call(4, number, operation, handle)
        _ARGUMENTS[operation](reader, call)
        if reader.failed:
            break
        calls.append(call)
        if operation == "SAVEFH":
            saved = handle
        handle = saved if operation == "RESTOREFH" else call.handle
        if operation in {"LOOKUP", "PUTROOTFH", "CREATE"}:
            handle = b""  # that of what was looked up, which the reply does not always give
    return calls


class Result:
    """What a reply says of the call: its status, data that were read, a handle that was found."""

    __slots__ = ("data", "eof", "handle", "status")

    def __init__(self, status: int) -> None:
        """Begin with the status."""
        self.status = status
        self.data: bytes | None = None
        self.eof = False
        self.handle = b""


def result(call: Call, reader: Reader) -> Result:
    """Read the results that belong to ``call`` (in version 4 to the one operation that counts)."""
    found = Result(reader.uint(4))
    if found.status or reader.failed:
        return found
    if call.version == 4:
        _results_4(call, reader, found)
    elif call.operation == "READ":
        _data(call.version, reader, found)
    elif call.version == 2 and call.operation in {"LOOKUP", "CREATE", "MKDIR"}:
        found.handle = reader.take(_HANDLE_2)
    elif call.operation == "LOOKUP" or (call.operation in {"CREATE", "MKDIR"} and reader.uint(4)):
        found.handle = opaque(reader)
    return found


def _data(version: int, reader: Reader, found: Result) -> None:
    if version == 2:
        reader.take(_ATTRIBUTES_2)
    else:
        reader.take(_ATTRIBUTES_3 if reader.uint(4) else 0)
        reader.take(4)
        found.eof = reader.uint(4) != 0
    found.data = opaque(reader)


# Results of version 4 that have to be passed over -> their size.
_SIZES_4 = {"SEQUENCE": 36, "PUTFH": 0, "PUTROOTFH": 0, "LOOKUP": 0, "SAVEFH": 0, "RESTOREFH": 0, "ACCESS": 8}


def _results_4(call: Call, reader: Reader, found: Result) -> None:
    """Look for the result of the operation in a compound's reply."""
    opaque(reader)
    for _ in range(min(reader.uint(4), MAX_OPERATIONS)):
        number, status = reader.uint(4), reader.uint(4)
        operation = OPERATIONS_4.get(number, "")
        if status or reader.failed or (number == call.number and operation != "READ"):
            return
        if operation == "READ":
            found.eof = reader.uint(4) != 0
            found.data = opaque(reader)
            return
        if operation == "GETATTR":
            _bitmap(reader)
            opaque(reader)
        elif operation in _SIZES_4:
            reader.take(_SIZES_4[operation])
        else:
            return
