"""Contract between application parsers, detection and logs.

A parser is fed bytes and grows transactions. A transaction answers for its buffers by the name
that the rule language gives them, says how far each direction has come, and can be logged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Progress of one direction of a transaction. Protocols may use numbers in between (steps of their
# own that rules and buffers refer to); COMPLETE is the same for all.
START = 0
COMPLETE = 100
_COMPLETE = COMPLETE  # a number of C when compiled, which nobody else can read

BufferValue = bytes | list[bytes] | None


@dataclass(frozen=True, slots=True)
class BufferSpec:
    """A sticky buffer that a protocol offers to rules.

    ``directions`` are those in which it exists, ``progress`` the step at which its value is final,
    ``growing`` that it may be looked at before (bodies, files), ``multi`` that it is a list. ``get`` gives
    the value for a transaction of the class ``owner`` and a direction, as its ``buffer`` would by name.
    """

    name: str
    protocols: tuple[str, ...]
    directions: tuple[int, ...]
    progress: int = COMPLETE
    growing: bool = False
    multi: bool = False
    get: Callable[[Any, int], BufferValue] | None = None
    owner: type | None = None


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """A keyword that compares a property of a transaction: an ``IntMatch`` or ``Text`` of the rule tree.

    ``Transaction.value(keyword)`` gives an int, a str, a list of either (one has to match) or None. For
    ``Text``, ``test(value, argument)`` decides; without it the two must be equal.
    """

    keyword: str
    protocols: tuple[str, ...]
    directions: tuple[int, ...]
    progress: int = COMPLETE
    test: Callable[[Any, str], bool] | None = None


class FileObject:
    """A file seen inside a transaction: its bytes are bounded, its size and hashes are not.

    ``data`` holds at most the inspection limit, ``start`` is the offset of its first byte in the
    file. ``state`` is "OPEN", "CLOSED", "TRUNCATED" or "ERROR".
    """

    __slots__ = (
        "data",
        "direction",
        "file_id",
        "gaps",
        "hashes",
        "logged",
        "magic",
        "md5",
        "name",
        "range",
        "sha1",
        "sha256",
        "size",
        "spool",
        "start",
        "state",
        "store",
        "store_id",
        "stored",
        "tx_id",
        "inspected",
        "chosen",
    )

    def __init__(self, file_id: int, name: bytes, direction: int, tx_id: int) -> None:
        """Open a file that travels in ``direction`` (0 to-server, 1 to-client)."""
        self.begin(file_id, name, direction, tx_id)

    def begin(self, file_id: int, name: bytes, direction: int, tx_id: int) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.file_id = file_id
        self.name = name
        self.direction = direction
        self.tx_id = tx_id
        self.data = bytearray()
        self.start = 0
        self.size = 0
        self.state = "OPEN"
        self.gaps = False
        self.magic = ""
        self.md5 = ""
        self.sha1 = ""
        self.sha256 = ""
        self.hashes: Any = None
        self.store = False
        self.store_id = 0  # number in the file store, counted from 1
        self.stored = False
        self.spool: Any = None  # bytes that wait to be stored, a ``protocols.spool.SpoolBuffer``
        self.logged = False
        self.inspected = 0
        self.chosen: set[object] | None = None  # tests of rules that the file has passed
        self.range: tuple[int, int, int] | None = None  # (start, end, size) of a partial transfer


class Transaction:
    """One exchange: a request with its response, a command, a message.

    ``progress`` is per direction, ``events`` are app-layer-event names without the protocol
    ("missing_host_header"), ``inspected`` and ``matched`` belong to detection.
    """

    __slots__ = (
        "events",
        "files",
        "id",
        "inspected",
        "logged",
        "matched",
        "progress",
        "skip",
        "created",
        "reported",
        "updated",
    )

    def __init__(self, tx_id: int) -> None:
        """Open transaction ``tx_id``, counted from 0 in its flow."""
        self._set_up(tx_id)

    def _set_up(self, tx_id: int) -> None:
        """Set all fields."""
        self.id = tx_id
        self.progress = [START, START]
        self.events: list[str] = []
        self.files: list[FileObject] = []
        self.logged = 0
        self.skip = [False, False]
        self.inspected: Any = None
        self.matched: Any = None
        self.created = 0
        self.reported = 0  # events written as anomalies so far
        self.updated = True

    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give the inspection buffer ``name`` ("http.uri") or None while there is none.

        A list means a buffer with several instances, each matched on its own.
        """
        raise NotImplementedError

    def value(self, name: str) -> Any:  # noqa: ARG002 - the base has none
        """Give a non-buffer property that a keyword compares ("dns.opcode"), or None."""
        return None

    def compared(self, name: str, direction: int) -> Any:  # noqa: ARG002 - most say the same to both
        """Give what a keyword compares in one direction; :meth:`value` unless a protocol tells them apart."""
        return self.value(name)

    def keep(self) -> None:
        """Take note that a rule wants its certificates in the record; most have none."""

    def log(self) -> dict[str, Any]:
        """Give the body of the EVE record, in Suricata's field names."""
        raise NotImplementedError

    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002 - most have one form
        """Give the bodies that an output with ``options`` (of its record kind) wants; usually one."""
        return [self.log()]

    def ends(self, options: dict[str, Any]) -> int:  # noqa: ARG002 - most are logged as the client's
        """Give the direction whose sender a record names as its source: 0 the client, 1 the server."""
        return 0

    @property
    def record_kind(self) -> str:
        """Give the kind of its record where that differs from its parser's, "" otherwise."""
        return ""

    @property
    def ready(self) -> bool:
        """Tell whether it can be logged: when it is done, unless a protocol knows earlier."""
        return self.both_complete() or self.early()

    def early(self) -> bool:
        """Tell whether it can be logged before it is done; most have to wait."""
        return False

    def over(self, inspected: bool) -> bool:
        """Tell whether nobody needs it any more: it is done, logged and, if ``inspected`` asks, inspected."""
        if not self.logged or (inspected and not (self.skip[0] and self.skip[1])):
            return False
        return self.both_complete()

    @property
    def done(self) -> bool:
        """Tell whether both directions are complete."""
        return self.both_complete()

    def both_complete(self) -> bool:
        """Give :attr:`done`, without the cost of a property."""
        asked, answered = self.progress[0], self.progress[1]
        return asked >= _COMPLETE and answered >= _COMPLETE


