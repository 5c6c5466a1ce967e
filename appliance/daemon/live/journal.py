"""What happens to the protection itself: records beside those of the workers, lines for the service log."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

from appliance.config.settings import EveOutput
from appliance.daemon.live.lines import Lines
from appliance.model.event import NoticeEvent
from appliance.sinks.eve import EveWriter
from appliance.sinks.sender import RecordSender


class Journal:
    """Writes notices of the supervisor to the reporter."""

    def __init__(self, end: socket.socket) -> None:
        """Write to ``end``, which is ours from now on."""
        self.sender = RecordSender(end)
        self._writer = EveWriter(EveOutput(), self.sender)
        self._lines = Lines(sys.stderr)

    def note(self, name: str, **details: Any) -> None:
        """Record that something has happened; it is also printed, for the service manager's log."""
        self._writer.write(NoticeEvent(time.time_ns(), name, None, details))
        self.sender.flush()
        shown = ", ".join(f"{key} {value}" for key, value in details.items())
        self._lines.say(f"eastwall: {name}: {shown}" if shown else f"eastwall: {name}")

    def close(self) -> None:
        """Send what waits, and close."""
        self.sender.close(1.0)
        self._lines.close()
