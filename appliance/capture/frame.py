"""One frame, as every source gives it."""

from __future__ import annotations

from appliance.model.origin import Origin


class Frame:
    """One frame as it was on the wire.

    ``linktype`` is a LINKTYPE number of the pcap format, ``now`` nanoseconds since the epoch,
    ``wirelen`` the length on the wire (at least that of ``data``), ``number`` counts from 1 in the
    whole source. ``token`` is what the source needs to recognise the frame in a verdict. ``origin`` says
    where on the switch the frame was, None where the source cannot know (a capture file). ``interface`` names
    the device that the frame came in by, ``egress`` the one it goes out by, each None where that is not
    known.
    """

    __slots__ = ("data", "egress", "interface", "linktype", "now", "number", "origin", "token", "wirelen")

    def __init__(
        self,
        data: bytes,
        linktype: int,
        now: int,
        wirelen: int,
        number: int,
        interface: str | None = None,
        token: int = 0,
        origin: Origin | None = None,
        egress: str | None = None,
    ) -> None:
        """Make a frame; see the class for units."""
        self.data: bytes = data
        self.linktype: int = linktype
        self.now: int = now
        self.wirelen: int = wirelen
        self.number: int = number
        self.interface: str | None = interface
        self.token: int = token
        self.origin: Origin | None = origin
        self.egress: str | None = egress
