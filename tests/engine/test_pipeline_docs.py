"""The documents that describe the engine say what its tables say."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.engine.stages import STAGES
from appliance.model.verdict import Reason, reason_words

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_order_of_stages_is_the_one_written_down():
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", (DOCS / "design/pipeline.md").read_text(), re.MULTILINE)
    written = [row for row in rows if row[0] != "stage"]
    coded = [(name, (stage.__doc__ or "").strip()) for name, stage in STAGES]
    assert written == coded


def test_every_drop_reason_is_explained():
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", (DOCS / "drop-reasons.md").read_text(), re.MULTILINE)
    assert rows == [(reason.value, reason_words(reason)) for reason in Reason if reason is not Reason.NONE]
