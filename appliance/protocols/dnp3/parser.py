"""DNP3 over TCP: frames, transport segments, application fragments (IEEE 1815 chapters 4, 8 and 9)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dnp3 import link
from appliance.protocols.dnp3.objects import Objects, parse
from appliance.protocols.reader import MessageTransaction
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

MAX_FRAGMENT = 8 << 10  # four times the size that IEEE 1815 has devices agree on
MAX_UNANSWERED = 32
MAX_OBJECTS = 2048
MAX_POINTS = 16_384
_FIN, _FIR, _SEQUENCE = 0x80, 0x40, 0x3F
_UNSOLICITED = 130
_CONFIRM = 0
_UNANSWERABLE = frozenset((6, 8, 10, 12))  # requests "without response"
_INDICATORS = (
    ("all_stations", 0x0100),
    ("class_1_events", 0x0200),
    ("class_2_events", 0x0400),
    ("class_3_events", 0x0800),
    ("need_time", 0x1000),
    ("local_control", 0x2000),
    ("device_trouble", 0x4000),
    ("device_restart", 0x8000),
    ("no_func_code_support", 0x0001),
    ("object_unknown", 0x0002),
    ("parameter_error", 0x0004),
    ("event_buffer_overflow", 0x0008),
    ("already_executing", 0x0010),
    ("config_corrupt", 0x0020),
    ("reserved_2", 0x0040),
    ("reserved_1", 0x0080),
)


class Dnp3Transaction(MessageTransaction):
    """One application fragment; without ``header`` only what went wrong."""

    __slots__ = ("data", "header", "objects", "quiet")

    def __init__(self, tx_id: int, direction: int) -> None:
        """Open without a fragment."""
        super().__init__(tx_id, direction)
        self.header: link.Header | None = None
        self.data = b""
        self.objects = Objects()
        self.quiet = False  # a confirmation or one of a flood: inspected, not recorded

    @property
    def indications(self) -> int:
        """Give the internal indications of a response, the first byte high; -1 in a request."""
        return int.from_bytes(self.data[2:4], "big") if self.direction == TOCLIENT else -1

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.data or None

    @override
    def value(self, name: str) -> Any:
        if self.header is None:
            return None
        if name == "dnp3_func":
            return self.data[1]
        if name == "dnp3_ind":
            return self.indications if self.direction == TOCLIENT else None
        return [one.key for one in self.objects.found] if name == "dnp3_obj" else None

    @override
    def log(self) -> dict[str, Any]:
        """Give the form that alerts have: request or response below its name."""
        if self.header is None:
            return {}
        return {"request" if self.direction == TOSERVER else "response": self._body()}

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the record of the fragment."""
        return [self._body()] if self.header is not None and not self.quiet else []

    def _body(self) -> dict[str, Any]:
        header = self.header
        if header is None:
            return {}
        function = self.data[1]
        kind = "request" if self.direction == TOSERVER else "response"
        found: dict[str, Any] = {
            "type": "unsolicited_response" if kind == "response" and function == _UNSOLICITED else kind,
            "control": header.log(),
            "src": header.source,
            "dst": header.destination,
            "application": self._application(function),
        }
        if self.direction == TOCLIENT:
            value = self.indications
            found["iin"] = {"indicators": [name for name, bit in _INDICATORS if value & bit]}
        return found

    def _application(self, function: int) -> dict[str, Any]:
        control = self.data[0]
        bits = (("fir", 0x80), ("fin", 0x40), ("con", 0x20), ("uns", 0x10))
        flags: dict[str, Any] = {name: bool(control & bit) for name, bit in bits}
        found: dict[str, Any] = {
            "control": flags | {"sequence": control & 0x0F},
            "function_code": function,
            "complete": self.objects.complete,
        }
        if self.objects.found:
            found["objects"] = [one.log() for one in self.objects.found]
        return found


class _Side:
    """Reading state of one direction: bytes of frames, and the fragment that is being put together."""

    __slots__ = ("fragment", "header", "held", "sequence")

    def __init__(self) -> None:
        self.held = bytearray()
        self.fragment = bytearray()
        self.header: link.Header | None = None  # of the first segment; None: no fragment is begun
        self.sequence = 0


