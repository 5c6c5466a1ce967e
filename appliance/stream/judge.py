"""How a segment that does not fit is refused: the event, and inline the reason to drop it."""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.packet import TH_ACK, TH_FIN, TH_SYN, Packet
from appliance.model.verdict import Reason
from appliance.stream.result import StreamResult

_NONE = Reason.NONE


class Judge:
    """Holds what the settings say about segments that do not fit. Both methods return False."""

    __slots__ = ("drop_invalid", "drop_odd")

    def __init__(self, settings: StreamSettings) -> None:
        """Drop only inline: ``drop_invalid`` and ``strict`` say what."""
        self.drop_invalid: bool = settings.inline and settings.drop_invalid
        self.drop_odd: bool = settings.inline and settings.strict

    def invalid(self, event: str, result: StreamResult) -> bool:
        """Refuse a segment with impossible numbers: the receiver would throw it away or be fooled."""
        if event:
            result.note(event)
        if self.drop_invalid and result.reason is _NONE:
            result.reason = Reason.STREAM_INVALID
        return False

    def odd(self, event: str, packet: Packet, result: StreamResult) -> bool:
        """Refuse a segment of a kind that does not belong into the state.

        A SYN without data goes on even so: the answer to it (RFC 5961 section 4) is how two ends find out
        that one of them has started anew.
        """
        if event:
            result.note(event)
        if packet.tcp_flags & (TH_SYN | TH_ACK | TH_FIN) == TH_SYN and not packet.payload_len:
            return False
        if self.drop_odd and result.reason is _NONE:
            result.reason = Reason.STATE_INVALID
        return False
