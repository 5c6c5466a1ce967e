"""Give up what a worker does not need: it keeps the right to answer the kernel's queues, and nothing else."""

from __future__ import annotations

import ctypes
import os
import pwd
import struct

CAP_NET_ADMIN = 12
CAP_NET_RAW = 13
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_VERSION_3 = 0x20080522
_LAST_CAP = 63


class PrivilegeError(Exception):
    """Rights could not be given up."""


def drop_to(user: str, keep: tuple[int, ...]) -> bool:
    """Become ``user`` with only the capabilities ``keep``.

    Returns:
        False when this process is not root, so that it has nothing to give up.

    Raises:
        PrivilegeError: there is no such user, or the kernel refuses.
    """
    if os.geteuid() != 0:
        return False
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError(f"there is no user {user!r}: create it, or name another under `user`") from None
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(_LAST_CAP + 1):
        if number not in keep:
            libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # beyond the kernel's last one it only says no
    _must(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS")
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    _set_capabilities(libc, keep)
    _must(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    return True


def _set_capabilities(libc: ctypes.CDLL, keep: tuple[int, ...]) -> None:
    bits = sum(1 << number for number in keep)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("=II", _VERSION_3, 0)
    data = struct.pack("=IIIIII", low, low, 0, high, high, 0)
    _must(libc.capset(header, data), "capset")


def _must(result: int, what: str) -> None:
    if result != 0:
        raise PrivilegeError(f"{what}: {os.strerror(ctypes.get_errno())}")
