"""Read documents aside, in a thread beside the packets, so that only the exchange stops them for a moment."""

from __future__ import annotations

import sys
import threading

from appliance.daemon.assemble import Documents, Inputs, read_documents

_USUAL = sys.getswitchinterval()
_WHILE_LOADING = 0.0002  # seconds for which the loader may hold up a packet


class Loader:
    """Reads documents in the background; :meth:`take` gives them when they are done."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._thread: threading.Thread | None = None
        self._found: Documents | None = None
        self._failure = ""

    @property
    def busy(self) -> bool:
        """Tell whether something is being read or waits to be taken."""
        return self._thread is not None

    def start(self, inputs: Inputs) -> None:
        """Begin to read; what an earlier call has read and nobody took is thrown away."""
        self.join()
        sys.setswitchinterval(_WHILE_LOADING)
        self._thread = threading.Thread(target=self._read, args=(inputs,), name="loader", daemon=True)
        self._thread.start()

    def _read(self, inputs: Inputs) -> None:
        try:
            self._found = read_documents(inputs)
        except (OSError, MemoryError, ValueError) as error:
            self._failure = f"{type(error).__name__}: {error}"

    def take(self) -> tuple[Documents | None, str] | None:
        """Give the documents, or what went wrong; None while they are being read."""
        if self._thread is None or self._thread.is_alive():
            return None
        return self.join()

    def join(self) -> tuple[Documents | None, str]:
        """Wait for the thread, if there is one, and give what came of it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            sys.setswitchinterval(_USUAL)
        found, failure = self._found, self._failure
        self._found, self._failure = None, ""
        return found, failure