# Number that no transaction has.
_NEVER = 1 << 62

# Frames of one parser that wait for detection; the oldest go first.
FRAMES_LIMIT = 512


class Frame:
    """A piece of one direction of a flow whose place a parser has found: a record, a request, a header.

    ``offset`` is where it begins among the bytes of its direction and ``length`` its size, -1 while that is
    not known. ``number`` counts from 2 in each direction (1 is the stream). ``rules`` are those of
    detection that have matched it, ``seen`` what detection has looked at.
    """

    __slots__ = ("direction", "length", "name", "number", "offset", "rules", "seen", "tx_id")

    def __init__(self, name: str, direction: int, offset: int, length: int, number: int, tx_id: int) -> None:
        """Note where a frame is; ``tx_id`` is -1 when it belongs to no transaction."""
        self.name = name
        self.direction = direction
        self.offset = offset
        self.length = length
        self.number = number
        self.tx_id = tx_id
        self.seen = -1
        self.rules: set[int] = set()


class Parser:
    """Base of all application parsers: bytes in, transactions out; opens nothing, never raises.

    Subclasses name their protocol and feed themselves from :meth:`data`. Any way of cutting the
    same bytes into calls gives the same transactions. State is bounded by the subclass.
    """

    name = ""
    # EVE record kind written for each finished transaction; "" when the protocol logs nothing.
    log_type = ""

    def __init__(self, settings: Any = None) -> None:
        """Start with no transactions; ``settings`` is the protocol's part of the app settings."""
        self._set_up(settings)

    def _set_up(self, settings: Any) -> None:
        """Set all fields."""
        self.settings = settings
        self.transactions: list[Transaction] = []
        self.next_tx = 0
        self.events: list[str] = []  # events that belong to the flow, not to a transaction
        self.failed = False
        self.failure = ""  # what made it fail: "parser" for data, "gap" for a hole; set from outside
        self.counted = False  # among the parsers that failed
        self.counted_tx = 0  # transactions counted so far
        self.after_end = [_NEVER, _NEVER]  # number of the first transaction after the end of each direction
        self.closed_tx = -1  # newest transaction that was ended because there were too many
        self.upgrade = ""  # name of the protocol that follows (STARTTLS, h2c), "any" to detect anew (CONNECT)
        self.carry: Any = None  # state for the parser that follows
        self.known_as = ""  # name by which the flow goes from now on, with the same parser (DNS over HTTPS)
        self.upgrade_data: tuple[bytes, bytes] = (b"", b"")
        self.expect: list[tuple[bytes, int, str, Any]] = []  # (server address, port, protocol, state)
        self.frames: list[Frame] = []
        self.wanted_frames: frozenset[str] = frozenset()  # names that some rule asks for
        self.received = [0, 0]  # offset behind the last byte handed to ``data`` in each direction
        self._frame_count: list[int] | None = None  # of each direction, once there are any
        self.bypass = False  # nothing more can be learnt (encrypted from here)
        self.now = 0

    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn of the flow (a ``Flow``; keep no reference), all ``AppSettings`` and a state handed over.

        Called once before the first data. ``carried`` comes from an expectation or from the parser
        that this one follows, None otherwise.
        """

    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        raise NotImplementedError

    def note_frame(
        self, name: str, direction: int, behind: int, length: int = -1, tx_id: int = -1
    ) -> Frame | None:
        """Note a frame that begins ``behind`` bytes before the end of what was received.

        Gives None when no rule asks for frames of this name.
        """
        if not self.wanted_frames:
            return None
        if self._frame_count is None:
            self._frame_count = [1, 1]
        self._frame_count[direction] += name != "stream"
        if name not in self.wanted_frames:
            return None
        if len(self.frames) >= FRAMES_LIMIT:
            del self.frames[0]
        offset = self.received[direction] - behind
        made = Frame(name, direction, offset, length, self._frame_count[direction], tx_id)
        self.frames.append(made)
        return made

    def end_frame(self, frame: Frame | None, behind: int) -> None:
        """Note that a frame has ended ``behind`` bytes before the end of what was received."""
        if frame is not None and frame.length < 0:
            frame.length = max(self.received[frame.direction] - behind - frame.offset, 0)

    def gap(self, direction: int, length: int) -> None:  # noqa: ARG002 - a subclass that copes says how
        """Take note that ``length`` bytes of one direction are missing."""
        self.failed = True

    def end(self, direction: int) -> None:
        """Take note that one direction has ended; unfinished transactions are completed."""
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True

    def cut(self, direction: int) -> None:
        """Take note that the rest of one direction is not looked at: what is open is truncated."""
        self.end(direction)

    def drop_done(self, inspected: bool) -> None:
        """Forget transactions that are logged and, where ``inspected`` asks for it, seen by detection."""
        for tx in self.transactions:
            if tx.over(inspected):
                self.transactions = [tx for tx in self.transactions if not tx.over(inspected)]
                return


class AppState:
    """What is known of a flow's application; hangs on ``Flow.app``.

    ``proto`` is "" while unknown, "failed" when detection gave up; ``ts`` and ``tc`` are what each
    direction was recognised as when they differ; ``probe`` holds the bytes seen so far while unknown.
    ``settled`` tells of each direction that its recognition has come to an end, until detection takes note.
    """

    __slots__ = (
        "announced",
        "changes",
        "counted",
        "done",
        "events",
        "files",
        "first",
        "previous",
        "settled",
        "ends",
        "orig",
        "parser",
        "probe",
        "proto",
        "reported",
        "resuming",
        "tc",
        "ts",
        "expected",
        "fed",
        "position",
        "tries",
    )

    def __init__(self) -> None:
        """Start with an unknown application."""
        self.proto = ""
        self.counted = ""  # the protocol that the flow was last counted as
        self.ts = ""
        self.tc = ""
        self.orig = ""
        self.expected = ""
        self.resuming = False  # known from before: its parser starts at the next message that can be told
        self.parser: Parser | None = None
        # The parser before a change of protocol: its transactions may still have to be inspected.
        self.previous: Parser | None = None
        self.changes = 0  # of protocol, so far
        self.reported = 0  # events written as anomalies so far
        self.first = -1  # direction of the first data seen
        self.probe: list[bytes] | None = None
        self.events: list[str] = []  # "applayer_..." events of detection itself
        self.done = [False, False]
        self.settled = [False, False]
        # Protocol and state that another flow announced for this one, until its first data.
        self.announced: tuple[str, object] | None = None
        self.ends = [False, False]
        self.fed = [0, 0]
        self.position = [0, 0]  # offset behind the last byte seen in each direction, holes included
        self.files = 0
        self.tries = 0
