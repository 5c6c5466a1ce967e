"""The data connection of FTP: one file."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, BufferSpec, BufferValue, FileObject, Parser, Transaction, ValueSpec
from appliance.model.flow import Flow
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.files import FileTracker
from appliance.protocols.ftp.commands import TRANSFERS

_PROTOCOL = ("ftp-data",)
_BOTH = (TOSERVER, TOCLIENT)


def _is_upload(value: Any, argument: str) -> bool:
    return bool(value == "stor" == argument.strip().lower())


def _is_download(value: Any, argument: str) -> bool:
    return bool(value == "retr" == argument.strip().lower())


BUFFERS = tuple(
    BufferSpec(name, _PROTOCOL, _BOTH, growing=True, multi=True)
    for name in ("file.data", "file.name", "file.magic")
)
# An upload goes to the server, whoever opened the connection: so rules see it.
VALUES = (
    ValueSpec("ftpdata_command", _PROTOCOL, (TOSERVER,), 0, _is_upload),
    ValueSpec("ftpdata_command", _PROTOCOL, (TOCLIENT,), 0, _is_download),
)


class Transfer:
    """An announced data connection; what it carries may become known after it was opened."""

    __slots__ = ("active", "command", "name", "port")

    def __init__(self, port: int, *, active: bool) -> None:
        """Announce ``port`` of the client (``active``) or of the server."""
        self.port = port
        self.active = active
        self.command = b""
        self.name = b""


class FtpDataTransaction(Transaction):
    """The one transfer of a data connection."""

    __slots__ = ("transfer",)

    def __init__(self, transfer: Transfer) -> None:
        """Begin with what the control connection said."""
        super().__init__(0)
        self.transfer = transfer

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None

    @override
    def value(self, name: str) -> Any:
        return TRANSFERS.get(self.transfer.command) if name == "ftpdata_command" else None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.transfer.name:
            found["filename"] = self.transfer.name.decode("utf-8", "backslashreplace")
        if self.transfer.command:
            found["command"] = self.transfer.command.decode("utf-8", "backslashreplace")
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        return [self.log()] if self.transfer.command else []


class FtpDataParser(Parser):
    """Takes all bytes of the direction that speaks first as the file; listings have none."""

    name = "ftp-data"
    log_type = "ftp-data"

    def __init__(self, settings: Any = None) -> None:
        """Start before it is known what is transferred."""
        super().__init__(settings)
        self._files = FileTracker(100 << 10)
        self._file: FileObject | None = None
        self._tx: FtpDataTransaction | None = None
        self._transfer = Transfer(0, active=False)

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Take over what the control connection said."""
        self._files = FileTracker.of(app)
        if isinstance(carried, Transfer):
            self._transfer = carried

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        tx = self._tx or self._begin()
        tx.updated = True
        if self._file is None and self._transfer.command in TRANSFERS:
            self._file = self._files.open(self._transfer.name, direction, tx.id)
            tx.files.append(self._file)
        if self._file is not None and self._file.direction == direction:
            self._files.append(self._file, chunk)

    @override
    def gap(self, direction: int, length: int) -> None:
        """Keep the place of bytes that did not arrive."""
        if self._file is not None and self._file.direction == direction:
            self._files.gap(self._file, length)

    @override
    def end(self, direction: int) -> None:
        """The end of the file's direction is the end of the transfer."""
        if self._file is not None and self._file.direction == direction:
            self._files.close(self._file)
            for tx in self.transactions:
                tx.progress[:] = [COMPLETE, COMPLETE]
                tx.updated = True
        super().end(direction)

    @override
    def cut(self, direction: int) -> None:
        """End the transfer, of which the rest is not looked at."""
        if self._file is not None and self._file.direction == direction:
            self._files.close(self._file, complete=False)
        self.end(direction)

    def _begin(self) -> FtpDataTransaction:
        tx = self._tx = FtpDataTransaction(self._transfer)
        tx.created = self.now
        self.next_tx = 1
        self.transactions.append(tx)
        return tx
