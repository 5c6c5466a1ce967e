"""The documents that describe the engine say what its tables say."""

from __future__ import annotations

import ast
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


def test_stages_that_are_called_directly_are_all_stages_in_their_order():
    tree = ast.parse((DOCS.parent / "appliance/engine/stages.py").read_text())
    run_all = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "run_all")
    calls = [one for one in ast.walk(run_all) if isinstance(one, ast.Call)]
    calls.sort(key=lambda one: (one.lineno, one.col_offset))
    assert [one.func.id for one in calls] == [stage.__name__ for _, stage in STAGES]
