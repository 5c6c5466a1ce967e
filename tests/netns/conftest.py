"""What tests in network namespaces share."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [
    str(HERE),
    str(HERE.parent / "kernel"),
]  # `from lab import Lab`, `from kernel_helpers import vm`
