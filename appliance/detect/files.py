"""Conditions on files: name, extension, size, type and hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.compare import comparison_of
from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.errors import RefusedError
from appliance.detect.steps import inspect
from appliance.detect.txtests import FileCondition
from appliance.rulelang import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.detect.context import Context
    from appliance.detect.steps import Step
    from appliance.detect.transforms import Change
    from appliance.model.app import FileObject

KEYWORDS = frozenset(("filename", "fileext", "filemagic", "filesize"))


class NameCondition(FileCondition):
    """``filename`` (anywhere in the name) and ``fileext`` (after the last dot), without case."""

    __slots__ = ("extension", "negated", "text")

    def __init__(self, node: tree.Text) -> None:
        """Take over the node."""
        self.extension = node.keyword == "fileext"
        self.text = node.argument.strip('"').lower().encode("latin-1", "replace")
        self.negated = node.negated

    @override
    def check(self, file: FileObject, ctx: Context) -> int:
        """Compare; a name does not change."""
        name = file.name.lower()
        held = name.endswith(b"." + self.text) if self.extension else self.text in name
        return MATCH if held != self.negated else ABORT


class MagicCondition(FileCondition):
    """``filemagic``: the description of the type contains a text, without case."""

    __slots__ = ("negated", "text")

    def __init__(self, node: tree.Text) -> None:
        """Take over the node."""
        self.text = node.argument.strip('"').lower()
        self.negated = node.negated

    @override
    def check(self, file: FileObject, ctx: Context) -> int:
        """Compare once the type is known."""
        closed = file.state != "OPEN"
        if not file.magic:
            return ABORT if closed else NO
        return MATCH if (self.text in file.magic.lower()) != self.negated else ABORT if closed else NO


class SizeCondition(FileCondition):
    """``filesize``: compare the number of bytes seen."""

    __slots__ = ("comparison",)

    def __init__(self, node: tree.IntMatch | tree.IntSet) -> None:
        """Take over the comparison."""
        self.comparison = comparison_of(node)

    @override
    def check(self, file: FileObject, ctx: Context) -> int:
        """Compare; before the file ends only "more than" can be told."""
        closed = file.state != "OPEN"
        if closed or self.comparison.operator in {">", ">="}:
            held = self.comparison.holds(file.size)
            return MATCH if held else ABORT if closed else NO
        return NO


class HashCondition(FileCondition):
    """``filemd5`` and its kin: the hash of the whole file is in a list."""

    __slots__ = ("algorithm", "hashes", "negated")

    def __init__(self, node: tree.FileHash, hashes: frozenset[str]) -> None:
        """Compare with ``hashes``, in lower-case hex."""
        self.algorithm = node.algorithm
        self.negated = node.negated
        self.hashes = hashes

    @override
    def check(self, file: FileObject, ctx: Context) -> int:
        """Compare once the file was seen to its end."""
        if file.state == "OPEN":
            return NO
        value: str = getattr(file, self.algorithm)
        if file.state != "CLOSED" or not value:
            return ABORT
        return MATCH if (value.lower() in self.hashes) != self.negated else ABORT


class ChainCondition(FileCondition):
    """Contents on ``file.name`` or ``file.magic``, of the same file as the other conditions."""

    __slots__ = ("chain", "changes", "magic")

    def __init__(self, name: str, changes: tuple[Change, ...], chain: list[Step]) -> None:
        """Inspect the buffer ``name``, transformed, with ``chain``."""
        self.magic = name == "file.magic"
        self.changes = changes
        self.chain = chain

    @override
    def check(self, file: FileObject, ctx: Context) -> int:
        """Inspect; a type that is not known yet may come."""
        data = file.magic.encode() if self.magic else file.name
        if not data and self.magic and file.state == "OPEN":
            return NO
        for change in self.changes:
            data = change(data)
        return MATCH if inspect(self.chain, data, 0, True, ctx) else ABORT


_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64}


def condition(node: object, read: Callable[[str], str | None]) -> FileCondition | None:
    """Make the condition of a file keyword; None when the node is of another kind.

    Raises:
        RefusedError: the list of hashes cannot be read.
    """
    if isinstance(node, tree.FileHash):
        return HashCondition(node, _hashes(node, read))
    if isinstance(node, tree.IntMatch | tree.IntSet) and node.keyword == "filesize":
        return SizeCondition(node)
    if isinstance(node, tree.Text) and node.keyword in {"filename", "fileext"}:
        return NameCondition(node)
    if isinstance(node, tree.Text) and node.keyword == "filemagic":
        return MagicCondition(node)
    return None


def _hashes(node: tree.FileHash, read: Callable[[str], str | None]) -> frozenset[str]:
    """Read a list: the hash is the first word of a line."""
    text = read(node.path)
    if text is None:
        raise RefusedError(f"file{node.algorithm}", f"cannot read {node.path}", node.position)
    length = _LENGTHS[node.algorithm]
    words = (line.split()[0].lower() for line in text.splitlines() if line.strip())
    return frozenset(word for word in words if len(word) == length)
