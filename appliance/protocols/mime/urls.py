"""URLs in the text of messages, found piece by piece."""

from __future__ import annotations

MAX_URLS = 512  # kept of one message
MAX_URL = 2048
_ENDS = b" \t\r\n\0\"'<>]"
_BLANKS = bytes.maketrans(_ENDS, b"\n" * len(_ENDS))


class UrlFinder:
    """Collects URLs of some schemes, each once.

    ``schemes`` are prefixes in lower case ("http://"); ``keep_scheme`` leaves them in front.
    """

    __slots__ = ("_held", "_inside", "_keep", "_known", "_longest", "_schemes", "found")

    def __init__(self, schemes: tuple[bytes, ...], keep_scheme: bool) -> None:
        """Start with nothing found."""
        self._schemes = schemes
        self._keep = keep_scheme
        self._longest = max((len(scheme) for scheme in schemes), default=1)
        self._held = b""
        self._inside = False  # of a URL that has become too long: the rest of it is passed over
        self._known: set[bytes] = set()
        self.found: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Look through the next piece of text."""
        if not self._schemes or len(self.found) >= MAX_URLS:
            return
        if self._inside:
            end = data.translate(_BLANKS).find(b"\n")
            if end < 0:
                return
            data = data[end:]
            self._inside = False
        text = self._held + data
        self._held = self._scan(text, final=False)

    def finish(self) -> None:
        """Take note that a text has ended."""
        text, self._held, self._inside = self._held, b"", False
        if text:
            self._scan(text, final=True)

    def _scan(self, text: bytes, final: bool) -> bytes:
        """Find URLs in ``text``; gives the end of it that has to be seen again with what follows."""
        lower = text.lower()
        plain = text.translate(_BLANKS)
        places = dict.fromkeys(self._schemes, -1)
        at = 0
        while len(self.found) < MAX_URLS:
            start, scheme = self._next(lower, places, at)
            if start < 0:
                keep = max(at, len(text) - self._longest + 1)
                return b"" if final else text[keep:]
            end = plain.find(b"\n", start)
            if end < 0 and not final and len(text) - start <= MAX_URL:
                return text[start:]
            if end < 0:
                self._inside = not final
                end = len(text)
            self._add(text[start : min(end, start + MAX_URL)], len(scheme))
            at = end
        return b""

    def _next(self, lower: bytes, places: dict[bytes, int], at: int) -> tuple[int, bytes]:
        """Give the place of the next scheme from ``at`` on; ``places`` keeps where each was found."""
        best, which = -1, b""
        for scheme, known in list(places.items()):
            place = lower.find(scheme, at) if known < at else known
            if place < 0:
                del places[scheme]
                continue
            places[scheme] = place
            if best < 0 or place < best:
                best, which = place, scheme
        return best, which

    def _add(self, url: bytes, scheme: int) -> None:
        shown = url if self._keep else url[scheme:]
        if len(url) > scheme and shown not in self._known:
            self._known.add(shown)
            self.found.append(shown)
