"""SMB1 and DCE/RPC messages as a worm of 2008 sends them (MS-CIFS, MS-RPCE, MS-SRVS)."""

from __future__ import annotations

import struct
import uuid

SRVSVC = uuid.UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188").bytes_le
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le
OPNUM_PATH_CANONICALIZE = 31

_FLAGS2 = 0xC807


def message(
    command: int, words: bytes, data: bytes, *, reply: bool = False, tid: int = 0, mid: int = 1
) -> bytes:
    """One SMB1 message with its NetBIOS session header."""
    header = struct.pack(
        "<4sBIBHH8sHHHHH",
        b"\xffSMB",
        command,
        0,
        0x98 if reply else 0x18,
        _FLAGS2,
        0,
        bytes(8),
        0,
        tid,
        0xFEFF,
        2048,
        mid,
    )
    body = header + bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data
    return struct.pack(">I", len(body)) + body


def utf16(text: str) -> bytes:
    """Text as SMB writes it: UTF-16LE with its terminator."""
    return text.encode("utf-16-le") + b"\x00\x00"


def negotiate() -> bytes:
    """Offer one dialect."""
    return message(0x72, b"", b"\x02NT LM 0.12\x00")


def negotiate_reply() -> bytes:
    """Accept it."""
    words = struct.pack("<HBHHIIIIQHB", 0, 3, 50, 1, 16644, 65536, 0, 0x8000E3FD, 0, 0, 8)
    return message(0x72, words, bytes(8) + utf16("WORKGROUP"), reply=True)


def session_setup() -> bytes:
    """Log on as nobody."""
    words = struct.pack("<BBHHHHIHHII", 0xFF, 0, 0, 4356, 10, 0, 0, 0, 0, 0, 0xD4)
    return message(0x73, words, b"\x00" + utf16("") + utf16("") + utf16("Unix") + utf16("smb"))


def session_setup_reply() -> bytes:
    """Let nobody in."""
    return message(0x73, struct.pack("<BBHH", 0xFF, 0, 0, 1), b"\x00" + utf16("Windows 5.1"), reply=True)


def tree_connect(server: str) -> bytes:
    """Connect to the share of named pipes."""
    words = struct.pack("<BBHHH", 0xFF, 0, 0, 8, 1)
    return message(0x75, words, b"\x00" + utf16(f"\\\\{server}\\IPC$") + b"?????\x00")


def tree_connect_reply() -> bytes:
    """Grant it."""
    return message(0x75, struct.pack("<BBHH", 0xFF, 0, 0, 1), b"IPC\x00" + utf16(""), reply=True, tid=1)


def open_pipe(name: str) -> bytes:
    """Open a named pipe."""
    path = utf16(name)
    words = struct.pack(
        "<BBHBHIIIQIIIIIB", 0xFF, 0, 0, 0, len(path) - 2, 0x16, 0, 0x2019F, 0, 0, 3, 1, 0x40, 2, 3
    )
    return message(0xA2, words, b"\x00" + path, tid=1)


def open_pipe_reply() -> bytes:
    """Hand out file id 0x4000."""
    words = struct.pack("<BBHBHI", 0xFF, 0, 0, 0, 0x4000, 1) + bytes(54) + b"\x05\x00"
    return message(0xA2, words + bytes(len(words) % 2), b"", reply=True, tid=1)


def transact(pdu: bytes) -> bytes:
    """Send a DCE/RPC message over the pipe (TransactNmPipe)."""
    name = utf16("\\PIPE\\")
    offset = 32 + 1 + 32 + 2 + 1 + len(name)
    words = struct.pack(
        "<HHHHBBHIHHHHHBBHH",
        0,
        len(pdu),
        0,
        4280,
        0,
        0,
        0,
        0,
        0,
        0,
        offset,
        len(pdu),
        offset,
        2,
        0,
        0x26,
        0x4000,
    )
    return message(0x25, words, b"\x00" + name + pdu, tid=1)


def transact_reply(pdu: bytes) -> bytes:
    """Answer over the pipe."""
    words = struct.pack("<HHHHHHHHHBB", 0, len(pdu), 0, 0, 56, 0, len(pdu), 56, 0, 0, 0)
    return message(0x25, words, b"\x00" + pdu, reply=True, tid=1)


def rpc(kind: int, call: int, body: bytes) -> bytes:
    """One connection-oriented DCE/RPC PDU, little-endian, a single fragment."""
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, call) + body


def rpc_bind(interface: bytes, version: int = 3) -> bytes:
    """Bind to an interface by UUID."""
    context = (
        struct.pack("<HBB", 0, 1, 0) + interface + struct.pack("<HH", version, 0) + NDR + struct.pack("<I", 2)
    )
    return rpc(11, 1, struct.pack("<HHIBBH", 4280, 4280, 0, 1, 0, 0) + context)


def rpc_bind_ack() -> bytes:
    """Accept the binding."""
    address = b"\\PIPE\\srvsvc\x00"
    result = struct.pack("<BBHHH", 1, 0, 0, 0, 0) + NDR + struct.pack("<I", 2)
    return rpc(12, 1, struct.pack("<HHIH", 4280, 4280, 0x53F0, len(address)) + address + b"\x00" + result)


def rpc_request(opnum: int, stub: bytes) -> bytes:
    """Call a procedure."""
    return rpc(0, 1, struct.pack("<IHH", len(stub), 0, opnum) + stub)


def rpc_response(stub: bytes) -> bytes:
    """Answer a call."""
    return rpc(2, 1, struct.pack("<IHBB", len(stub), 0, 0, 0) + stub)


def ndr_string(text: bytes) -> bytes:
    """A conformant varying string of UTF-16 units, padded to four bytes."""
    units = len(text) // 2
    return struct.pack("<III", units, 0, units) + text + bytes(-len(text) % 4)


def path_canonicalize(server: str, path: bytes) -> bytes:
    """Stub of NetPathCanonicalize (MS-SRVS 3.1.4.30): server, path, output size, prefix, type, flags."""
    head = struct.pack("<I", 0x00020000) + ndr_string(utf16(server)) + ndr_string(path)
    return head + struct.pack("<I", 1000) + ndr_string(utf16("\\")) + struct.pack("<II", 1, 0)
