"""Tell systemd how we are: sd_notify(3) and the watchdog, without its library."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Sends states to the socket that systemd names; without one every call does nothing."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        """Read ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC``."""
        found = dict(os.environ) if environment is None else environment
        self._address = found.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        usec = found.get("WATCHDOG_USEC", "")
        mine = found.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        self.interval = int(usec) / 2e6 if usec.isdigit() and mine else 0.0

    def send(self, *states: str) -> None:
        """Send states such as ``READY=1``; failing to do so changes nothing here."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            try:
                end.sendto("\n".join(states).encode(), self._address)
            except OSError:
                return

    def ready(self) -> None:
        """The appliance protects."""
        self.send("READY=1", f"MAINPID={os.getpid()}")

    def status(self, text: str) -> None:
        """Say in words what is going on."""
        self.send(f"STATUS={text}")

    def watchdog(self) -> None:
        """Say that all is well."""
        self.send("WATCHDOG=1")
