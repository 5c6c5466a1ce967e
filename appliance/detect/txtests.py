"""Conditions on a transaction: its buffers, values, events and files.

A test says MATCH, NO (not yet, ask again when the transaction has grown) or ABORT (never any more).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from appliance.detect.buffers import FILE_BUFFERS
from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.steps import Step, inspect
from appliance.model.app import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.compare import Comparison
    from appliance.detect.context import Context
    from appliance.detect.transforms import Change
    from appliance.model.app import BufferSpec, FileObject, Transaction, ValueSpec

_WAYS = {"to_server": {0}, "to_client": {1}}
# Instances of one buffer that are looked at.
INSTANCES = 1024


class BufferKey:
    """A buffer with its transforms: what is scanned once for all rules that want it.

    ``specs`` maps (protocol, direction) to the declaration; a protocol that is not in it has no such
    buffer.
    """

    __slots__ = ("changes", "label", "name", "number", "specs")

    def __init__(
        self, number: int, name: str, label: str, changes: tuple[Change, ...], specs: Sequence[BufferSpec]
    ) -> None:
        """Index the declarations."""
        self.number = number
        self.name = name
        self.label = label
        self.changes = changes
        self.specs: dict[tuple[str, int], BufferSpec] = {}
        for spec in specs:
            for protocol in spec.protocols:
                for direction in spec.directions:
                    self.specs[protocol, direction] = spec

    def values(self, tx: Transaction, direction: int) -> list[bytes]:
        """Give the instances of the buffer, transformed; empty when there is none."""
        value = tx.buffer(self.name, direction)
        if value is None and self.name in FILE_BUFFERS:
            value = FILE_BUFFERS[self.name](tx, direction)
        if value is None:
            return []
        found = value[:INSTANCES] if isinstance(value, list) else [value]
        for change in self.changes:
            found = [change(data) for data in found]
        return found


class TxView:
    """One direction of one transaction during one inspection; buffers are fetched once."""

    __slots__ = ("_values", "app_events", "direction", "final", "payload", "payload_base", "protocol", "tx")

    def __init__(self, tx: Transaction, direction: int, protocol: str, app_events: list[str]) -> None:
        """Look at ``tx``, which belongs to ``protocol``; ``app_events`` are those of its parser."""
        self.tx = tx
        self.direction = direction
        self.protocol = protocol
        self.app_events = app_events
        self.final = tx.progress[direction] >= COMPLETE
        self.payload: bytes = b""
        self.payload_base: int = 0
        self._values: dict[int, list[bytes]] = {}

    def other(self) -> TxView:
        """Give the view of the other direction of the same transaction."""
        return TxView(self.tx, 1 - self.direction, self.protocol, self.app_events)

    def values(self, key: BufferKey) -> list[bytes]:
        """Give the instances of a buffer."""
        found = self._values.get(key.number)
        if found is None:
            found = self._values[key.number] = key.values(self.tx, self.direction)
        return found

    def reached(self, progress: int) -> bool:
        """Tell whether this direction has come as far as ``progress``."""
        return bool(self.tx.progress[self.direction] >= progress)


class TxTest:
    """Base of the tests; ``directions`` are those in which the test can be made."""

    __slots__ = ()
    # Whether a test that repeats may hold again for the same packet: of another file.
    at_once = False

    def directions(self, protocols: frozenset[str] | None) -> set[int]:  # noqa: ARG002 - most have both
        """Give the directions in which it can hold for one of ``protocols`` (None: any)."""
        return {0, 1}

    def repeats(self, view: TxView) -> bool:  # noqa: ARG002 - most hold once
        """Tell whether the test may hold again when more data has come."""
        return False

    def check(self, view: TxView, ctx: Context) -> int:
        """Make the test."""
        raise NotImplementedError


class BufferTest(TxTest):
    """A chain of steps on a buffer; one of its instances has to pass."""

    __slots__ = ("absent", "chain", "key", "only", "or_else")

    def __init__(
        self, key: BufferKey, chain: list[Step], absent: bool, or_else: bool, direction: str = ""
    ) -> None:
        """Inspect ``key`` with ``chain``; ``absent`` wants no buffer, ``or_else`` or a passing one.

        ``direction`` is "to_server" or "to_client" where the rule wants only one of the buffer's.
        """
        self.only = _WAYS.get(direction, {0, 1})
        self.key = key
        self.chain = chain
        self.absent = absent
        self.or_else = or_else

    @override
    def directions(self, protocols: frozenset[str] | None) -> set[int]:
        """Give the directions of the declarations."""
        return _directions(self.key.specs, protocols) & self.only

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Inspect, waiting for buffers that are not there yet."""
        spec = self.key.specs.get((view.protocol, view.direction))
        if spec is None:
            return ABORT
        final = view.reached(spec.progress)
        if not final and not spec.growing:
            return NO
        later = ABORT if final else NO
        values = view.values(self.key)
        if not values:
            return MATCH if self.absent and final else later
        if self.absent and not self.or_else:
            return ABORT
        # New instances come, but each is whole; only the data of files grow by themselves.
        whole = final or (spec.multi and self.key.name != "file.data")
        for data in values:
            if inspect(self.chain, data, 0, whole, ctx):
                return MATCH
        return later


class ValueTest(TxTest):
    """Compare a property of the transaction; of a list, those members that ``which`` tells."""

    __slots__ = ("argument", "comparison", "keyword", "negated", "specs", "which")

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
        final = view.reached(spec.progress)
        value = view.tx.compared(self.keyword, view.direction)
        if value is None:
            return ABORT if final else NO
        held = self._compare(value if isinstance(value, list | tuple) else (value,), spec)
        if held != self.negated:
            # What is true of all members, or of one counted from the end, may change with the next.
            settled = not self.negated and not self.which.startswith(("all", "-"))
            return MATCH if final or settled else NO
        return ABORT if final else NO

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
        if not view.payload:
            return NO
        return MATCH if inspect(self.chain, view.payload, view.payload_base, True, ctx) else NO


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
        return not view.final or any(
            file.direction == view.direction and (file.chosen is None or self not in file.chosen)
            for file in view.tx.files
        )

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


def _directions(specs: dict[tuple[str, int], Any], protocols: frozenset[str] | None) -> set[int]:
    """Directions of the declarations that belong to ``protocols``."""
    return {direction for name, direction in specs if protocols is None or name in protocols}
