"""A rule made ready to be evaluated."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.detect.bits import Effect
    from appliance.detect.frames import FrameTest
    from appliance.detect.headers import Header
    from appliance.detect.matchers import Matcher
    from appliance.detect.packettests import PacketBufferTest
    from appliance.detect.steps import Step
    from appliance.detect.txtests import TxTest
    from appliance.rulelang.tree import ConfigOption, Rule, Tag, Threshold


class Kind(IntEnum):
    """When a rule is evaluated (manual, "rule types")."""

    IP_ONLY = 0  # once for each direction of a flow
    PROTOCOL = 1  # once for each direction, when the application is recognised
    PACKET = 2  # on every packet
    STREAM = 3  # on new stream data (and packets that are in no stream)
    APP = 4  # on transactions
    FRAME = 5  # on frames


class FastPattern:
    """The literal by which a rule becomes a candidate, and the buffer it is looked for in.

    ``place`` is "payload", "packet:<buffer>" or "tx"; for "tx" ``key`` is the number of the buffer. A rule
    on a buffer of transactions that has no literal is found by a regular expression: ``regex`` are its flags,
    None for a literal.
    """

    __slots__ = ("key", "nocase", "pattern", "place", "regex")

    def __init__(self, place: str, key: int, pattern: bytes, nocase: bool, regex: str | None = None) -> None:
        """Note the literal; one without case is kept in lower case."""
        self.place = place
        self.key = key
        self.pattern = pattern.lower() if nocase else pattern
        self.nocase = nocase
        self.regex = regex


class Signature:
    """Everything about one rule that evaluation needs.

    ``rank`` is its place in the order of evaluation. ``protocols`` are application protocols, None for
    any. ``directions`` are those in which it can match; ``spans`` means that its tests belong to both.
    ``scope`` says what its action is for: "packet", "flow", or "stream" (the flow if a stream matched).
    ``ends`` is the bit of the addresses and ports of a rule on transactions, see ``ends.py``.
    """

    __slots__ = (
        "action",
        "chain",
        "directions",
        "effects",
        "ends",
        "events",
        "fast",
        "frame",
        "header",
        "index",
        "kind",
        "matchers",
        "needs",
        "on_packet",
        "on_stream",
        "packet_tests",
        "protocols",
        "rank",
        "rule",
        "scope",
        "settings",
        "spans",
        "tags",
        "thresholds",
        "tx_tests",
        "variables",
    )

    def __init__(self, index: int, rule: Rule, header: Header) -> None:
        """Start with a rule that has no conditions but its header."""
        self.index: int = index
        self.rule: Rule = rule
        self.action: str = rule.action
        self.header: Header = header
        self.kind: Kind = Kind.PACKET
        self.rank: int = index
        self.matchers: list[Matcher] = []
        self.packet_tests: list[PacketBufferTest] = []
        self.chain: list[Step] | None = None
        self.on_packet: bool = False
        self.on_stream: bool = False
        self.tx_tests: list[TxTest] = []
        self.events: list[str] = []
        self.effects: list[Effect] = []
        self.thresholds: list[Threshold] = []
        self.tags: list[Tag] = []
        self.settings: list[ConfigOption] = []
        self.variables: int = 0
        self.ends: int = 0
        self.protocols: frozenset[str] | None = None
        self.directions: tuple[int, ...] = (0, 1)
        self.spans: bool = False
        self.fast: FastPattern | None = None
        self.frame: FrameTest | None = None
        self.needs: set[str] = set()
        self.scope: str = "packet"
