"""What the firewall says of a packet, and what it remembers of a flow."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.firewall.limits import Tally
from appliance.model.event import NoticeEvent
from appliance.model.verdict import Decision, Reason, Verdict

_BYPASS, _ACCEPT = Verdict.BYPASS, Verdict.ACCEPT  # the look-up in the class is slow
FOREVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class EndJudgement:
    """What the policy of one end says. ``direction`` is "out" for the sender, "in" for the receiver.

    ``interface`` is the label of the interface, ``section`` and ``rule`` are "" where no rule decided.
    """

    interface: str
    direction: str
    policy: str
    verdict: Verdict
    reason: Reason
    by: str
    section: str = ""
    rule: str = ""
    log: bool = False
    logged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The stricter of what both ends say.

    ``log`` asks for a record: a rule with ``log: true`` decided, or the rules in ``logged`` with
    action ``log`` matched on the way. ``notices`` are scans that came to light.
    """

    verdict: Verdict
    reason: Reason = Reason.NONE
    by: str = ""
    log: bool = False
    logged: tuple[str, ...] = ()
    ends: tuple[EndJudgement, ...] = ()
    notices: tuple[NoticeEvent, ...] = ()

    @property
    def bypass(self) -> bool:
        """Tell whether the flow needs no inspection either."""
        return self.verdict == _BYPASS

    @property
    def decision(self) -> Decision:
        """Give the verdict as the engine passes it on."""
        return Decision(self.verdict, self.reason, self.by)


ALLOWED = Judgement(_ACCEPT)


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
        self.epoch: int = epoch
        self.verdict: Verdict = judgement.verdict
        self.swapped: bool = swapped
        self.until: int = until
        self.per_packet: bool = False
        self.tallies: tuple[Tally, ...] = ()
        self.half_open: bool = False
        self.quiet: bool = judgement.verdict == _ACCEPT
        self.later: Judgement = later_answer(judgement.verdict, judgement.by)

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
    return int(end.verdict)
