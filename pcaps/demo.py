"""``make run``: one VM attacks another, and the appliance shows what it does about it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from appliance.cli.main import main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from live.show import show  # noqa: E402 - found from where this file is

OUT = ROOT / "out"
DOCUMENTS = [
    *("--policy", str(ROOT / "policies"), "--policy", str(HERE / "demo/bindings.yaml")),
    *("--inventory", str(HERE / "demo/vms.yaml"), "--rules", str(ROOT / "rules")),
]


def run() -> int:
    """Show it live where that is possible, else over a capture; 0 when the attack was blocked."""
    console = Console()
    reason = why_not_live()
    if not reason:
        return show(console)
    console.print(f"not shown live ({reason}); this is what a replay of the same attack gives\n")
    return replay(console)


def why_not_live() -> str:
    """Say what is missing for the live demonstration, "" when nothing is."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    return f"{', '.join(missing)} not found" if missing else ""


def replay(console: Console) -> int:
    """Show the attack in a capture, then two packets explained; 0 when the attack was blocked."""
    console.rule("desktop-7 attacks files-1 the way Conficker did (MS08-067)")
    eve = OUT / "eve.json"
    status = main(
        ["replay", str(HERE / "conficker.pcap"), "--mode", "prevent", "--eve", str(eve), *DOCUMENTS]
    )
    console.print(f"events: {eve.relative_to(ROOT)}\n")
    console.rule("why is this packet dropped?")
    main(["explain", *DOCUMENTS, "tcp vm:desktop-7:40000 -> vm:db-1:3389 flags S"])
    console.rule("and this one is let through")
    main(["explain", *DOCUMENTS, "tcp vm:desktop-7:40000 -> vm:web-1:443 flags S"])
    blocked = status == 3
    console.print(f"\nthe attack was {'blocked' if blocked else 'NOT blocked'}")
    return 0 if blocked else 1


if __name__ == "__main__":
    sys.exit(run())
