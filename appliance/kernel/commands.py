"""The kernel's tools as functions: fixed arguments, a time limit, one kind of error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from appliance.kernel.base import KernelError

TIMEOUT = 30.0  # seconds
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C"}
_PACKAGES = {"nft": "nftables", "bridge": "iproute2", "ip": "iproute2"}
_SHOWN = 2000


def have(tool: str) -> bool:
    """Tell whether a tool is installed."""
    return shutil.which(tool, path=_PATH) is not None


def attempt(argv: Sequence[str], text: str = "") -> tuple[bool, str]:
    """Run a tool with ``text`` on its standard input; give whether it succeeded, and what it said.

    Raises:
        KernelError: it is not installed, or did not end in time.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            list(argv),
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env=_ENVIRONMENT | {"XTABLES_LOCKFILE": os.environ.get("XTABLES_LOCKFILE", "/run/xtables.lock")},
        )
    except FileNotFoundError:
        package = _PACKAGES.get(argv[0], "iptables")
        raise KernelError(f"{argv[0]} is not installed: install the package {package}") from None
    except subprocess.TimeoutExpired:
        raise KernelError(f"{' '.join(argv)} did not end within {TIMEOUT:.0f} s") from None
    if done.returncode == 0:
        return True, done.stdout
    return False, done.stderr.strip() or done.stdout.strip()


def run(argv: Sequence[str], text: str = "") -> str:
    """Run a tool and give its output.

    Raises:
        KernelError: as :func:`attempt`, and when the tool fails, with what it said.
    """
    fine, said = attempt(argv, text)
    if not fine:
        raise KernelError(f"{' '.join(argv)}: {said[:_SHOWN]}{_hint(said)}")
    return said


def _hint(said: str) -> str:
    if "Operation not permitted" in said or "Permission denied" in said:
        return " (Eastwall needs root, or CAP_NET_ADMIN)"
    if "Another app is currently holding the xtables lock" in said:
        return " (another program changes iptables; try again)"
    return ""
