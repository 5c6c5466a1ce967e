"""Conditions on a transaction: its buffers, values, events and files.

A test says MATCH, NO (not yet, ask again when the transaction has grown) or ABORT (never any more).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import override

from appliance.detect.buffers import FILE_BUFFERS
from appliance.detect.bytesteps import SizeStep
from appliance.detect.content import ContentStep
from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.steps import Step, inspect
from appliance.model.app import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.compare import Comparison
    from appliance.detect.context import Context
    from appliance.detect.transforms import Change
    from appliance.model.app import BufferSpec, BufferValue, FileObject, Transaction, ValueSpec

_WAYS = {"to_server": {0}, "to_client": {1}}
# Instances of one buffer that are looked at.
INSTANCES = 1024


class PayloadSource(Protocol):
    """Where the bytes of the packet and its stream come from."""

    def payload_view(self) -> tuple[bytes, int]:
        """Give the bytes and their stream offset."""


class Place:
    """What a buffer is in one protocol and direction: when its value is final, whether it grows before.

    ``get`` gives its value for a transaction of the class ``owner``; others are asked by the buffer's name.
    ``value`` is what it was found to be in the turn of a view that ``turn`` numbers.
    """

    __slots__ = ("get", "growing", "owner", "progress", "turn", "value", "whole")

    def __init__(self, spec: BufferSpec) -> None:
        """Take over the declaration."""
        self.progress: int = spec.progress
        self.growing: bool = spec.growing
        # New instances come, but each is whole; only the data of files grow by themselves.
        self.whole: bool = spec.multi and spec.name != "file.data"
        self.get: Any = spec.get
        self.owner: Any = spec.owner
        self.turn: int = 0
        self.value: BufferValue = None


class BufferKey:
    """A buffer with its transforms: what is scanned once for all rules that want it.

    ``specs`` maps (protocol, direction) to the declaration; a protocol that is not in it has no such
    buffer.
    """

    __slots__ = ("_asked", "_known", "_places", "changes", "from_files", "label", "name", "number", "specs")

    def __init__(
        self, number: int, name: str, label: str, changes: tuple[Change, ...], specs: Sequence[BufferSpec]
    ) -> None:
        """Index the declarations."""
        self.number: int = number
        self.name: str = name
        self.label: str = label
        self.changes = changes
        self.from_files: bool = name in FILE_BUFFERS
        self.specs: dict[tuple[str, int], BufferSpec] = {}
        for spec in specs:
            for protocol in spec.protocols:
                for direction in spec.directions:
                    self.specs[protocol, direction] = spec
        self._places = {where: Place(spec) for where, spec in self.specs.items()}
        # The protocol asked for last in each direction, and the answer.
        self._asked: list[str | None] = [None, None]
        self._known: list[Place | None] = [None, None]

    def place(self, protocol: str, direction: int) -> Place | None:
        """Tell what the buffer is in a protocol and direction, None where there is none."""
        if self._asked[direction] != protocol:
            self._asked[direction] = protocol
            self._known[direction] = self._places.get((protocol, direction))
        return self._known[direction]

    def fetch(self, tx: Transaction, place: Place, direction: int) -> BufferValue:
        """Give the value, transformed: bytes, a bounded list of instances, or None when there is none."""
        if place.owner is type(tx):
            value: BufferValue = place.get(tx, direction)
        else:
            value = tx.buffer(self.name, direction)
        if value is None and self.from_files and tx.files:
            value = FILE_BUFFERS[self.name](tx, direction)
        if value is None or (not self.changes and isinstance(value, bytes)):
            return value
        return self._transformed(value)

    def _transformed(self, value: bytes | list[bytes]) -> BufferValue:
        """Apply the transforms to each of a bounded number of instances."""
        if isinstance(value, list):
            if len(value) > INSTANCES:
                value = value[:INSTANCES]
            for change in self.changes:
                value = [change(data) for data in value]
            return value
        for change in self.changes:
            value = change(value)
        return value


class Turns:
    """Numbers the turns of all views to a transaction, from 1."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: int = 0

    def take(self) -> int:
        """Give the next number."""
        self.last += 1
        return self.last


_TURNS = Turns()


