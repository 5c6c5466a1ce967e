"""What the reporter writes to: files and syslog receivers, each made from its document."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

from appliance.daemon.reporter.record import Record
from appliance.sinks.buffer import OVERHEAD, RecordBuffer, segment_size
from appliance.sinks.cef import CefFormatter
from appliance.sinks.complaints import Complaints, Say
from appliance.sinks.documents import CefDocument, EveDocument, OutputDocument, RotateDocument, SyslogDocument
from appliance.sinks.kinds import event_types
from appliance.sinks.link import Link
from appliance.sinks.rotate import RotatingFile, Rotation
from appliance.sinks.spool import Spool, SpoolError
from appliance.sinks.stream import StreamTransport
from appliance.sinks.syslog import Body, JsonBody, SyslogFormatter
from appliance.sinks.tls import client_context
from appliance.sinks.transport import SECOND, DatagramTransport, Transport, UnixTransport

Interest = tuple[int, bool, int]
_CEF_LINE = 8192
_SLICE = 200  # records that become messages between two looks at the receiver
_BURST = 16 << 20  # bytes of records that may wait to become messages


class Output(Protocol):
    """One output, used by one thread. Times are nanoseconds: ``now`` since the epoch."""

    def appetite(self) -> int:
        """Give how many records it would take now."""

    def step(self, records: Sequence[Record], now: int) -> None:
        """Take records and do what can be done."""

    def reopen(self, now: int) -> None:
        """Open the file or the connection anew."""

    def interest(self, now: int) -> Interest:
        """Say what to wait for: descriptor (-1: none), also until writable, at most how long."""

    def idle(self) -> bool:
        """Tell whether waiting longer would deliver nothing more."""

    def statistics(self) -> dict[str, Any]:
        """Give the output's counters."""

    def close(self) -> None:
        """End it; what is lost by that is counted."""


