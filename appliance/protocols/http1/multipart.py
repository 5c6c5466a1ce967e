"""multipart/form-data request bodies (RFC 7578), read as they arrive."""

from __future__ import annotations

from appliance.protocols.files import name_from_disposition

_MAX_HEADER = 4096
_MAX_BOUNDARY = 200
_MAX_PARTS = 1024


def boundary_of(content_type: bytes) -> bytes | None:
    """Give the boundary of a multipart/form-data body, None when it is something else."""
    lower = content_type.lower()
    if not lower.lstrip().startswith(b"multipart/form-data"):
        return None
    at = lower.find(b"boundary=")
    if at < 0:
        return None
    value = content_type[at + 9 :]
    value = value[1:].split(b'"', 1)[0] if value[:1] == b'"' else value.split(b";", 1)[0].strip()
    return value if 0 < len(value) <= _MAX_BOUNDARY else None


class Multipart:
    """Cuts a body at its boundary.

    :meth:`feed` gives steps: ("open", file name), ("data", bytes), ("close", b""). Parts without a
    file name give none. ``events`` are names of app-layer events.
    """

    def __init__(self, boundary: bytes) -> None:
        """Start before the first boundary."""
        self._mark = b"--" + boundary
        self._buffer = bytearray()
        self._state = self._preamble
        self._file = False
        self._parts = 0
        self.events: list[str] = []
        self.over = False

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Take the next bytes."""
        steps: list[tuple[str, bytes]] = []
        if self.over:
            return steps
        self._buffer += data
        while self._state(steps):
            pass
        return steps

    def finish(self) -> list[tuple[str, bytes]]:
        """Take note that the body has ended; an open file is given what was held back."""
        steps: list[tuple[str, bytes]] = []
        if self._file:
            if self._state == self._content and self._buffer:
                steps.append(("data", bytes(self._buffer)))
            steps.append(("cut", b""))
            self._file = False
        self.over = True
        return steps

    def _preamble(self, steps: list[tuple[str, bytes]]) -> bool:  # noqa: ARG002 - states share a form
        at = self._buffer.find(self._mark)
        if at < 0:
            keep = len(self._mark)
            del self._buffer[: max(0, len(self._buffer) - keep)]
            return False
        del self._buffer[: at + len(self._mark)]
        self._state = self._after_mark
        return True

    def _after_mark(self, steps: list[tuple[str, bytes]]) -> bool:  # noqa: ARG002
        """Read the rest of a boundary line; two hyphens end the body."""
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] == b"--" or self._parts >= _MAX_PARTS:
            self.over = True
            self._buffer.clear()
            return False
        at = self._buffer.find(b"\n")
        if at < 0 or at > _MAX_HEADER:
            return self._too_long()
        del self._buffer[: at + 1]
        self._parts += 1
        self._state = self._headers
        return True

    def _headers(self, steps: list[tuple[str, bytes]]) -> bool:
        """Read a part's header block up to its empty line."""
        if self._buffer[:2] == b"\r\n" or self._buffer[:1] == b"\n":
            end, size = 0, 2 if self._buffer[:1] == b"\r" else 1
        else:
            crlf, lf = self._buffer.find(b"\r\n\r\n"), self._buffer.find(b"\n\n")
            if crlf < 0 and lf < 0:
                if self._buffer == b"\r":
                    return False
                return self._too_long()
            end, size = (crlf, 4) if lf < 0 or 0 <= crlf < lf else (lf, 2)
            if end > _MAX_HEADER:
                return self._too_long()
        block = bytes(self._buffer[:end])
        del self._buffer[: end + size]
        self._open(block, steps)
        self._state = self._content
        return True

    def _open(self, block: bytes, steps: list[tuple[str, bytes]]) -> None:
        """Begin a file when the part names one."""
        found = False
        for line in block.replace(b"\r\n", b"\n").split(b"\n"):
            name, colon, value = line.partition(b":")
            if not colon:
                self._note("multipart_invalid_header")
            elif name.strip().lower() == b"content-disposition":
                found = True
                file_name = name_from_disposition(value)
                if file_name:
                    self._file = True
                    steps.append(("open", file_name))
        if not found:
            self._note("multipart_generic_error")

    def _content(self, steps: list[tuple[str, bytes]]) -> bool:
        """Pass a part's data on, but for what may be the beginning of a boundary."""
        at = self._buffer.find(b"\n" + self._mark)
        if at < 0:
            keep = len(self._mark) + 2
            ready = len(self._buffer) - keep
            if ready > 0:
                self._emit(bytes(self._buffer[:ready]), steps)
                del self._buffer[:ready]
            return False
        end = at - 1 if at and self._buffer[at - 1] == 0x0D else at
        self._emit(bytes(self._buffer[:end]), steps)
        del self._buffer[: at + 1 + len(self._mark)]
        if self._file:
            steps.append(("close", b""))
            self._file = False
        self._state = self._after_mark
        return True

    def _emit(self, data: bytes, steps: list[tuple[str, bytes]]) -> None:
        if self._file and data:
            steps.append(("data", data))

    def _too_long(self) -> bool:
        if len(self._buffer) > _MAX_HEADER:
            self._note("multipart_generic_error")
            self.over = True
            self._buffer.clear()
        return False

    def _note(self, event: str) -> None:
        if event not in self.events:
            self.events.append(event)
