"""What a guest is expected to have."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WRITTEN = Path(__file__).with_name("written_by_guest")


def another_kernel() -> None:
    assert "amd64" in os.uname().release
    assert os.getpid() > 1


def tree_and_libraries() -> None:
    import hyperscan

    from appliance.model.mark import mark_of

    assert mark_of(1, 0) == 0x10001
    assert hyperscan.Database() is not None


def link_kind(kind: str) -> None:
    subprocess.run(["ip", "link", "add", "probe0", "type", kind], check=True)
    subprocess.run(["ip", "link", "del", "probe0"], check=True)


def write() -> None:
    WRITTEN.write_text("x")
    assert WRITTEN.read_text() == "x"


def fail() -> None:
    raise ValueError("from inside")


def exceed() -> None:
    subprocess.run(["sleep", "1000"], check=True)
