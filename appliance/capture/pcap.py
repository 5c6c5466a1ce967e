"""Capture files as a packet source: pcap and pcapng, plain or gzip, single, in folders or piped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path

from appliance.capture.base import CaptureError, CaptureProblem, Frame
from appliance.capture.bpf import FilterSet
from appliance.capture.classic import DIALECTS, ClassicReader
from appliance.capture.pcapng import MAGIC, NgReader
from appliance.capture.stream import ByteStream, open_file, sniff
from appliance.model.verdict import Decision

SUFFIXES = tuple(
    ending + packing for ending in (".pcap", ".pcapng", ".cap", ".dmp") for packing in ("", ".gz")
)
_MAX_PROBLEMS = 1000


def find(paths: Iterable[str]) -> list[str]:
    """Give the capture files that ``paths`` name: files as they are, folders searched in order.

    Raises:
        CaptureError: a path does not exist, or a folder holds no capture.
    """
    found: list[str] = []
    for path in paths:
        where = Path(path)
        if path == "-" or where.is_file() or (where.exists() and not where.is_dir()):
            found.append(path)
        elif where.is_dir():
            found += _search(where)
        else:
            message = f"{path}: no such file or folder"
            raise CaptureError(message)
    return found


def _search(folder: Path) -> list[str]:
    names = sorted(str(p) for p in folder.rglob("*") if p.name.lower().endswith(SUFFIXES) and p.is_file())
    if not names:
        message = f"{folder}: no captures in this folder ({', '.join(SUFFIXES[::2])}, also .gz)"
        raise CaptureError(message)
    return names


class PcapSource:
    """Frames of one or more capture files, numbered through all of them.

    A damaged file gives the frames before the damage and a :class:`CaptureProblem` in
    ``problems``. ``path`` is the file being read. With a filter, only frames that pass are numbered.
    """

    def __init__(self, paths: Iterable[str], bpf: str = "") -> None:
        """Name the captures: files, folders, or ``-`` for standard input.

        Raises:
            CaptureError: a path does not exist, or the filter is refused.
        """
        self.paths = find(paths)
        self.path = ""
        self.problems: list[CaptureProblem] = []
        self.verdicts = 0
        self._before = 0
        self._reading: RawIOBase | None = None
        self._filter = FilterSet(bpf) if bpf.strip() else None

    def __iter__(self) -> Iterator[Frame]:
        """Give all frames in file order.

        Raises:
            CaptureError: a file cannot be opened, or the filter does not fit its link type.
        """
        number = 0
        passes = self._filter
        for path in self.paths:
            self.path = path
            for data, linktype, now, wirelen, interface in self._records(path):
                if passes is not None and not passes(data, linktype, wirelen):
                    continue
                number += 1
                yield Frame(data, linktype, now, wirelen, number, interface, number)

    def _records(self, path: str) -> Iterator[tuple[bytes, int, int, int, str | None]]:
        with open_file(path) as file:
            self._reading = file if file.seekable() else None
            stream = sniff(file)
            reader = reader_for(stream)
            if reader is None:
                self._note(path, stream, stream.problem or "not a pcap or pcapng file")
                return
            yield from reader
            if reader.problem:
                self._note(path, stream, reader.problem)
            self._before = self.position
            self._reading = None

    @property
    def position(self) -> int:
        """Bytes of the files read so far, as they are on disk; standard input does not count."""
        return self._before + (self._reading.tell() if self._reading is not None else 0)

    def _note(self, path: str, stream: ByteStream, what: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(CaptureProblem(path, stream.offset, what))

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Count a verdict; there is nobody to carry it to."""
        del token, decision, mark
        self.verdicts += 1


def reader_for(stream: ByteStream) -> ClassicReader | NgReader | None:
    """Choose the reader by magic number; None when it is neither format."""
    stream.fill(4)
    magic = stream.buffer[stream.pos : stream.pos + 4]
    if magic in DIALECTS:
        return ClassicReader(stream)
    return NgReader(stream) if magic == MAGIC else None
