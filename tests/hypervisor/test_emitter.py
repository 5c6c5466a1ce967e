"""What a provider's process writes."""

from __future__ import annotations

import json
import os
import time

import pytest

from appliance.hypervisor.emitter import Emitter


def test_it_beats_while_something_takes_long_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.hypervisor.emitter.BEAT", 0.02)
    near, far = os.pipe()
    with os.fdopen(near, "rb") as pipe:
        emitter = Emitter(far)
        with emitter.patient(0.1):
            time.sleep(0.5)
        os.close(far)
        said = [json.loads(line) for line in pipe]
    assert [one["seq"] for one in said] == list(range(1, len(said) + 1))
    assert [one["say"] for one in said] == ["hello", *["beat"] * 5]
