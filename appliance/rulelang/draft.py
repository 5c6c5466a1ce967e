"""A rule while it is being read: what its options have said so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.rulelang.errors import Refused
from appliance.rulelang.source import Source
from appliance.rulelang.tree import Buffer, Content, Number, Option, Position, Transform

if TYPE_CHECKING:
    from appliance.rulelang.context import RuleContext
    from appliance.rulelang.header import Header

PAYLOAD = ""  # the name of the buffer that is selected at first


class ContentDraft:
    """A ``content`` to which modifiers are still to come; fields as in :class:`tree.Content`."""

    __slots__ = (
        "depth",
        "distance",
        "endswith",
        "fast_pattern",
        "fast_pattern_chop",
        "fast_pattern_only",
        "negated",
        "nocase",
        "offset",
        "pattern",
        "position",
        "rawbytes",
        "replace",
        "startswith",
        "within",
    )

    def __init__(self, position: Position, pattern: bytes, negated: bool) -> None:
        """Start with no modifiers."""
        self.position = position
        self.pattern = pattern
        self.negated = negated
        self.nocase = False
        self.rawbytes = False
        self.depth: Number | None = None
        self.offset: Number | None = None
        self.distance: Number | None = None
        self.within: Number | None = None
        self.startswith = False
        self.endswith = False
        self.fast_pattern = False
        self.fast_pattern_only = False
        self.fast_pattern_chop: tuple[int, int] | None = None
        self.replace: bytes | None = None

    def done(self) -> Content:
        """Make the node."""
        return Content(
            self.pattern,
            self.negated,
            self.nocase,
            self.rawbytes,
            self.depth,
            self.offset,
            self.distance,
            self.within,
            self.startswith,
            self.endswith,
            self.fast_pattern,
            self.fast_pattern_only,
            self.fast_pattern_chop,
            self.replace,
            position=self.position,
        )


class Item:
    """An option in its place. ``buffer`` overrides the selected buffer; None for what looks at none."""

    __slots__ = ("buffer", "looks", "node", "selection")

    def __init__(self, node: Option | ContentDraft, looks: bool, selection: tuple[Option, ...]) -> None:
        """Place ``node`` under the buffer ``selection``; ``looks`` tells whether it looks at a buffer."""
        self.node = node
        self.looks = looks
        self.selection = selection
        self.buffer: str | None = None


class Draft:
    """The state between two options of one rule."""

    __slots__ = (
        "alert",
        "at",
        "bypass",
        "classtype",
        "content",
        "context",
        "demands",
        "gid",
        "header",
        "items",
        "keywords",
        "metadata",
        "msg",
        "name",
        "noalert",
        "prefilter",
        "priority",
        "references",
        "rev",
        "selection",
        "selection_open",
        "selection_used",
        "sid",
        "source",
        "target",
        "threshold",
        "variables",
    )

    def __init__(self, source: Source, context: RuleContext, header: Header) -> None:
        """Begin a rule whose header has been read."""
        self.source = source
        self.context = context
        self.header = header
        self.at = 0  # offset of the option being read
        self.name = ""  # and its keyword, as written
        self.items: list[Item] = []
        self.selection: tuple[Option, ...] = ()
        self.selection_open = False  # a transform may follow
        self.selection_used = True
        self.content: Item | None = None  # the content that modifiers refer to
        self.keywords: dict[str, int] = {}  # canonical name -> offset of its first use
        self.demands: list[tuple[frozenset[str], str, int]] = []  # (protocols, keyword, offset)
        self.variables: set[str] = set()
        self.threshold = ""
        self.sid = 0
        self.gid = 1
        self.rev = 0
        self.msg = ""
        self.classtype = ""
        self.priority = 0
        self.references: list[tuple[str, str]] = []
        self.metadata: list[tuple[str, str]] = []
        self.noalert = False
        self.alert = False
        self.bypass = False
        self.prefilter = ""
        self.target = ""

    @property
    def position(self) -> Position:
        """Where the option being read stands."""
        return self.source.at(self.at)

    @property
    def buffer(self) -> str:
        """Name of the sticky buffer that is selected."""
        first = self.selection[0] if self.selection else None
        return first.name if isinstance(first, Buffer) else PAYLOAD

    @property
    def sticky(self) -> bool:
        """Tell whether something else than the payload is selected."""
        return bool(self.selection) and not (
            isinstance(self.selection[0], Buffer) and self.selection[0].name == PAYLOAD
        )

    def demand(self, protocols: frozenset[str]) -> None:
        """Note that the option being read is for one of these application protocols."""
        self.demands.append((protocols, self.name, self.at))

    def add(self, node: Option) -> None:
        """Add an option that looks at no buffer."""
        self.items.append(Item(node, False, ()))

    def look(self, node: Option | ContentDraft) -> Item:
        """Add an option that looks at the selected buffer."""
        item = Item(node, True, self.selection)
        self.items.append(item)
        self.selection_open = len(self.selection) < 2
        self.selection_used = True
        return item

    def follow(self, node: Option, relative: bool) -> Item:
        """Add a match that, when relative, goes on in the buffer of the match before it."""
        item = self.look(node)
        if relative and not self.sticky:
            for before in reversed(self.items[:-1]):
                if before.looks:
                    item.buffer = before.buffer
                    break
        return item

    def select(self, node: Option) -> None:
        """Select a buffer for what follows."""
        self.selection = (node,)
        self.selection_open = True
        self.selection_used = isinstance(node, Buffer) and node.name == PAYLOAD
        self.content = None

    def transform(self, node: Transform) -> None:
        """Change the selected buffer for what follows; what came before keeps it as it was.

        Raises:
            Refused: there is none, or a match on the changed buffer came before.
        """
        if not self.sticky or not self.selection_open:
            raise Refused(
                "a transform has to follow a sticky buffer directly",
                f"write it as: http.uri; {node.name}; content:…",
            )
        self.selection = (*self.selection, node)
        self.selection_used = False
        self.content = None

    def end_selection(self) -> None:
        """See that the buffer selected so far was looked at.

        Raises:
            Refused: nothing matches on it.
        """
        if not self.selection_used:
            raise Refused(
                f"buffer {self.buffer or 'before it'} was selected but nothing matches on it",
                "put a content (or bsize, absent, pcre …) after the buffer's name",
            )

    def options(self) -> tuple[Option, ...]:
        """Give the nodes in order; each change of buffer comes right before the match that it is for.

        A buffer that nothing looks at is left out. What an old modifier moved is between its buffer and
        the way back.
        """
        out: list[Option] = []
        selected: tuple[Option, ...] | str = ()
        for item in self.items:
            node = item.node
            if item.looks:
                wanted = item.selection if item.buffer is None else item.buffer
                # A buffer selected anew may be another instance of it, so selections compare by identity.
                if wanted is not selected and not (isinstance(wanted, str) and wanted == selected):
                    selected = wanted
                    out.extend(_selectors(wanted, node.position))
            out.append(node.done() if isinstance(node, ContentDraft) else node)
        return tuple(out)


def _selectors(wanted: tuple[Option, ...] | str, position: Position) -> tuple[Option, ...]:
    """Give the nodes that select a buffer: by name, or as the rule wrote it."""
    if isinstance(wanted, str):
        return (Buffer(wanted, position=position),)
    return wanted or (Buffer(PAYLOAD, position=position),)
