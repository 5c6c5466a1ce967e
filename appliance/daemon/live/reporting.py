"""Events of a worker as records on their way to the reporter."""

from __future__ import annotations

import socket
from collections.abc import Callable

from appliance.config.settings import EveOutput, Settings
from appliance.model.event import Event
from appliance.model.identity import VmInterface
from appliance.sinks.documents import OutputDocument
from appliance.sinks.eve import EveWriter
from appliance.sinks.filestore import FileStore
from appliance.sinks.kinds import KINDS
from appliance.sinks.sender import RecordSender


def record_output(settings: Settings, outputs: tuple[OutputDocument, ...]) -> EveOutput:
    """Give what a worker has to record: the kinds that any output wants, with the options of the settings.

    An output that names no kinds takes those of the settings.
    """
    stock = settings.eve[0] if settings.eve else EveOutput()
    kinds: set[str] = set()
    for output in outputs:
        named = getattr(output, "types", None) or getattr(output, "events", None)
        kinds |= set(named) & KINDS.keys() if named else stock.types
    return EveOutput("eve.json", frozenset(kinds), stock.options, stock.community_id, stock.community_seed,
                     stock.ethernet, stock.metadata)  # fmt: skip


class Reporting:
    """Writes events through the channel of records; the file store, if there is one, writes files."""

    def __init__(
        self,
        output: EveOutput,
        end: socket.socket,
        references: dict[str, str],
        policy_of: Callable[[VmInterface], str] | None,
        store: FileStore | None,
    ) -> None:
        """Take the worker's end of a channel of records."""
        self.sender = RecordSender(end)
        self._output = output
        self._store = store
        self._writer = EveWriter(output, self.sender, references, policy_of)

    def renew(self, references: dict[str, str], policy_of: Callable[[VmInterface], str] | None) -> None:
        """Name policies and references as the documents now in force do."""
        self._writer = EveWriter(self._output, self.sender, references, policy_of)

    def write(self, events: list[Event]) -> None:
        """Record events."""
        for event in events:
            if self._store is not None:
                self._store.write(event)
            self._writer.write(event)

    def flush(self) -> None:
        """Send what waits, as far as it goes without waiting."""
        if self.sender.pending:
            self.sender.flush()

    def close(self) -> None:
        """Send what can be sent in a second."""
        if self._store is not None:
            self._store.close()
        self.sender.close(1.0)
