"""The folders that workers write to, which run as a user of their own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_FOLDERS = ("handover", "files")


class FolderError(Exception):
    """A folder cannot be used; ``field`` is what in the appliance file names it."""

    def __init__(self, field: str, message: str) -> None:
        """Say which field, and what to do."""
        super().__init__(message)
        self.field = field


def prepare(state: Path, user: str) -> None:
    """Make the folders below ``state``.

    Raises:
        FolderError: there is no such user, or it cannot get there.
        OSError: a folder cannot be made.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        message = f"there is no user {user!r}: create it (`useradd --system {user}`), or name another"
        raise FolderError("user", message) from None
    for name in _FOLDERS:
        folder = state / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            _must_reach(entry, folder)


def _must_reach(entry: pwd.struct_passwd, folder: Path) -> None:
    for one in (*reversed(folder.parents), folder):
        if not _enters(entry, one):
            message = (
                f"{folder}: workers run as {entry.pw_name!r}, who may not enter {one}: "
                "allow that (`chmod o+x`), or name another folder"
            )
            raise FolderError("state", message)


def _enters(entry: pwd.struct_passwd, folder: Path) -> bool:
    """Ask the kernel as that user: lists of access rights count too."""
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        return os.access(folder, os.X_OK, effective_ids=True)
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