class FileOutput:
    """Lines in a file: EVE as they come, or CEF made of them."""

    def __init__(
        self, path: str, rotate: RotateDocument | None, cef: CefFormatter | None, say: Say, now: int
    ) -> None:
        self._file = RotatingFile(path, _rotation(rotate), say, now)
        self._cef = cef
        self._unreadable = 0

    def appetite(self) -> int:
        """Take all there is."""
        return sys.maxsize

    def step(self, records: Sequence[Record], now: int) -> None:
        """Write records."""
        lines = [record.line for record in records] if self._cef is None else self._lines(self._cef, records)
        if lines:
            self._file.write(lines, now)
        else:
            self._file.tick(now)

    def _lines(self, cef: CefFormatter, records: Sequence[Record]) -> list[bytes]:
        fields = [record.fields for record in records]
        lines = [cef.make(one, b"", _CEF_LINE) + b"\n" for one in fields if one is not None]
        self._unreadable += len(records) - len(lines)
        return lines

    def reopen(self, now: int) -> None:
        """Open the file anew under its name."""
        self._file.reopen(now)

    def interest(self, now: int) -> Interest:
        """Wait for records, a second at most, since files rotate by time."""
        del now
        return -1, False, SECOND

    def idle(self) -> bool:
        """Nothing is held back."""
        return True

    def statistics(self) -> dict[str, Any]:
        """Give the output's counters."""
        file = self._file
        return {
            "written": file.written,
            "lost": file.lost + self._unreadable,
            "buffered": 0,
            "rotated": file.rotated,
            "connected": not file.complaints.trouble,
            "trouble": file.complaints.trouble or file.aside.trouble,
        }

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SyslogOutput:
    """Messages to a syslog receiver, buffered while it is slow or absent."""

    def __init__(self, document: SyslogDocument, host: str, say: Say) -> None:
        body: Body = CefFormatter(_version(), host) if document.format == "cef" else JsonBody()
        self._formatter = SyslogFormatter(
            body,
            facility=document.facility,
            host=host,
            app_name=document.app_name,
            enterprise=document.enterprise,
            pid=os.getpid(),
            limit=document.limit,
        )
        complaints = Complaints(document.label, say)
        buffer = RecordBuffer(document.buffer.memory, _spool(document, say))
        self._cost = document.limit + OVERHEAD
        self._spooled = bool(document.buffer.disk)
        self._link = Link(partial(connect, document), buffer, complaints, random.random)
        self._unreadable = 0
        self._lost_at_end = 0

    def appetite(self) -> int:
        """Take a few, so that a burst goes on its way while it is taken in; none while the buffer is full."""
        return min(self._link.buffer.room // self._cost, _SLICE)

    def step(self, records: Sequence[Record], now: int) -> None:
        """Buffer records and send what can be sent."""
        for record in records:
            self._push(record)
        self._link.step(now)

    def _push(self, record: Record) -> None:
        fields = record.fields
        if fields is None:
            self._unreadable += 1
        else:
            self._link.buffer.push(self._formatter.message(fields, record.line[:-1]))

    def reopen(self, now: int) -> None:
        """Connect anew: certificates and addresses may have changed."""
        self._link.reconnect(now)

    def interest(self, now: int) -> Interest:
        """Say what to wait for."""
        return self._link.interest(now)

    def idle(self) -> bool:
        """All has arrived, or it is safer on disk than with a receiver who is not there."""
        return not self._link.buffer.held or (self._spooled and not self._link.connected)

    def statistics(self) -> dict[str, Any]:
        """Give the output's counters."""
        link, buffer = self._link, self._link.buffer
        return {
            "written": link.written,
            "lost": buffer.lost + self._unreadable,
            "buffered": buffer.held,
            "buffered_bytes": buffer.memory_bytes,
            "spool_bytes": buffer.disk_bytes,
            "shortened": self._formatter.body.shortened,
            "connected": link.connected,
            "connections": link.connections,
            "trouble": link.trouble,
        }

    def close(self) -> None:
        """Close the connection; what did not arrive goes to disk, where there is one."""
        self._link.close()


def _rotation(document: RotateDocument | None) -> Rotation:
    if document is None:
        return Rotation()
    return Rotation(document.size or 0, document.every or 0, document.keep, document.compress)


def _version() -> str:
    return version("eastwall")


def _spool(document: SyslogDocument, say: Say) -> Spool | None:
    """Open the spool. Without it messages are held in memory only: better than none at all."""
    buffer = document.buffer
    if not buffer.folder:
        return None
    try:
        spool = Spool(buffer.folder, buffer.disk, segment_size(buffer.memory, buffer.disk))
    except SpoolError as error:
        say(f"{document.label}: buffers in memory only: {error}")
        return None
    if spool.damaged:
        say(f"{document.label}: {spool.damaged} bytes at the end of the spool were damaged and are left out")
    return spool


def connect(document: SyslogDocument) -> Transport:
    """Begin a connection; certificates are read anew for each.

    Raises:
        OSError: a certificate cannot be used.
    """
    host, port = document.address
    match document.transport:
        case "udp":
            return DatagramTransport(host, port)
        case "unix":
            return UnixTransport(host)
        case "tcp":
            return StreamTransport(host, port)
        case "tls":
            context = client_context(document.ca or "", document.certificate or "", document.key or "")
            return StreamTransport(host, port, context, document.server_name or host)


def kinds_of(document: OutputDocument) -> frozenset[str] | None:
    """Give the event types that an output wants, None for all."""
    if isinstance(document, EveDocument):
        return None if document.types is None else event_types(document.types)
    return event_types(document.events)


def make_output(document: OutputDocument, host: str, say: Say, now: int) -> Output:
    """Make an output; ``host`` is what messages call this machine."""
    match document:
        case EveDocument():
            return FileOutput(document.file, document.rotate, None, say, now)
        case CefDocument():
            return FileOutput(document.file, document.rotate, CefFormatter(_version(), host), say, now)
        case SyslogDocument():
            return SyslogOutput(document, host, say)


def inbox_limit(document: OutputDocument) -> int:
    """Give the bytes of records that may wait for the output's thread."""
    return _BURST if isinstance(document, SyslogDocument) else document.backlog


def problems(outputs: Sequence[OutputDocument]) -> list[str]:
    """Say which outputs cannot work as they are: files of certificates that cannot be used."""
    found = []
    for output in outputs:
        if isinstance(output, SyslogDocument) and output.transport == "tls":
            try:
                client_context(output.ca or "", output.certificate or "", output.key or "")
            except OSError as error:
                found.append(f"{output.label}: certificates cannot be used: {error.strerror or error}")
    return found


def host_name() -> str:
    """Give this machine's name."""
    return socket.gethostname()
