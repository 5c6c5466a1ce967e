from __future__ import annotations

from appliance.sinks.complaints import Complaints

SECOND = 1_000_000_000


def test_trouble_is_said_once_in_an_interval_however_it_comes_and_goes():
    said = []
    complaints = Complaints("a", said.append, 60 * SECOND)
    for now in range(59):
        complaints.add("broken", now * SECOND)
        assert complaints.trouble == "broken"
        complaints.over()
        assert complaints.trouble == ""
    assert said == ["a: broken", "a: works again"]
    complaints.add("broken", 60 * SECOND)
    assert said[2:] == ["a: broken (58 more times since it was last said)"]
