"""Secrets from files that only their owner can read. What is in them is in no message and no error."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.handoff.document import ClusterDocument, CredentialsDocument, TlsDocument

_MAX_SECRET = 16 << 10


class SecretError(Exception):
    """A file with a secret cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the servers: ``document`` with its files, beside which ``named`` finds them."""

    document: ClusterDocument
    named: Callable[[str], Path]

    def options(self) -> dict[str, Any]:
        """Give what the client needs; files are read each time, so they may be replaced.

        Raises:
            SecretError: a file is missing, readable by others, or makes no sense.
        """
        found: dict[str, Any] = {}
        if self.document.tls is not None:
            found["tls"] = self._tls(self.document.tls)
        if self.document.credentials is not None:
            found |= self._login(self.document.credentials)
        return found

    def _login(self, given: CredentialsDocument) -> dict[str, Any]:
        if given.nkey:
            return {"nkeys_seed_str": read_secret(self.named(given.nkey))}
        if given.creds:
            read_secret(self.named(given.creds))
            return {"user_credentials": str(self.named(given.creds))}
        return {"user": given.user, "password": read_secret(self.named(given.password))}

    def _tls(self, given: TlsDocument) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(self.named(given.ca)))
        except (OSError, ssl.SSLError) as error:
            message = f"{self.named(given.ca)}: no certificates can be read from it: {_why(error)}"
            raise SecretError(message) from None
        if given.certificate:
            check_mode(self.named(given.key))
            try:
                context.load_cert_chain(self.named(given.certificate), self.named(given.key), _no_password)
            except (OSError, ssl.SSLError, ValueError) as error:
                message = f"{self.named(given.certificate)}: cannot be used with its key: {_why(error)}"
                raise SecretError(message) from None
        return context


def _no_password() -> str:
    raise ValueError("the key must not need a password")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def read_secret(path: Path) -> str:
    """Read a secret of one file.

    Raises:
        SecretError: it is missing, empty, too large, or others can read it.
    """
    check_mode(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SECRET + 1)
        text = data.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"{path}: cannot be read: {_why(error)}") from None
    if not text or len(data) > _MAX_SECRET:
        raise SecretError(f"{path}: is empty or too large to hold a secret")
    return text


def check_mode(path: Path) -> None:
    """Refuse a file that others than its owner can read or write, or that somebody else owns.

    Raises:
        SecretError: it is so, or the file is missing.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise SecretError(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"{path}: is no file")
    if found.st_mode & 0o077:
        raise SecretError(f"{path}: others can read it; `chmod 600 {path}`")
    if found.st_uid not in {0, os.geteuid()}:
        raise SecretError(f"{path}: belongs to another user; `chown root {path}`")
