"""What is worth a record about interfaces and their owners."""

from __future__ import annotations

from collections import Counter

from appliance.handoff.contract import Hands, Mail
from appliance.handoff.fsm import PASSING, Event, State
from appliance.handoff.machinery import Interface, Sent

_ROBBED = frozenset((Event.RECORD_OTHER, Event.LOST))


class Reports:
    """Writes records; those that would come again and again once for each time an interface is plugged in."""

    def __init__(self, hands: Hands, mail: Mail, conflict: float) -> None:
        """Tell ``hands``; ``conflict`` is how many seconds an owner may go on while another has it too."""
        self._hands, self._mail, self._conflict = hands, mail, conflict
        self.counts: Counter[str] = Counter()

    def happened(self, one: Interface, before: State, event: Event, now: float) -> None:
        """Look at what an event has done."""
        after = one.machine.state
        if after is State.EXPECTING:
            one.expecting = one.expecting or now
            self._watch(one, now)
        if before in PASSING and event in _ROBBED:
            self._tell("owner.conflict", one, owner=one.owner, did="stopped passing here")
        elif after is State.OWNER and before is State.CLAIMING:
            self._tell("handoff.claimed", one, revision=one.machine.revision, seized=one.seized)

    def _watch(self, one: Interface, now: float) -> None:
        if now - one.expecting >= self._conflict and one.owner and not self._mail.alive(one.owner):
            self._once("owner.lost", one, owner=one.owner, did="waits; `eastwall handoff take` if it is dead")

    def not_yet(self, one: Interface, now: float) -> None:
        """Take note that the owner still has it plugged in."""
        if one.machine.state is State.EXPECTING and now - one.expecting >= self._conflict:
            self._once("owner.conflict", one, owner=one.owner, did="passes nothing here, the owner goes on")

    def offered(self, one: Interface, sent: Sent) -> None:
        """Take note that the state was written down for another host."""
        header = sent.header
        self._tell("handoff.offered", one, to=sent.to, entries=header.entries, lost=header.lost)

    def alone(self, one: Interface) -> None:
        """Take note that it passes without a word of the store."""
        self._tell("owner.unknown", one, did="passes under its policy, as cluster.first_claim says")

    def _once(self, name: str, one: Interface, **details: object) -> None:
        if name not in one.told:
            one.told.add(name)
            self._tell(name, one, **details)

    def _tell(self, name: str, one: Interface, **details: object) -> None:
        self.counts[name] += 1
        uuid, interface = one.identity
        self._hands.note(name, uuid=uuid, interface=interface, **details)
