"""What a provider's process is told on its standard input, and the secrets that it fetches itself."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.config.document import read_document
from appliance.config.errors import ConfigError

USERNAME, PASSWORD = "EASTWALL_VSPHERE_USERNAME", "EASTWALL_VSPHERE_PASSWORD"


class ProviderError(Exception):
    """The provider cannot work, or not for now; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom to log in as."""

    username: str
    password: str = field(repr=False)


def credentials(options: dict[str, Any]) -> Credentials:
    """Read credentials from the file that is named, or from the environment.

    Raises:
        ProviderError: there are none, or others than its owner can read the file.
    """
    if options.get("credentials"):
        return _from_file(Path(options["credentials"]))
    username, password = os.environ.get(USERNAME, ""), os.environ.get(PASSWORD, "")
    if not username or not password:
        raise ProviderError(
            f"no credentials: name a file under `credentials`, or set {USERNAME} and {PASSWORD}"
        )
    return Credentials(username, password)


def _from_file(path: Path) -> Credentials:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ProviderError(f"{path}: others may read it; `chmod 600` it")
    document, errors = read_document(path)
    data = document.data if document is not None and not errors else None
    if not isinstance(data, dict) or not all(_is_text(data.get(key)) for key in ("username", "password")):
        # no details: they could quote the secret
        raise ProviderError(f"{path}: has to hold `username` and `password`, as text")
    return Credentials(data["username"], data["password"])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def become(user: str) -> None:
    """Go on as ``user`` without any rights beyond those, when we are root.

    Raises:
        ProviderError: there is no such user.
    """
    if os.geteuid() != 0 or not user or user == "root":
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ProviderError(f"there is no user {user!r}") from None
    os.initgroups(user, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def clean(text: str, size: int = 255) -> str:
    """Give a name as records and bindings may hold it: no control characters, bounded."""
    return "".join(char if char.isprintable() else "?" for char in text)[:size]


def first_error(errors: list[ConfigError]) -> str:
    """Say the first error, and how many there are."""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0]}{more}"
