"""Where one direction of HTTP/1 stands: what the next bytes are read as."""

from __future__ import annotations

from typing import Final

START_STEP: Final = 0  # ahead of a message
HEADERS_STEP: Final = 1  # in a field block
LENGTH_STEP: Final = 2  # in a body of known length
STREAM_STEP: Final = 3  # in a body up to the end of the connection
CHUNK_SIZE_STEP: Final = 4  # at the size of a chunk
CHUNK_STEP: Final = 5  # in a chunk
CHUNK_END_STEP: Final = 6  # behind a chunk
SHORT_STEP: Final = 7  # behind a request line without protocol
CONNECT_STEP: Final = 8  # behind a CONNECT that is not answered
STRAY_STEP: Final = 9  # in bytes that belong to the response before
RESYNC_STEP: Final = 10  # looking for a message after a hole
LOST_STEP: Final = 11  # given up
