"""SMB2 and RPC messages for tests, and ways to play them."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

from appliance.config.settings import AppSettings
from appliance.model.flow import Flow
from appliance.protocols.smb.parser import SmbParser

_PATH = Path(__file__).resolve().parents[2] / "pcaps" / "crafting" / "smb1.py"
_SPEC = importlib.util.spec_from_file_location("crafted_smb1", _PATH)
smb1 = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(smb1)

FID = bytes.fromhex("4d000000000000000900000000000000")
SESSION = 0x400000000005


def smb2(command, body, mid, *, reply=False, status=0, tree=1, flags=0, session=SESSION, following=0):
    flags |= 1 if reply else 0
    head = struct.pack(
        "<4sHHIHHIIQIIQ16s",
        b"\xfeSMB",
        64,
        1,
        status,
        command,
        1,
        flags,
        following,
        mid,
        0xFEFF,
        tree,
        session,
        bytes(16),
    )
    return head + body


def framed(record):
    return struct.pack(">I", len(record)) + record


def compound(*records):
    """Join records; each but the last is padded to eight bytes and says where the next begins."""
    out = b""
    for i, record in enumerate(records):
        padded = record + bytes(-len(record) % 8)
        last = i == len(records) - 1
        out += record if last else padded[:20] + struct.pack("<I", len(padded)) + padded[24:]
    return framed(out)


def tree_connect(path, mid=1):
    raw = path.encode("utf-16-le")
    return framed(smb2(3, struct.pack("<HHHH", 9, 0, 72, len(raw)) + raw, mid, tree=0))


def tree_connected(kind=1, mid=1, tree=1):
    return framed(smb2(3, struct.pack("<HBBIII", 16, kind, 0, 0, 0, 0), mid, reply=True, tree=tree))


def create(name, mid, *, disposition=1, options=0, wrap=framed, **fields):
    raw = name.encode("utf-16-le")
    body = struct.pack(
        "<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 3, 0, 7, disposition, options, 120, len(raw), 0, 0
    )
    return wrap(smb2(5, body + (raw or b"\0"), mid, **fields))


def created(mid, *, fid=FID, size=0, wrap=framed, **fields):
    body = struct.pack("<HBBIQQQQQQII", 89, 0, 0, 1, 0, 0, 0, 0, 0, size, 0, 0) + fid + bytes(8)
    return wrap(smb2(5, body, mid, reply=True, **fields))


def write(data, offset, mid, *, fid=FID, wrap=framed, **fields):
    body = struct.pack("<HHIQ", 49, 112, len(data), offset) + fid + bytes(16)
    return wrap(smb2(9, body + data, mid, **fields))


def written(mid, size=0, *, status=0):
    return framed(smb2(9, struct.pack("<HHIIHH", 17, 0, size, 0, 0, 0), mid, reply=True, status=status))


def read(length, offset, mid, *, fid=FID):
    return framed(smb2(8, struct.pack("<HBBIQ", 49, 80, 0, length, offset) + fid + bytes(17), mid))


def data(payload, mid):
    body = struct.pack("<HBBIII", 17, 80, 0, len(payload), 0, 0)
    return framed(smb2(8, body + payload, mid, reply=True))


def failed(command, mid, status):
    return framed(smb2(command, struct.pack("<HHIB", 9, 0, 0, 0), mid, reply=True, status=status))


def close(mid, *, fid=FID, wrap=framed, **fields):
    return wrap(smb2(6, struct.pack("<HHI", 24, 0, 0) + fid, mid, **fields))


def closed(mid):
    return framed(smb2(6, struct.pack("<HHI", 60, 0, 0) + bytes(52), mid, reply=True))


def ioctl(code, payload, mid, *, reply=False, fid=FID):
    if reply:
        body = struct.pack("<HHI", 49, 0, code) + fid
        body += struct.pack("<IIIIII", 112, 0, 112, len(payload), 0, 0)
    else:
        body = struct.pack("<HHI", 57, 0, code) + fid
        body += struct.pack("<IIIIIIII", 120, len(payload), 0, 0, 0, 1024, 1, 0)
    return framed(smb2(11, body + payload, mid, reply=reply))


def set_info(level, payload, mid, *, fid=FID):
    body = struct.pack("<HBBIHHI", 33, 1, level, len(payload), 96, 0, 0) + fid
    return framed(smb2(17, body + payload, mid))


def parser(options=None, **settings):
    made = SmbParser(options or {})
    made.open(Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 445), AppSettings(**settings), None)
    return made


def play(turns, options=None, step=0, **settings):
    made = parser(options, **settings)
    for direction, raw in turns:
        for at in range(0, len(raw), step or len(raw)):
            made.data(direction, raw[at : at + (step or len(raw))])
    return made


def snapshot(made):
    return [
        (
            tx.log(),
            tx.progress,
            sorted(tx.events),
            [(f.name, f.size, f.state, bytes(f.data)) for f in tx.files],
        )
        for tx in made.transactions
    ]


def opened(name, share="\\\\s\\data", kind=1):
    """A tree and an open file."""
    return [(0, tree_connect(share)), (1, tree_connected(kind)), (0, create(name, 2)), (1, created(2))]


def smb1_call(interface, opnum, stub):
    """A worm's way to a call: everything up to the response."""
    return [
        (0, smb1.negotiate()),
        (1, smb1.negotiate_reply()),
        (0, smb1.session_setup()),
        (1, smb1.session_setup_reply()),
        (0, smb1.tree_connect("10.0.0.2")),
        (1, smb1.tree_connect_reply()),
        (0, smb1.open_pipe("\\browser")),
        (1, smb1.open_pipe_reply()),
        (0, smb1.transact(smb1.rpc_bind(interface))),
        (1, smb1.transact_reply(smb1.rpc_bind_ack())),
        (0, smb1.transact(smb1.rpc_request(opnum, stub))),
        (1, smb1.transact_reply(smb1.rpc_response(b"\0\0\0\0"))),
    ]
