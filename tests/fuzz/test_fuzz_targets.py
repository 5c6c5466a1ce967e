"""Saved inputs and damaged ones: nothing raises, is unbounded or costs too much, however the bytes arrive.

The number of examples is that of the profile (see ``tests/conftest.py``), never a time.
"""

from __future__ import annotations

import json
from dataclasses import replace

import fuzz_application
import fuzz_core
import pytest
from fuzz_application import PARSED
from fuzz_mutate import MOST, WAYS, cut, mutate
from fuzz_session import DATA, END, GAP, SAVED, Session, Turn, read, saved, write
from fuzz_targets import TARGETS, attempt, outcome, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols import registry

CASES = [(target, name) for target in TARGETS for name in saved(target)]
CARRIERS = {"websocket": "http", "doh2": "http2"}  # what such a flow begins with
MANY = fuzz_application.SETTINGS.max_transactions
NUMBERS = st.integers(0, MOST)
STEPS = st.lists(st.tuples(st.integers(0, WAYS - 1), NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=8)
TURNS = st.builds(
    Turn,
    st.integers(0, 1),
    st.binary(max_size=40) | st.text("GET /'\"\\\r\n\t", max_size=20).map(str.encode),
)


@pytest.mark.parametrize(("target", "name"), CASES, ids=lambda value: value)
@pytest.mark.parametrize("forget", [False, True])
def test_saved_inputs(target, name, forget):
    attempt(target, saved(target)[name], forget=forget)


@pytest.mark.parametrize("target", PARSED)
def test_every_protocol_has_an_input_for_each_transport(target):
    """Seeds that are not taken for their protocol would leave its parser alone."""
    found = {s.transport for s in seeds(target) if _is_recognised(target, s)}
    assert found == set(registry.ALL[target].transports)


def _is_recognised(target: str, session: Session) -> bool:
    seen = outcome(session)
    return target in seen.protocols and bool(seen.logs)


@pytest.mark.parametrize("target", fuzz_core.CORE)
def test_every_reader_makes_something_of_an_input(target):
    assert any(fuzz_core.run(target, session)[0] for session in seeds(target))


def test_no_folder_of_inputs_is_forgotten():
    assert {path.name for path in SAVED.iterdir()} == set(TARGETS)


@given(st.lists(TURNS | st.builds(Turn, st.just(1), st.just(b""), st.sampled_from([GAP, END]))))
def test_inputs_are_read_as_they_were_written(turns):
    turns = tuple(Turn(t.direction, kind=GAP, length=7) if t.kind == GAP else t for t in turns)
    session = Session("tcp", (1, 2), turns, "ftp-data")
    assert read(write(session, "why\nit is here")) == session


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data(), steps=STEPS, forget=st.booleans())
def test_damaged_inputs(target, data, steps, forget):
    known = st.sampled_from(seeds_of(target))
    attempt(target, mutate(data.draw(known), steps, data.draw(known)), forget=forget)


@pytest.mark.parametrize("target", [name for name in PARSED if "tcp" in registry.ALL[name].transports])
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data(), sizes=st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_any_cutting_tells_the_same(target, data, sizes):
    session = data.draw(st.sampled_from([s for s in seeds_of(target) if s.transport == "tcp"]))
    whole = outcome(session)
    pieces = outcome(
        Session(session.transport, session.ports, tuple(cut(session.turns, sizes)), session.expected)
    )
    assert (pieces.logs, pieces.events) == (whole.logs, whole.events)
    assert pieces.protocols[-1:] == whole.protocols[-1:]


@pytest.mark.parametrize("target", [name for name in PARSED if "tcp" in registry.ALL[name].transports])
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data(), steps=STEPS, sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_cutting_of_damaged_inputs_tells_the_same(target, data, steps, sizes):
    """Else an attacker chooses what is seen by the size of the segments.

    The protocol is given: what is recognised by its first bytes may look like something else when there are
    fewer of them. So are no holes: after one, parsers look for a beginning at the next segment.
    """
    known = st.sampled_from([s for s in seeds_of(target) if s.transport == "tcp"])
    damaged = mutate(data.draw(known), steps[:4], data.draw(known))
    session = replace(damaged, turns=_connected(damaged.turns), expected=CARRIERS.get(target, target))
    if session.size > 6000:
        return
    whole, pieces = outcome(session), outcome(replace(session, turns=tuple(cut(session.turns, sizes))))
    # A change of protocol is recognised; a piece with more transactions than may live loses the oldest.
    if whole.protocols != pieces.protocols or max(len(whole.logs), len(pieces.logs)) >= MANY:
        return
    if whole.let_go or pieces.let_go:  # the rest of the piece was looked at, or not
        assert [log[:3] for log in pieces.logs] == [log[:3] for log in whole.logs]
    else:
        assert (pieces.logs, pieces.events) == (whole.logs, whole.events)


def _connected(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Leave out holes, and what a direction says after its end."""
    kept, ended = [], set()
    for turn in turns:
        if turn.direction not in ended and turn.kind != GAP:
            kept.append(turn)
        if turn.kind == END:
            ended.add(turn.direction)
    return tuple(kept)


@pytest.mark.parametrize("target", PARSED)
def test_asking_often_changes_nothing(target):
    """Rules and logs ask for the same any number of times; what that costs may not use up what is told."""
    for session in seeds_of(target):
        for tx in outcome(session).transactions:
            first = json.dumps([tx.log(), tx.records({})])
            assert all(json.dumps([tx.log(), tx.records({})]) == first for _ in range(400))


_SEEDS: dict[str, list[Session]] = {}


def seeds_of(target: str) -> list[Session]:
    if target not in _SEEDS:
        _SEEDS[target] = seeds(target)
    return _SEEDS[target]


def test_a_failing_input_is_made_smaller():
    from run import smaller

    session = Session("tcp", (1, 2), (Turn(0, b"a" * 50), Turn(1, b"x" * 40 + b"bug" + b"y" * 40), Turn(0)))
    small = smaller(session, lambda one: any(b"bug" in turn.data for turn in one.turns))
    assert [(turn.kind, turn.data) for turn in small.turns] == [(DATA, b"bug")]
