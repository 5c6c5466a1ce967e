"""What the firewall says of a packet, and what it remembers of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython

from appliance.model.event import NoticeEvent
from appliance.model.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from appliance.firewall.limits import Tally

_BYPASS, _ACCEPT = Verdict.BYPASS, Verdict.ACCEPT  # the look-up in the class is slow
_PASSES = int(_ACCEPT)
FOREVER = (1 << 63) - 1


class EndJudgement:
    """What the policy of one end says; it does not change. ``direction`` is "out" for the sender, else "in".

    ``interface`` is the label of the interface, ``section`` and ``rule`` are "" where no rule decided.
    ``strictness`` is the verdict as a number, ``number`` tells apart what ends have said before, 0 is none.
    """

    __slots__ = (
        "by",
        "direction",
        "interface",
        "log",
        "logged",
        "number",
        "policy",
        "reason",
        "rule",
        "section",
        "strictness",
        "verdict",
    )

    def __init__(  # noqa: PLR0913 - one for each field
        self,
        interface: str,
        direction: str,
        policy: str,
        verdict: Verdict,
        reason: Reason,
        by: str,
        section: str = "",
        rule: str = "",
        log: bool = False,
        logged: tuple[str, ...] = (),
    ) -> None:
        """Say it; see the class for the meaning."""
        self.interface: str = interface
        self.direction: str = direction
        self.policy: str = policy
        self.verdict: Verdict = verdict
        self.strictness: int = int(verdict)
        self.reason: Reason = reason
        self.by: str = by
        self.section: str = section
        self.rule: str = rule
        self.log: bool = log
        self.logged: tuple[str, ...] = logged
        self.number: int = 0


class Judgement:
    """The stricter of what both ends say; it does not change. ``strictness`` is the verdict as a number.

    ``log`` asks for a record: a rule with ``log: true`` decided, or the rules in ``logged`` with
    action ``log`` matched on the way. ``notices`` are scans that came to light.
    """

    __slots__ = ("_later", "by", "ends", "log", "logged", "notices", "reason", "strictness", "verdict")

    def __init__(
        self,
        verdict: Verdict,
        reason: Reason = Reason.NONE,
        by: str = "",
        log: bool = False,
        logged: tuple[str, ...] = (),
        ends: tuple[EndJudgement, ...] = (),
        notices: tuple[NoticeEvent, ...] = (),
    ) -> None:
        """Say it; see the class for the meaning."""
        self.verdict: Verdict = verdict
        self.strictness: int = int(verdict)
        self.reason: Reason = reason
        self.by: str = by
        self.log: bool = log
        self.logged: tuple[str, ...] = logged
        self.ends: tuple[EndJudgement, ...] = ends
        self.notices: tuple[NoticeEvent, ...] = notices
        self._later: Judgement | None = None

    @property
    def bypass(self) -> bool:
        """Tell whether the flow needs no inspection either."""
        return self.verdict == _BYPASS

    @property
    def decision(self) -> Decision:
        """Give the verdict as the engine passes it on."""
        return Decision(self.verdict, self.reason, self.by)

    def later(self) -> Judgement:
        """Give the answer for further packets of a flow that this was said of."""
        if self._later is None:
            self._later = later_answer(self.verdict, self.by)
        return self._later


ALLOWED = Judgement(_ACCEPT)


@cython.freelist(64)
@cython.cclass
class FlowVerdict:
    """What was decided for a flow; hangs on ``Flow.judged``.

    ``later`` is the answer for each further packet, ``quiet`` that it is to let pass and nothing else.
    ``until`` (ns) ends its validity where a schedule is involved, ``tallies`` are the counts this flow is
    part of. ``per_packet`` tells that some end does not track the protocol and has to be asked for every
    packet.
    """

    __slots__ = (
        "epoch",
        "half_open",
        "later",
        "per_packet",
        "quiet",
        "swapped",
        "tallies",
        "until",
        "verdict",
    )

    def __init__(self, epoch: int, judgement: Judgement, swapped: bool, until: int) -> None:
        """Remember ``judgement`` for later packets; those of a denied flow are dropped silently."""
        self.begin(epoch, judgement, swapped, until)

    def begin(self, epoch: int, judgement: Judgement, swapped: bool, until: int) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.epoch: int = epoch
        self.verdict: Verdict = judgement.verdict
        self.swapped: bool = swapped
        self.until: int = until
        self.per_packet: bool = False
        self.tallies: tuple[Tally, ...] = ()
        self.half_open: bool = False
        self.quiet: bool = judgement.strictness == _PASSES
        self.later: Judgement = judgement.later()

    @property
    def allowed(self) -> bool:
        """Tell whether packets of the flow pass."""
        return self.verdict <= _ACCEPT


_MAX_ANSWERS = 1024
_answers: dict[tuple[Verdict, str], Judgement] = {}


def later_answer(verdict: Verdict, by: str) -> Judgement:
    """Give the answer for further packets of a flow, one object for all flows with the same."""
    found = _answers.get((verdict, by))
    if found is None:
        if len(_answers) >= _MAX_ANSWERS:
            _answers.clear()
        drops = verdict > _ACCEPT
        answer = Judgement(Verdict.DROP, Reason.FLOW_DENIED, by) if drops else Judgement(verdict, by=by)
        found = _answers[verdict, by] = answer
    return found


def combine(ends: tuple[EndJudgement, ...], notices: tuple[NoticeEvent, ...] = ()) -> Judgement:
    """Let the stricter end win; the sender's where both are equally strict."""
    if not ends:
        return ALLOWED if not notices else Judgement(Verdict.ACCEPT, notices=notices)
    winner = max(ends, key=_strictness)
    logged = tuple([name for end in ends for name in end.logged])
    log = bool(logged) or any([end.log for end in ends])  # noqa: C419 - compiled, a list costs less
    return Judgement(winner.verdict, winner.reason, winner.by, log, logged, ends, notices)


def _strictness(end: EndJudgement) -> int:
    return end.strictness