def _number(options: Any, name: str, default: int) -> int:
    value = str(options.get(name)) if isinstance(options, dict) else ""
    return int(value) if value.isdecimal() else default


class Dnp3Parser(Parser):
    """Frames of one connection; ``max-objects`` and ``max-points`` are its options."""

    name = "dnp3"
    log_type = "dnp3"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing asked."""
        super().__init__(settings)
        self.max_objects = _number(settings, "max-objects", MAX_OBJECTS)
        self.max_points = _number(settings, "max-points", MAX_POINTS)
        self._sides = (_Side(), _Side())
        self._unanswered = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side = self._sides[direction]
        side.held += chunk
        while self._frame(direction, side):
            pass

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on at the next frame after the hole."""
        side = self._sides[direction]
        side.held.clear()
        side.header = None

    def _frame(self, direction: int, side: _Side) -> bool:
        """Take one frame; False while it is not complete."""
        held = side.held
        at = held.find(link.START)
        if at:
            # Up to the next start there is nothing; its first byte may be the last one held.
            del held[: at if at > 0 else len(held) - int(held[-1:] == link.START[:1])]
        if len(held) < link.HEADER:
            return False
        length = held[2]
        if not link.header_fits(held) or length < link.MIN_LENGTH:
            fits = link.header_fits(held)
            self._new(direction).note("len_too_small" if fits else "bad_link_crc")
            del held[:2]
            return True
        size = link.frame_size(length)
        if len(held) < size:
            return False
        frame = bytes(held[:size])
        del held[:size]
        self._user_data(direction, side, frame)
        return True

    def _user_data(self, direction: int, side: _Side, frame: bytes) -> None:
        header = link.Header(frame)
        if not header.carries_data:
            return
        data = link.user_data(frame)
        if data is None or not data:
            self._new(direction).note("len_too_small" if data is not None else "bad_transport_crc")
            side.header = None
        else:
            self._segment(direction, side, header, data)

    def _segment(self, direction: int, side: _Side, header: link.Header, data: bytes) -> None:
        """Add a transport segment to the fragment; those out of order are left out."""
        control = data[0]
        sequence = control & _SEQUENCE
        if control & _FIR:
            side.fragment[:] = data[1:]
            side.header = header
        elif side.header is None or sequence != (side.sequence + 1) & _SEQUENCE:
            return
        else:
            side.fragment += data[1:]
        side.sequence = sequence
        if len(side.fragment) > MAX_FRAGMENT:
            self._new(direction).note("too_long_reassembly")
            side.header = None
            side.fragment.clear()
        elif control & _FIN:
            begun, side.header = side.header, None
            self._fragment(direction, begun, bytes(side.fragment))
            side.fragment.clear()

    def _fragment(self, direction: int, header: link.Header | None, data: bytes) -> None:
        """Take a whole application fragment."""
        tx = self._new(direction)
        start = 2 if direction == TOSERVER else 4
        if len(data) < start:
            tx.note("len_too_small")
            return
        tx.header, tx.data = header, data
        tx.objects = parse(data, start, data[1], self.max_objects, self.max_points)
        for event in tx.objects.events:
            tx.note(event)
        if direction == TOCLIENT:
            self._unanswered = 0
        elif data[1] == _CONFIRM:
            tx.quiet = True
        elif data[1] not in _UNANSWERABLE:
            self._unanswered += 1
            if self._unanswered == MAX_UNANSWERED + 1:
                tx.note("flooded")
            tx.quiet = self._unanswered > MAX_UNANSWERED + 1

    def _new(self, direction: int) -> Dnp3Transaction:
        tx = Dnp3Transaction(self.next_tx, direction)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx


def is_object(value: tuple[int, int], argument: str) -> bool:
    """Compare group and variation with ``group,variation``."""
    group, _, variation = argument.partition(",")
    return value == (int(group), int(variation))


def probe(data: bytes) -> int:
    """Tell whether bytes begin with a frame."""
    if not link.START.startswith(data[:2]):
        return PROBE_NO
    if len(data) < link.HEADER:
        return PROBE_MAYBE
    return PROBE_YES if data[2] >= link.MIN_LENGTH and link.header_fits(data) else PROBE_NO
