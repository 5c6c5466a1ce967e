"""Craft the shipped captures anew: ``make pcaps``. The result is the same bytes each time."""

from __future__ import annotations

from pathlib import Path

from crafting.conversation import Capture
from crafting.scenarios import SCENARIOS

HERE = Path(__file__).resolve().parent


def craft(folder: Path = HERE) -> list[Path]:
    """Write one capture for each scenario into ``folder`` and give their paths."""
    written = []
    for name, fill in SCENARIOS.items():
        capture = Capture()
        fill(capture)
        path = folder / f"{name}.pcap"
        capture.write(path)
        written.append(path)
    return written


if __name__ == "__main__":
    craft()
