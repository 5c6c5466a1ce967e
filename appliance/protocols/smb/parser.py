"""SMB over TCP: records are dispatched by version; what both versions do the same way is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dcerpc.pdu import Pdu
from appliance.protocols.files import FileTracker
from appliance.protocols.marks import Marks, message
from appliance.protocols.smb import auth, nbss, status
from appliance.protocols.smb.sinks import PipeSink, UndecidedSink
from appliance.protocols.smb.smb1 import Smb1
from appliance.protocols.smb.smb2 import Smb2
from appliance.protocols.smb.state import Header, OpenFile, Pending, State
from appliance.protocols.smb.transaction import SmbTransaction
from appliance.protocols.smb.transfer import Limits, Transfer, size_option

_MAX_TX = 1024
_MAX_SIZE = 16 << 20
_QUEUE_SIZE = 8 << 20
_QUEUE_COUNT = 64
# Outcomes of a READ or WRITE that are no failure.
_EXPECTED = frozenset((status.SUCCESS, status.BUFFER_OVERFLOW, status.END_OF_FILE))


class SmbParser(Parser):
    """One connection."""

    name = "smb"
    log_type = "smb"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options as a mapping."""
        super().__init__(settings)
        options = settings if isinstance(settings, Mapping) else {}
        self.state = State()
        self.tracker = FileTracker(100 << 10)
        self.max_tx = size_option(options.get("max-tx"), _MAX_TX) or _MAX_TX
        self.limits = (_limits(options, "write"), _limits(options, "read"))
        self.encrypted = [0, 0]  # messages of each direction that cannot be read
        self._latest: SmbTransaction | None = None
        self._seen = [False, False]
        self._readers = (nbss.Reader(_Side(self, TOSERVER), 0), nbss.Reader(_Side(self, TOCLIENT), 1))
        self.smb1 = Smb1(self)
        self.smb2 = Smb2(self)

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn what is wanted of files."""
        self.tracker = FileTracker.of(app)

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        self._seen[direction] = True
        self._readers[direction].feed(chunk)

    @override
    def gap(self, direction: int, length: int) -> None:
        self._readers[direction].gap(length)

    @override
    def end(self, direction: int) -> None:
        """Complete what waits for this direction; files end when both have."""
        for tx in self.transactions:
            if not tx.files:
                tx.progress[direction] = COMPLETE
                tx.updated = True
        self._ended(direction)

    def _ended(self, direction: int) -> None:
        self._seen[direction] = True
        for transfer in list(self.state.transfers.values()):
            if transfer.file.direction == direction:
                self.state.end(transfer, complete=False)

    # What the readers find.

    def note(self, event: str, tx: SmbTransaction | None = None) -> None:
        """Record an event with a transaction: the given or the latest one, or else with the flow."""
        target = tx or self._latest
        if target is not None and not target.logged:
            target.note(event)
        elif event not in self.events:
            self.events.append(event)

    # What the versions share.

    def new(self, header: Header) -> SmbTransaction:
        """Open a transaction; beyond the limit the oldest that is open is completed."""
        tx = SmbTransaction(self.next_tx, self.state, header.version, header.command)
        tx.session, tx.tree = header.session, header.tree
        self.next_tx += 1
        self.transactions.append(tx)
        self._latest = self.state.open[tx.id] = tx
        while len(self.state.open) > self.max_tx:
            self._give_up()
        return tx

    def _give_up(self) -> None:
        """Complete the oldest; when only one side is seen, waiting in vain is no anomaly."""
        oldest = self.state.open.pop(next(iter(self.state.open)))
        if oldest.done:
            return
        if all(self._seen):
            self.note("too_many_transactions", oldest)
        oldest.finish(0, 1)

    def request(self, header: Header) -> SmbTransaction:
        """Open the transaction of a request and wait for its response."""
        tx = self.new(header)
        tx.finish(TOSERVER)
        self.state.wait(header, Pending(tx))
        return tx

    def settle(self, tx: SmbTransaction, header: Header) -> None:
        """Take over the status of a response."""
        tx.status, tx.dos = header.status, header.dos
        tx.updated = True

    def complete(self, tx: SmbTransaction, header: Header) -> None:
        """The response is there."""
        self.settle(tx, header)
        tx.finish(0, 1)

    def conclude(self, entry: Pending, header: Header) -> None:
        """A response has come; a failed SMB2 READ or WRITE is told although it has no transaction."""
        if entry.tx is not None:
            self.complete(entry.tx, header)
        elif header.version == 2 and header.status not in _EXPECTED:
            self.complete(self.new(header), header)

    def credentials(self, tx: SmbTransaction, blob: bytes, event: str) -> None:
        """Read who logs on."""
        ntlm, ticket, sound = auth.read(blob)
        if not sound:
            self.note(event, tx)
        if ntlm is not None:
            tx.ntlm = ntlm
            if ntlm.warning:
                self.note("unusual_ntlmssp_order", tx)
        if ticket is not None:
            tx.details["kerberos"] = ticket.log()

    def challenge(self, tx: SmbTransaction, blob: bytes) -> None:
        """Look at what the server answers to a log-on."""
        if not auth.read(blob)[2]:
            self.note("malformed_ntlmssp_response", tx)

    def check_size(self, side: int, length: int, *, request: bool) -> None:
        """See whether a READ or WRITE is larger than anyone needs."""
        limit = self.limits[side].max_size
        if limit and length > limit:
            kind = "write_request" if side == TOSERVER else "read_request" if request else "read_response"
            self.note(f"{kind}_too_large")

    def sink(self, header: Header, file: OpenFile, side: int, offset: int) -> nbss.Sink:
        """Give what takes the payload of a READ or WRITE."""
        if file.is_pipe is None:
            return UndecidedSink(self, header, file, side, offset)
        if file.is_pipe:
            return PipeSink(self, header, file, side)
        transfer = file.transfers[side]
        if transfer is None or transfer.file.state != "OPEN":
            transfer = self._transfer(header, file, side)
        if header.response:
            self.settle(transfer.tx, header)
        return transfer.chunk(offset)

    def _transfer(self, header: Header, file: OpenFile, side: int) -> Transfer:
        tx = self.new(header)
        name = file.name.encode("utf-8", "backslashreplace")
        found = self.tracker.open(name, side, tx.id)
        tx.files = [found]
        tx.details = {"filename": file.name}
        if file.share:
            tx.details["share"] = file.share
        if file.fuid:
            tx.details["fuid"] = file.fuid
        transfer = file.transfers[side] = Transfer(tx, found, self.tracker, self.limits[side])
        self.state.begin(transfer)
        return transfer

    def close_transfer(self, file: OpenFile, side: int) -> None:
        """One direction of a file has come to its end."""
        transfer = file.transfers[side]
        if transfer is not None:
            file.transfers[side] = None
            self.state.end(transfer)

    def pipe(self, header: Header, file: OpenFile, side: int, data: bytes) -> None:
        """Read the calls in what goes through a pipe."""
        for pdu in file.readers[side].feed(data):
            self.pdu(header, file, pdu)

    def pdu(self, header: Header, file: OpenFile, pdu: Pdu | None) -> None:
        """Take one PDU of a pipe; noise is worth telling where calls have been before."""
        if pdu is None:
            if file.rpc:
                self.note("malformed_data")
            return
        call = file.association.take(pdu)
        if call is None:
            return
        file.rpc = True
        tx = call.owner
        if tx is None:
            tx = call.owner = self.new(header)
            tx.call = call
        if header.response:
            self.settle(tx, header)
        tx.sync()


class _Side:
    """Hands the records of one direction to the version they belong to."""

    def __init__(self, parser: SmbParser, direction: int) -> None:
        self._parser = parser
        self._direction = direction
        self._marks = {name: Marks() for name in ("nbss.", "smb1.", "smb2.", "smb3.")}

    def note(self, event: str) -> None:
        self._parser.note(event)

    def mark(self, name: str, behind: int, header: int, length: int) -> None:
        if self._parser.wanted_frames:
            pieces = message(name, header, length)
            self._marks[name].note(self._parser, self._direction, behind, *pieces)

    def span(self, head: bytes) -> tuple[int, int] | None:
        if head.startswith(nbss.SMB2):
            return self._parser.smb2.span(head)
        return self._parser.smb1.span(head) if head.startswith(nbss.SMB1) else None

    def record(self, direction: int, raw: bytes) -> None:
        if raw.startswith(nbss.ENCRYPTED):
            self._parser.encrypted[direction] += 1
        elif raw.startswith(nbss.COMPRESSED):
            self._parser.smb2.compressed(direction, raw)
        else:
            self._dispatch(direction, raw, 0, streamed=False)

    def start(self, direction: int, head: bytes, length: int) -> nbss.Sink | None:
        return self._dispatch(direction, head, length, streamed=True)

    def _dispatch(self, direction: int, raw: bytes, length: int, *, streamed: bool) -> nbss.Sink | None:
        parser = self._parser
        version = parser.smb2 if raw.startswith(nbss.SMB2) else parser.smb1
        header = version.header(raw)
        parser.state.heard = parser.state.heard or header.response
        if header.response and direction == TOSERVER:
            parser.note("response_to_server")
        elif not header.response and direction == TOCLIENT:
            parser.note("request_to_client")
        if streamed:
            return version.payload(header, raw, length)
        version.record(header, raw)
        return None


def _limits(options: Mapping[str, Any], kind: str) -> Limits:
    return Limits(
        size_option(options.get(f"max-{kind}-size"), _MAX_SIZE),
        size_option(options.get(f"max-{kind}-queue-size"), _QUEUE_SIZE),
        size_option(options.get(f"max-{kind}-queue-cnt"), _QUEUE_COUNT),
    )
