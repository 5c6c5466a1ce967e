"""How a protocol describes itself: what it looks like, who parses it, what it offers to rules.

Protocol modules import from here and export ``SPEC``; :mod:`appliance.protocols.registry` collects them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.model.app import COMPLETE, START, BufferSpec, Parser, ValueSpec

# What a probing function says of the bytes seen so far.
PROBE_NO = 0  # not this protocol
PROBE_MAYBE = 1  # too few bytes to tell
PROBE_YES = 2

Probe = Callable[[bytes], int]
PortRange = tuple[int, int]


# Steps of transactions that every protocol has, by the names of rules: (direction, progress).
# What has started may be anywhere, so that it is no step to stay at.
STATES: Mapping[str, tuple[int, int]] = {
    "request_started": (0, START - 1),
    "request_complete": (0, COMPLETE),
    "response_started": (1, START - 1),
    "response_complete": (1, COMPLETE),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes that give a protocol away in one direction.

    ``data`` may start anywhere from ``offset`` up to where it still ends by ``depth`` (0: exactly at
    ``offset``). ``mask`` has the length of ``data`` (empty: all bits count). ``confirm`` looks at all
    bytes of the direction when the pattern has matched.
    """

    data: bytes
    offset: int = 0
    depth: int = 0
    nocase: bool = False
    mask: bytes = b""
    confirm: Probe | None = None

    @property
    def end(self) -> int:
        """Number of bytes after which the pattern cannot match any more."""
        return max(self.depth, self.offset + len(self.data))


@dataclass(frozen=True, slots=True)
class Probing:
    """A probing function and the ports of the server on which it is asked; no ports means any.

    ``direction`` is that of the bytes given: 0 from the client, 1 from the server. ``transport`` limits
    it to "tcp" or "udp" for a protocol that runs over both and looks different.
    """

    probe: Probe
    direction: int
    ports: tuple[PortRange, ...] = ()
    transport: str = ""


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """One application protocol.

    ``parser`` makes a parser from the protocol's options; None means that the protocol is only
    recognised. ``patterns`` are those of each direction. ``first`` are the directions that may
    speak first. ``aliases`` are other names that rules use for it ("http1"). ``follows`` tells that it
    is never recognised by content, only announced by another protocol. ``log`` is the kind of its
    records, as in :attr:`Parser.log_type`. ``states`` are its steps by name, besides those all have.
    ``sender`` tells from the first bytes of a direction which end sent them: 0 the client, 1 the server, -1
    unknown. ``frames`` are the names of the frames that its parser finds, besides ``stream``.
    """

    name: str
    transports: tuple[str, ...] = ("tcp",)
    parser: Callable[[Any], Parser] | None = None
    patterns: tuple[tuple[Pattern, ...], tuple[Pattern, ...]] = ((), ())
    probings: tuple[Probing, ...] = ()
    buffers: tuple[BufferSpec, ...] = ()
    values: tuple[ValueSpec, ...] = ()
    default_enabled: bool = True
    log: str = ""
    first: tuple[int, ...] = (0, 1)
    aliases: tuple[str, ...] = ()
    follows: bool = False
    events: frozenset[str] = field(default_factory=frozenset)
    states: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    frames: frozenset[str] = field(default_factory=frozenset)
    sender: Callable[[bytes], int] | None = None
