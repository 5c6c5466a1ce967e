"""EVE: one JSON object a line for everything the engine reports, in Suricata's field names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from appliance.config.settings import EveOutput
from appliance.model.event import (
    TYPE_OF_KIND,
    AlertEvent,
    AnomalyEvent,
    AppEvent,
    ArpEvent,
    DropEvent,
    Event,
    FileDataEvent,
    FileEvent,
    FlowEvent,
    FrameEvent,
    NoticeEvent,
    PacketEvent,
    StatsEvent,
)
from appliance.model.identity import VmInterface
from appliance.sinks.alert import REFERENCES, DropLog, alert_record, frame_record, on, packet_record
from appliance.sinks.application import anomaly_record, app_records, file_record
from appliance.sinks.flowlog import StatsLog, arp_record, flow_record, netflow_records, notice_record
from appliance.sinks.header import Context
from appliance.sinks.text import to_line

Records = list[dict[str, Any]]


class SinkError(Exception):
    """An output cannot be opened or written."""


class LineStream(Protocol):
    """Takes encoded records, a line each: a text file, or the way to the reporter."""

    def write(self, line: str, /) -> object:
        """Take one line with its end."""

    def close(self) -> object:
        """Write out what is buffered; nothing is written after that."""


class EveWriter:
    """Writes one EVE output. Set ``context.capture_file`` and ``.interface`` as frames come from there."""

    def __init__(
        self,
        output: EveOutput,
        stream: LineStream,
        references: Mapping[str, str] | None = None,
        policy_of: Callable[[VmInterface], str] | None = None,
    ) -> None:
        """Write to ``stream``; ``references`` maps a reference system (lower case) to its address prefix."""
        self.context = Context(output, policy_of=policy_of)
        self.written = 0
        self._stream = stream
        self._references = REFERENCES if references is None else {**REFERENCES, **references}
        self._drops = DropLog()
        self._stats = StatsLog()
        self._types = output.types
        self._makers: dict[type, Callable[[Any], Records]] = {
            AlertEvent: self._alert,
            DropEvent: self._drop,
            AnomalyEvent: self._anomaly,
            AppEvent: self._app,
            FileEvent: self._file,
            FileDataEvent: _no_record,
            FlowEvent: self._flow,
            FrameEvent: self._frame,
            StatsEvent: self._stat,
            NoticeEvent: self._notice,
            ArpEvent: self._arp,
            PacketEvent: self._packet,
        }

    def write(self, event: Event) -> None:
        """Write the records of an event, if this output wants them.

        Raises:
            SinkError: the stream cannot be written.
        """
        for record in self._makers[type(event)](event):
            try:
                self._stream.write(to_line(record))
            except OSError as error:
                raise SinkError(f"EVE output: {error.strerror or error}") from error
            self.written += 1

    def close(self) -> None:
        """Write out what is buffered and close the stream.

        Raises:
            SinkError: the stream cannot be written.
        """
        try:
            self._stream.close()
        except OSError as error:
            raise SinkError(f"EVE output: {error.strerror or error}") from error

    def _alert(self, event: AlertEvent) -> Records:
        return [alert_record(self.context, event, self._references)] if "alert" in self._types else []

    def _drop(self, event: DropEvent) -> Records:
        if "drop" not in self._types:
            return []
        record = self._drops.record(self.context, event, self._references)
        return [] if record is None else [record]

    def _anomaly(self, event: AnomalyEvent) -> Records:
        record = anomaly_record(self.context, event) if "anomaly" in self._types else None
        return [] if record is None else [record]

    def _app(self, event: AppEvent) -> Records:
        if TYPE_OF_KIND.get(event.kind, event.kind) not in self._types:
            return []
        return app_records(self.context, event)

    def _file(self, event: FileEvent) -> Records:
        return [file_record(self.context, event)] if "files" in self._types else []

    def _flow(self, event: FlowEvent) -> Records:
        self._drops.forget(event.flow.id)
        records = [flow_record(self.context, event)] if "flow" in self._types else []
        return records + netflow_records(self.context, event) if "netflow" in self._types else records

    def _frame(self, event: FrameEvent) -> Records:
        return [frame_record(self.context, event)] if "frame" in self._types else []

    def _stat(self, event: StatsEvent) -> Records:
        return [self._stats.record(self.context, event)] if "stats" in self._types else []

    def _packet(self, event: PacketEvent) -> Records:
        wanted = self._types and on(self.context.output.options.get("alert", {}), "tagged-packets")
        return [packet_record(self.context, event)] if wanted and "alert" in self._types else []

    def _arp(self, event: ArpEvent) -> Records:
        return [arp_record(self.context, event)] if "arp" in self._types else []

    def _notice(self, event: NoticeEvent) -> Records:
        return [notice_record(self.context, event)]


def _no_record(event: FileDataEvent) -> Records:
    del event
    return []


def open_outputs(
    outputs: Iterable[EveOutput],
    folder: str = "",
    references: Mapping[str, str] | None = None,
    policy_of: Callable[[VmInterface], str] | None = None,
) -> list[EveWriter]:
    """Open all outputs, relative names below ``folder``; files are written anew.

    Raises:
        SinkError: a file cannot be opened.
    """
    writers = []
    for output in outputs:
        path = Path(folder or ".") / output.filename
        try:
            stream = path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise SinkError(f"{path}: {error.strerror or error}") from error
        writers.append(EveWriter(output, stream, references, policy_of))
    return writers
