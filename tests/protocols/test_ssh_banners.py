"""SSH: version lines, algorithm lists, and what comes instead."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.app import COMPLETE
from appliance.protocols.ssh.parser import SshParser

LISTS = [b"curve25519", b"rsa", b"aes-c", b"aes-s", b"mac-c", b"mac-s", b"zip-c", b"zip-s", b"", b""]


def packet(kind: int, body: bytes) -> bytes:
    padding = b"\0" * 6
    return struct.pack(">IBB", 2 + len(body) + len(padding), len(padding), kind) + body + padding


KEXINIT = packet(20, bytes(16) + b"".join(struct.pack(">I", len(x)) + x for x in LISTS) + bytes(5))
CLIENT = b"SSH-2.0-OpenSSH_9.2 Debian\r\n" + KEXINIT + packet(30, b"x" * 40) + packet(21, b"") + b"\xee" * 90
SERVER = b"welcome\r\nSSH-1.99-dropbear\n" + KEXINIT + packet(21, b"")


def play(*turns: tuple[int, bytes]) -> SshParser:
    ssh = SshParser()
    for direction, data in turns:
        ssh.data(direction, data)
    return ssh


def test_both_ends_are_told_apart():
    ssh = play((0, CLIENT), (1, SERVER))
    tx = ssh.tx
    assert tx.buffer("ssh.software", 0) == b"OpenSSH_9.2"
    assert tx.buffer("ssh.proto", 1) == b"1.99"
    assert tx.buffer("ssh.hassh.string", 0) == b"curve25519;aes-c;mac-c;zip-c"
    text = b"curve25519;aes-s;mac-s;zip-s"
    assert tx.buffer("ssh.hassh.server", 1) == hashlib.md5(text, usedforsecurity=False).hexdigest().encode()
    assert tx.progress == [COMPLETE, COMPLETE]
    assert ssh.bypass
    assert tx.log()["server"]["software_version"] == "dropbear"


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (b"HELLO\r\n", "invalid_banner"),
        (b"SSH-2.0\r\n", "invalid_banner"),
        (b"SSH-2.0-" + b"x" * 300, "long_banner"),
        (b"SSH-2.0-x\r\n" + b"\0\0\0\0\0\0", "invalid_record"),
        (b"SSH-2.0-x\r\n" + b"\xff\xff\xff\xff\0\x14", "long_kex_record"),
        (b"SSH-2.0-x\r\n" + packet(20, b"short"), "invalid_record"),
    ],
)
def test_events(said: bytes, event: str):
    assert play((0, said)).tx.events == [event]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_cut_gives_the_same(sizes):
    cut, at = [], 0
    for size in sizes:
        cut.append((0, CLIENT[at : at + size]))
        at += size
    cut.append((0, CLIENT[at:]))
    pieces, whole = play(*cut).tx, play((0, CLIENT)).tx
    assert (pieces.log(), pieces.progress, pieces.events) == (whole.log(), whole.progress, whole.events)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=400)), max_size=4), st.booleans())
def test_no_bytes_raise(turns, banner):
    ssh = SshParser()
    for direction, data in turns:
        ssh.data(direction, (b"SSH-2.0-x\n" if banner else b"") + data)
        ssh.gap(direction, 3)
    ssh.tx.log()
