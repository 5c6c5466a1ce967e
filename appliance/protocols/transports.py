"""What parsers share that have to do with what carries their messages."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser

_TCP = 6


class EitherParser(Parser):
    """Base of parsers of protocols over TCP and UDP alike; ``stream`` is set for TCP."""

    def __init__(self, settings: Any = None) -> None:
        """Start before the flow is known."""
        super().__init__(settings)
        self.stream = False

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn whether the flow is TCP."""
        del app, carried
        self.stream = flow.proto == _TCP


class HeldSide:
    """Reading state of one direction of a stream of messages.

    ``held`` is what is not read yet, ``skip`` counts the bytes still to come of a message that is too big.
    """

    __slots__ = ("held", "skip")

    def __init__(self) -> None:
        """Start with nothing held back."""
        self.held = bytearray()
        self.skip = 0

    def passes(self, length: int) -> bool:
        """Take note of a hole; tells whether all of it was in what is not read anyway."""
        if length > self.skip:
            return False
        self.skip -= length
        return True
