"""What the header block of one part says of it."""

from __future__ import annotations

from collections.abc import Callable

from appliance.protocols.mime.fields import Fields, media_type, parameters

MAX_FILENAME = 255
MAX_BOUNDARY = 254  # longer ones are an anomaly; RFC 2046 allows 70
KEPT_BOUNDARY = 998

TEXT, MULTIPART, MESSAGE, OTHER = "text", "multipart", "message", "other"
_TEXTS = frozenset((b"", b"text/plain", b"text/html"))


class PartHead:
    """Kind, boundary, encoding and file name of a part."""

    __slots__ = ("attached", "boundary", "encoding", "kind", "name")

    def __init__(self, fields: Fields, note: Callable[[str], None]) -> None:
        """Read the fields that say what follows; ``note`` is told of anomalies."""
        content_type = fields.first(b"content-type") or b""
        given = parameters(content_type)
        disposition = fields.first(b"content-disposition") or b""
        self.encoding = media_type(fields.first(b"content-transfer-encoding") or b"")
        self.name = parameters(disposition).get(b"filename") or given.get(b"name", b"")
        self.attached = bool(self.name) or media_type(disposition) == b"attachment"
        self.boundary = given.get(b"boundary", b"")[:KEPT_BOUNDARY].rstrip()
        self.kind = _kind(media_type(content_type))
        if len(self.name) > MAX_FILENAME:
            self.name = self.name[:MAX_FILENAME]
            note("mime_long_filename")
        if len(self.boundary) > MAX_BOUNDARY:
            note("mime_long_boundary")
        if self.kind == MULTIPART and not self.boundary:
            note("mime_malformed_msg")
            self.kind = TEXT


def _kind(media: bytes) -> str:
    if media in _TEXTS:
        return TEXT
    if media.startswith(b"multipart/"):
        return MULTIPART
    return MESSAGE if media == b"message/rfc822" else OTHER
