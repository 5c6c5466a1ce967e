"""``python -m appliance.daemon.reporter --control FD --sources FD,FD``; outputs are the first order."""

from __future__ import annotations

import argparse
import json
import socket
import sys

from pydantic import TypeAdapter, ValidationError

from appliance.daemon.reporter.service import MAX_ORDER, run_reporter
from appliance.sinks.documents import OutputsDocument


def main() -> int:
    """Read the start order from the control socket and run; the exit status is 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="eastwall-reporter")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--sources", default="")
    given = parser.parse_args()
    control = socket.socket(fileno=given.control)
    sources = [socket.socket(fileno=int(one)) for one in given.sources.split(",") if one]
    control.setblocking(True)
    try:
        order = json.loads(control.recv(MAX_ORDER))
        outputs = TypeAdapter(OutputsDocument).validate_python(order["outputs"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        sys.stderr.write(f"eastwall reporter: the start order cannot be read: {error}\n")
        return 2
    return run_reporter(outputs, sources, control, str(order.get("host", "")))


if __name__ == "__main__":
    sys.exit(main())
