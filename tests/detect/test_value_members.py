"""Which members of a list a comparison counts: any, all, or one by its place."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import override

from appliance.detect.compare import Comparison
from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.txtests import TxView, ValueTest
from appliance.model.app import COMPLETE, START, Transaction, ValueSpec

_SPEC = ValueSpec("list.value", ("proto",), (1,))


class _Tx(Transaction):
    def __init__(self, value: Any, progress: int) -> None:
        super().__init__(0)
        self.given = value
        self.progress = [progress, progress]

    @override
    def value(self, name: str) -> Any:
        return self.given


@pytest.mark.parametrize(
    ("which", "value", "final", "answer"),
    [
        ("", [1, 5], True, MATCH),
        ("any", [1, 5], False, MATCH),
        ("", [1, 2], False, NO),
        ("all", [5, 5], False, NO),
        ("all", [5, 5], True, MATCH),
        ("all", [5, 1], True, ABORT),
        ("all", [None, 5], True, MATCH),
        ("0", [None, 5], True, ABORT),
        ("", [None, 5], True, MATCH),
        ("0", [5, 1], False, MATCH),
        ("1", [5, 1], True, ABORT),
        ("-1", [1, 5], False, NO),
        ("-1", [1, 5], True, MATCH),
        ("-3", [5, 5], True, ABORT),
        ("2", [5, 5], False, NO),
        ("0", 5, True, MATCH),
        ("0", None, False, NO),
    ],
)
def test_members(which: str, value: Any, final: bool, answer: int) -> None:
    test = ValueTest("list.value", [_SPEC], Comparison("=", 5), "", False, which)
    view = TxView(_Tx(value, COMPLETE if final else START), 1, "proto", [])
    assert test.check(view, None) == answer  # type: ignore[arg-type]
