"""From frames to a provider's view: what is whole replaces what was, what makes no sense changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.hypervisor.frames import Frame, FrameError
from appliance.hypervisor.messages import (
    Beat,
    Gone,
    Hello,
    Hint,
    Message,
    MessageError,
    Present,
    Sync,
    Synced,
    Trouble,
    hint_kind,
    machine_of,
    read_message,
)
from appliance.inventory.events import VmEvent
from appliance.inventory.machines import MAX_MACHINES, Machine

GRACE = 30.0  # seconds for which a machine is kept that a provider, connected anew, does not name any more
_MAX_REFUSED = 1000  # of one process: after that it is not worth listening to


@dataclass(slots=True)
class Taken:
    """What some frames came to. ``changes`` are machines by UUID, None for those that are gone."""

    changes: dict[str, Machine | None] = field(default_factory=dict)
    hints: list[VmEvent] = field(default_factory=list)
    whole: bool = False  # the provider has said all that it knows
    trouble: str = ""
    errors: list[str] = field(default_factory=list)


class Intake:
    """Reads what one process of a provider says; a new process gets a new one with the same ``view``.

    A machine that is said to be gone goes at once; one that is only missing when everything is said anew
    stays for a while, since a server that has just come up may not know all of it yet.
    """

    def __init__(self, provider: str, view: Mapping[str, Machine]) -> None:
        """Go on from ``view``, what was said before."""
        self.provider = provider
        self.view = dict(view)
        self._seq = 0
        self._met = False
        self._collected: dict[str, Machine] | None = None
        self._missing: dict[str, float] = {}
        self._refused = 0

    def take(self, frame: Frame, now: float, at: int, taken: Taken) -> None:
        """Take one frame, at ``now`` (s, running) and ``at`` (ns since the epoch), into ``taken``.

        Raises:
            FrameError: the process is not to be listened to any more.
        """
        try:
            message = read_message(frame)
        except MessageError as error:
            self._keep(frame)
            self._refuse(str(error), taken)
            return
        if message.seq <= self._seq:
            raise FrameError("a frame comes twice or too late")
        self._seq = message.seq
        if not self._met and not isinstance(message, Hello):
            raise FrameError("the first frame is no greeting of this version")
        self._carry_out(message, now, at, taken)

    def _refuse(self, error: str, taken: Taken) -> None:
        taken.errors.append(error)
        self._refused += 1
        if not self._met or self._refused > _MAX_REFUSED:
            raise FrameError(error)

    def _keep(self, frame: Frame) -> None:
        """Have a machine stay as it was that is named in a list in a way that makes no sense."""
        machine = frame.get("machine")
        uuid = machine.get("uuid") if isinstance(machine, dict) else None
        if self._collected is not None and isinstance(uuid, str) and uuid in self.view:
            self._collected[uuid] = self.view[uuid]

    def _carry_out(self, message: Message, now: float, at: int, taken: Taken) -> None:
        match message:
            case Hello():
                self._met = True
            case Sync():
                self._collected = {}
            case Present():
                self._present(machine_of(message.machine), taken)
            case Gone():
                self._gone(message.uuid, taken)
            case Synced():
                self._synced(now, taken)
            case Hint():
                taken.hints.append(self._hint(message, at))
            case Trouble():
                taken.trouble = message.why
            case Beat():
                pass

    def _present(self, machine: Machine, taken: Taken) -> None:
        if self._collected is not None:
            if len(self._collected) >= MAX_MACHINES:
                raise FrameError("more machines than can be")
            self._collected[machine.uuid] = machine
            return
        self._missing.pop(machine.uuid, None)
        if machine.uuid not in self.view and len(self.view) >= MAX_MACHINES:
            self._refuse("more machines than can be", taken)
            return
        self.view[machine.uuid] = taken.changes[machine.uuid] = machine

    def _gone(self, uuid: str, taken: Taken) -> None:
        if self._collected is not None:
            self._collected.pop(uuid, None)
        elif self.view.pop(uuid, None) is not None:
            self._missing.pop(uuid, None)
            taken.changes[uuid] = None

    def _synced(self, now: float, taken: Taken) -> None:
        collected, self._collected = self._collected, None
        if collected is None:
            raise FrameError("the end of a list that has not begun")
        self._missing = {
            uuid: self._missing.get(uuid, now + GRACE) for uuid in self.view.keys() - collected.keys()
        }
        for uuid, machine in collected.items():
            if self.view.get(uuid) != machine:
                self.view[uuid] = taken.changes[uuid] = machine
        taken.whole = True

    def _hint(self, hint: Hint, at: int) -> VmEvent:
        known = self.view.get(hint.uuid)
        name = known.label if known is not None else ""
        kind = hint_kind(hint.kind)
        return VmEvent(kind, hint.uuid, name, at, self.provider, hint.host, hint.source, hint.here)

    def tick(self, now: float, taken: Taken) -> None:
        """Let go of machines that have been missing for long enough."""
        for uuid, until in list(self._missing.items()):
            if now >= until:
                del self._missing[uuid]
                if self.view.pop(uuid, None) is not None:
                    taken.changes[uuid] = None