class TxView:
    """One direction of one transaction during one inspection; buffers are fetched once."""

    __slots__ = (
        "_turn",
        "app_events",
        "direction",
        "final",
        "progress",
        "protocol",
        "source",
        "tx",
    )

    def __init__(self, tx: Transaction | None, direction: int, protocol: str, app_events: list[str]) -> None:
        """Look at ``tx``, which belongs to ``protocol``; ``app_events`` are those of its parser."""
        self.source: PayloadSource | None = None
        self.turn_to(tx, 0 if tx is None else tx.progress[direction], direction, protocol, app_events)

    def turn_to(
        self, tx: Transaction | None, progress: int, direction: int, protocol: str, app_events: list[str]
    ) -> None:
        """Look at another transaction, or at this one after it has grown; ``progress`` is its direction's."""
        self.tx: Any = tx
        self.direction: int = direction
        self.protocol: str = protocol
        self.app_events: list[str] = app_events
        self.progress: int = progress
        self.final: bool = progress >= COMPLETE
        self._turn: int = _TURNS.take()

    def other(self) -> TxView:
        """Give the view of the other direction of the same transaction."""
        return TxView(self.tx, 1 - self.direction, self.protocol, self.app_events)

    def value(self, key: BufferKey, place: Place) -> BufferValue:
        """Give a buffer, which is ``place`` here: bytes, a list of instances, or None when there is none."""
        if place.turn == self._turn:
            return place.value
        value = key.fetch(self.tx, place, self.direction)
        place.turn, place.value = self._turn, value
        return value

    def payload(self) -> tuple[bytes, int]:
        """Give the bytes of the stream that contents without buffer see, and the offset of the first."""
        return (b"", 0) if self.source is None else self.source.payload_view()


class TxTest:
    """Base of the tests; ``directions`` are those in which the test can be made."""

    __slots__ = ()
    # Whether a test that repeats may hold again for the same packet: of another file.
    at_once = False
    # Whether the test does nothing but look at the transaction.
    looks = False

    def directions(self, protocols: frozenset[str] | None) -> set[int]:  # noqa: ARG002 - most have both
        """Give the directions in which it can hold for one of ``protocols`` (None: any)."""
        return {0, 1}

    def possible(self, protocol: str, direction: int) -> bool:  # noqa: ARG002 - most can hold in all
        """Tell whether the test can ever hold in one direction of a protocol."""
        return True

    def repeats(self, view: TxView) -> bool:  # noqa: ARG002 - most hold once
        """Tell whether the test may hold again when more data has come."""
        return False

    def check(self, view: TxView, ctx: Context) -> int:
        """Make the test."""
        raise NotImplementedError


class BufferTest(TxTest):
    """A chain of steps on a buffer; one of its instances has to pass."""

    __slots__ = ("absent", "chain", "key", "looks", "only", "or_else")

    def __init__(
        self, key: BufferKey, chain: list[Step], absent: bool, or_else: bool, direction: str = ""
    ) -> None:
        """Inspect ``key`` with ``chain``; ``absent`` wants no buffer, ``or_else`` or a passing one.

        ``direction`` is "to_server" or "to_client" where the rule wants only one of the buffer's.
        """
        self.only = _WAYS.get(direction, {0, 1})
        self.key = key
        self.chain = chain
        self.looks = all(_looks(step) for step in chain)
        self.absent = absent
        self.or_else = or_else

    @override
    def directions(self, protocols: frozenset[str] | None) -> set[int]:
        """Give the directions of the declarations."""
        return _directions(self.key.specs, protocols) & self.only

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Inspect, waiting for buffers that are not there yet."""
        place = self.key.place(view.protocol, view.direction)
        if place is None:
            return ABORT
        final = view.progress >= place.progress
        if not final and not place.growing:
            return NO
        later = ABORT if final else NO
        value = view.value(self.key, place)
        if value is None or (isinstance(value, list) and not value):
            return MATCH if self.absent and final else later
        if self.absent and not self.or_else:
            return ABORT
        whole = final or place.whole
        if isinstance(value, bytes):
            return MATCH if inspect(self.chain, value, 0, whole, ctx) else later
        for data in value:
            if inspect(self.chain, data, 0, whole, ctx):
                return MATCH
        return later

    @override
    def possible(self, protocol: str, direction: int) -> bool:
        """Tell whether the protocol has the buffer in this direction."""
        return self.key.place(protocol, direction) is not None


class ValueTest(TxTest):
    """Compare a property of the transaction; of a list, those members that ``which`` tells."""

    __slots__ = ("argument", "comparison", "keyword", "negated", "specs", "which")
    looks = True

    def __init__(
        self,
        keyword: str,
        specs: Sequence[ValueSpec],
        comparison: Comparison | None,
        argument: Any,
        negated: bool,
        which: str = "",
    ) -> None:
        """Compare numbers by ``comparison`` or, without one, with ``argument`` (text, or a node of the tree).

        ``which`` is "" or "any", "all", or the place of one member, from the end when it is negative.
        """
        self.keyword = keyword
        self.which = "" if which == "any" else which
        self.comparison = comparison
        self.argument = argument
        self.negated = negated
        self.specs = {(p, d): spec for spec in specs for p in spec.protocols for d in spec.directions}

    @override
    def directions(self, protocols: frozenset[str] | None) -> set[int]:
        """Give the directions of the declarations."""
        return _directions(self.specs, protocols)

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Compare once the direction has come far enough."""
        spec = self.specs.get((view.protocol, view.direction))
        if spec is None:
            return ABORT
        final = view.progress >= spec.progress
        value = view.tx.compared(self.keyword, view.direction)
        if value is None:
            return ABORT if final else NO
        held = self._compare(value if isinstance(value, list | tuple) else (value,), spec)
        if held != self.negated:
            # What is true of all members, or of one counted from the end, may change with the next.
            settled = not self.negated and not self.which.startswith(("all", "-"))
            return MATCH if final or settled else NO
        return ABORT if final else NO

    @override
    def possible(self, protocol: str, direction: int) -> bool:
        """Tell whether the protocol has the property in this direction."""
        return (protocol, direction) in self.specs

    def _compare(self, values: Sequence[Any], spec: ValueSpec) -> bool:
        """Compare the members that count; None is one without the property."""
        if not self.which:
            return any(self._holds(item, spec) for item in values)
        if self.which == "all":
            return all(self._holds(item, spec) for item in values if item is not None)
        place = int(self.which)
        return -len(values) <= place < len(values) and self._holds(values[place], spec)

    def _holds(self, value: Any, spec: ValueSpec) -> bool:
        """Compare one value."""
        if spec.test is not None and self.comparison is None:
            return spec.test(value, self.argument)
        if self.comparison is not None:
            return isinstance(value, int) and self.comparison.holds(int(value))
        return bool(str(value) == self.argument)


