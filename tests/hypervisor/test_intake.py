"""What a provider's process may say, and what becomes of what it may not."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.addresses import parse_range
from appliance.hypervisor.frames import MAX_FRAME, FrameError, FrameReader, encode
from appliance.hypervisor.intake import GRACE, Intake, Taken
from appliance.hypervisor.messages import MessageError, plain, read_machine
from appliance.inventory.events import EventKind
from appliance.inventory.machines import Machine, Nic, Power

A, B = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
MAC = bytes.fromhex("525400000001")
ADDRESSES = (parse_range("10.0.0.1"), parse_range("fe80::/64"))
WEB = Machine(
    A, "web", "linux", frozenset({"prod"}),
    (Nic("eth0", MAC, "lan", 7, ADDRESSES, frozenset({"x"}), "vnet0"),),
    Power.ON, "one", True,
)  # fmt: skip
DB = Machine(B)


class Saying:
    """A process that says things to an intake."""

    def __init__(self, view: dict[str, Machine] | None = None, *, greet: bool = True) -> None:
        self.intake = Intake("virt", view or {})
        self.seq = 0
        if greet:
            self.say("hello", version=1)

    def say(self, what: str, now: float = 0.0, **more: Any) -> Taken:
        self.seq += 1
        taken = Taken()
        self.intake.take({"say": what, "seq": self.seq} | more, now, 5, taken)
        return taken

    def all(self, *machines: Machine, now: float = 0.0) -> Taken:
        self.say("sync")
        for one in machines:
            self.say("machine", machine=plain(one))
        return self.say("synced", now)


@given(st.lists(st.binary(max_size=64)))
def test_bytes_are_frames_or_an_error(pieces: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for piece in pieces:
            assert all(isinstance(frame, dict) for frame in reader.feed(piece))
    except FrameError:
        pass


@given(st.integers(1, 40))
def test_frames_come_in_any_pieces(size: int) -> None:
    data = b"".join(encode({"say": "beat", "seq": n}) for n in range(5))
    reader, found = FrameReader(), []
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    assert [frame["seq"] for frame in found] == list(range(5))


def test_a_frame_without_end_is_refused() -> None:
    reader = FrameReader()
    for _ in range(MAX_FRAME // 1024):
        assert reader.feed(b"x" * 1024) == []
    with pytest.raises(FrameError):
        reader.feed(b"x")


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(b"[" * 100_000 + b"\n")


def test_machines_come_back_as_they_were() -> None:
    for machine in (WEB, DB):
        assert read_machine(json.loads(json.dumps(plain(machine)))) == machine


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["say", "seq", "machine", "uuid", "kind", "why"]), anything))
def test_nonsense_changes_nothing(frame: dict[str, Any]) -> None:
    saying, taken = Saying({A: WEB}), Taken()
    with contextlib.suppress(FrameError):
        saying.intake.take({"seq": 99} | frame, 0.0, 5, taken)
    assert saying.intake.view == {A: WEB}
    assert taken.changes == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x" * 256},
        {"tags": ["t"] * 2 + [str(n) for n in range(300)]},
        {"nics": [{"name": "n", "mac": "01:00:00:00:00:00"}]},
        {"nics": [{"name": "n", "mac": "52:54:00:00:00:01"}] * 17},
        {"power": "perhaps"},
        {"surprise": 1},
        {"nics": [{"name": "n", "mac": "52:54:00:00:00:01", "port": "../x"}]},
    ],
)
def test_a_machine_that_makes_no_sense_stays_as_it_was(wrong: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        read_machine({"uuid": A} | wrong)
    saying = Saying({A: WEB})
    assert saying.say("machine", machine={"uuid": A} | wrong).errors
    saying.say("sync")
    saying.say("machine", machine={"uuid": A} | wrong)
    assert saying.say("synced").changes == {}
    saying.intake.tick(GRACE + 1, taken := Taken())
    assert taken.changes == {}
    assert saying.intake.view == {A: WEB}


def test_an_error_does_not_quote_what_was_sent() -> None:
    with pytest.raises(MessageError) as error:
        read_machine({"uuid": "swordfish"})
    assert "swordfish" not in str(error.value)


def test_two_interfaces_of_one_name_get_two() -> None:
    data = {"uuid": A, "nics": [{"name": "n", "mac": f"52:54:00:00:00:0{n}"} for n in (1, 2)]}
    assert [nic.name for nic in read_machine(data).nics] == ["n", "n 52:54:00:00:00:02"]


def test_a_list_counts_when_it_is_whole() -> None:
    saying = Saying({A: WEB})
    saying.say("sync")
    assert saying.say("machine", machine=plain(DB)).changes == {}
    taken = saying.say("synced")
    assert (taken.changes, taken.whole) == ({B: DB}, True)


def test_what_is_missing_from_a_list_stays_for_a_while() -> None:
    saying = Saying({A: WEB, B: DB})
    assert saying.all(DB, now=10.0).changes == {}
    assert saying.all(DB, now=20.0).changes == {}  # said again, it is missing no longer than before
    for now, gone in ((10.0 + GRACE - 1, {}), (10.0 + GRACE, {A: None})):
        saying.intake.tick(now, taken := Taken())
        assert taken.changes == gone
    assert saying.intake.view == {B: DB}


def test_who_comes_back_in_time_was_never_gone() -> None:
    saying = Saying({A: WEB})
    saying.all(now=0.0)
    saying.say("machine", machine=plain(WEB))
    saying.intake.tick(GRACE * 2, taken := Taken())
    assert taken.changes == {}


def test_who_is_said_to_be_gone_goes_at_once() -> None:
    saying = Saying({A: WEB})
    assert saying.say("gone", uuid=A).changes == {A: None}
    assert saying.say("gone", uuid=A).changes == {}


def test_old_frames_and_other_languages_end_the_process() -> None:
    with pytest.raises(FrameError):
        Saying(greet=False).say("hello", version=2)
    with pytest.raises(FrameError):
        Saying(greet=False).say("beat")
    saying = Saying()
    saying.say("beat")
    saying.seq -= 1
    with pytest.raises(FrameError):
        saying.say("beat")
    with pytest.raises(FrameError):
        Saying().say("synced")


def test_nonsense_without_end_ends_the_process() -> None:
    saying = Saying()
    for _ in range(1000):
        assert saying.say("nothing").errors
    with pytest.raises(FrameError):
        saying.say("nothing")


def test_more_machines_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.hypervisor.intake.MAX_MACHINES", 1)
    saying = Saying({A: WEB})
    assert saying.say("machine", machine=plain(DB)).errors
    saying.say("sync")
    saying.say("machine", machine=plain(WEB))
    with pytest.raises(FrameError):
        saying.say("machine", machine=plain(DB))
    assert saying.intake.view == {A: WEB}


def test_hints_name_the_machine() -> None:
    taken = Saying({A: WEB}).say("hint", kind="frozen", uuid=A, source="one", here=False)
    (event,) = taken.hints
    assert (event.kind, event.name, event.source, event.here, event.at) == (
        EventKind.FROZEN,
        "web",
        "one",
        False,
        5,
    )
