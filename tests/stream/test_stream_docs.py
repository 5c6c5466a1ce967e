"""Documents that are made from tables agree with the tables."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.stream import events, states
from appliance.stream.overlap import POLICIES

ROOT = Path(__file__).resolve().parents[2]


def test_event_list_is_in_step():
    assert (ROOT / "docs/stream-events.md").read_text() == events.document()


def test_state_table_is_in_step():
    assert (ROOT / "docs/design/tcp-states.md").read_text() == states.draw()


def test_every_event_that_the_code_names_is_declared():
    source = "".join(path.read_text() for path in (ROOT / "appliance/stream").glob("*.py"))
    named = set(re.findall(r'(?:note|invalid|odd|_refuse)\(\s*"([a-z0-9_]+)"', source))
    assert len(named) > 30
    assert named <= set(events.EVENTS)


def test_every_declared_event_is_used():
    code = "".join(
        path.read_text() for path in (ROOT / "appliance/stream").glob("*.py") if path.name != "events.py"
    )
    unused = {name for name in events.EVENTS if f'"{name}"' not in code}
    assert unused == {"wrong_thread"}


def test_every_overlap_policy_is_documented():
    text = (ROOT / "docs/design/streams.md").read_text()
    assert not [name for name in POLICIES if f"`{name}`" not in text]