class EventTest(TxTest):
    """``app-layer-event``: the parser has noted something."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Look for ``name``, without the protocol."""
        self.name = name

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Look it up."""
        return MATCH if self.name in view.tx.events or self.name in view.app_events else NO


class PayloadTest(TxTest):
    """Contents without a buffer in a rule that also looks at transactions: the stream's bytes."""

    __slots__ = ("chain",)

    def __init__(self, chain: list[Step]) -> None:
        """Inspect the stream with ``chain``."""
        self.chain = chain

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Inspect what there is of the stream."""
        data, base = view.payload()
        if not data:
            return NO
        return MATCH if inspect(self.chain, data, base, True, ctx) else NO


class FileCondition:
    """A condition on one file."""

    __slots__ = ()

    def check(self, file: FileObject, ctx: Context) -> int:
        """MATCH, NO (not yet) or ABORT."""
        raise NotImplementedError


class FileTest(TxTest):
    """All file keywords of a rule: one file has to satisfy every one of them."""

    __slots__ = ("conditions", "only", "store")
    at_once = True

    def __init__(self, conditions: list[FileCondition], store: bool, direction: str = "") -> None:
        """Test files; with ``store`` the one that passes is kept.

        ``direction`` is "to_server" or "to_client" where the rule wants only files that travel so.
        """
        self.conditions = conditions
        self.store = store
        self.only = _WAYS.get(direction, {0, 1})

    @override
    def directions(self, protocols: frozenset[str] | None) -> set[int]:
        """Give the directions that the rule wants."""
        return set(self.only)

    @override
    def repeats(self, view: TxView) -> bool:
        """Tell whether there may be further files, each of which the rule is asked about."""
        if not view.final:
            return True
        for file in view.tx.files:
            if file.direction == view.direction and (file.chosen is None or self not in file.chosen):
                return True
        return False

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Look for a file that satisfies all conditions, other than those that did so before."""
        waiting = not view.final
        for file in view.tx.files:
            if file.direction != view.direction or (file.chosen is not None and self in file.chosen):
                continue
            answer = self._check_file(file, ctx)
            if answer == MATCH:
                file.store = file.store or self.store
                file.chosen = (file.chosen or set()) | {self}
                return MATCH
            waiting = waiting or answer == NO
        return NO if waiting else ABORT

    def _check_file(self, file: FileObject, ctx: Context) -> int:
        """Combine the conditions: the first that fails decides."""
        for condition in self.conditions:
            answer = condition.check(file, ctx)
            if answer != MATCH:
                return answer
        return MATCH


def _looks(step: Step) -> bool:
    """Tell whether a step does nothing but look at the bytes."""
    return (isinstance(step, ContentStep) and step.replace is None) or isinstance(step, SizeStep)


def _directions(specs: dict[tuple[str, int], Any], protocols: frozenset[str] | None) -> set[int]:
    """Directions of the declarations that belong to ``protocols``."""
    return {direction for name, direction in specs if protocols is None or name in protocols}
