"""What becomes of the files of a transaction: their bytes go to the store, the end of each is reported."""

from __future__ import annotations

from appliance.model.app import FileObject, Parser, Transaction
from appliance.model.event import Event, FileDataEvent, FileEvent
from appliance.model.flow import Flow
from appliance.model.packet import Packet


class FileDrain:
    """Hands on the bytes of files that are to be stored, and reports files that have ended.

    ``patient``: rules choose files to store, so that the record of one that no rule has chosen waits until
    its direction was inspected to the end. Unless files are ``recorded``, nothing is said of their end.
    """

    def __init__(self) -> None:
        """Count stored files from 1."""
        self.patient = False
        self.recorded = True
        self._stored = 0

    def adopt(self, old: FileDrain) -> None:
        """Go on counting stored files where ``old`` was."""
        self._stored = old._stored

    def files(
        self,
        flow: Flow,
        tx: Transaction,
        parser: Parser,
        now: int,
        packet: Packet | None,
        events: list[Event],
        inspected: bool,
    ) -> None:
        """Look at all files of a transaction; ``inspected``: rules still look at the flow."""
        for file in tx.files:
            if file.store and file.spool is not None:
                self._drain(file, now, events)
            if file.state == "OPEN" or file.logged:
                continue
            undecided = self.patient and file.spool is not None and not tx.skip[file.direction]
            if undecided and inspected and packet is not None:
                continue
            file.logged = True
            if self.recorded:
                events.append(FileEvent(now, flow, tx, file, parser.name, packet))

    def _drain(self, file: FileObject, now: int, events: list[Event]) -> None:
        """Fetch what waits; what has lost bytes before it was chosen cannot be stored any more."""
        spool = file.spool
        if spool.lost:
            file.store = False
            file.spool = None
            if file.store_id:
                events.append(FileDataEvent(now, file, b"", True))
            return
        last = file.state != "OPEN"
        if not file.store_id:
            self._stored += 1
            file.store_id = self._stored
        if spool.data or last:
            events.append(FileDataEvent(now, file, spool.take(), last))
        if last:
            file.stored = True
            file.spool = None
