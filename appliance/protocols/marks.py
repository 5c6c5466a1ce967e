"""Where frames begin, noted once however often a parser comes back to an unfinished message."""

from __future__ import annotations

from appliance.model.app import Parser

Piece = tuple[str, int, int]


class Marks:
    """Notes the frames of messages at first sight, so that detection keeps their bytes until they end."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        """Start before the first message."""
        self._last: list[int | None] = [None, None]

    def note(self, parser: Parser, direction: int, behind: int, *pieces: Piece, tx_id: int = -1) -> None:
        """Note the frames of a message that begins ``behind`` bytes before the end of what was received.

        Args:
            parser: Parser that has found the message.
            direction: Direction in which it travels.
            behind: Bytes from its beginning to the end of what was received.
            pieces: Frames as (name, place in the message, length); empty ones are left out.
            tx_id: Transaction that it belongs to, -1 for none.
        """
        if not parser.wanted_frames:
            return
        begin, last = parser.received[direction] - behind, self._last[direction]
        if last is not None and begin <= last:
            return
        self._last[direction] = begin
        for name, offset, length in pieces:
            if length > 0:
                parser.note_frame(name, direction, behind - offset, length, tx_id)


def message(name: str, header: int, length: int) -> tuple[Piece, Piece, Piece]:
    """Give the frames of a message whose ``length`` bytes begin with a ``header``, in Suricata's names.

    ``name`` is put in front of ``pdu``, ``hdr`` and ``data``; give it with its dot, or empty.
    """
    return (
        (f"{name}pdu", 0, length),
        (f"{name}hdr", 0, min(header, length)),
        (f"{name}data", header, length - header),
    )
