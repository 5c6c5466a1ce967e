"""Compile rules into the cache, in a process of its own, and say what is wrong with them.

``python -m appliance.daemon.live.rulecheck FILE`` prints an object: ``errors``, ``refused``, ``loaded``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from appliance.daemon.assemble import read_documents
from appliance.daemon.live.files import load_appliance
from appliance.rulelang.tree import RuleError

_NICE = 10
_PATIENCE = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What came of it. ``refused`` are single rules, ``errors`` what keeps all from loading."""

    errors: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    loaded: int = 0


async def check_rules(path: Path, bundle: Path | None = None) -> RuleReport:
    """Check and compile the rules that the appliance file names, without holding up the caller.

    With ``bundle`` those of a bundle that is not in force yet.
    """
    more = (str(bundle),) if bundle is not None else ()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(path), *more, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        found = json.loads(output)
        return RuleReport(tuple(found["errors"]), tuple(found["refused"]), found["loaded"])
    except (TimeoutError, ValueError, KeyError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return RuleReport(("the rules could not be compiled: their compiler died or took too long",))


def main() -> int:
    """Run the check in this process."""
    os.nice(_NICE)
    appliance, errors = load_appliance(*map(Path, sys.argv[1:3]))
    report = {"errors": [str(error) for error in errors], "refused": [], "loaded": 0}
    if appliance is not None:
        found = read_documents(appliance.inputs())
        report["errors"] = [str(error) for error in found.rules.unreadable]
        report["refused"] = [refusal(error) for error in found.rules.refused]
        report["loaded"] = found.rules.loaded
    json.dump(report, sys.stdout)
    return 0


def refusal(error: RuleError) -> str:
    """One refused rule as a line for people."""
    sid = f" (sid {error.sid})" if error.sid else ""
    keyword = f" {error.keyword}:" if error.keyword else ""
    return f"{error.position.file}:{error.position.line}:{keyword} {error.reason}{sid}"


if __name__ == "__main__":
    sys.exit(main())
