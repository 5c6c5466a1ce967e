"""The process of a provider: ``python -m appliance.hypervisor TYPE``, its options as JSON on standard input.

It ends when its standard input does, so that it does not outlive the supervisor.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from appliance.hypervisor import static, virt, vsphere
from appliance.hypervisor.emitter import Emitter
from appliance.hypervisor.options import ProviderError

_PR_SET_PDEATHSIG = 1
_RUN: dict[str, Callable[[dict[str, Any], Emitter], None]] = {
    "static": static.run,
    "libvirt": virt.run,
    "vsphere": vsphere.run,
}


def main() -> int:
    """Tell of machines until told to stop."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # should it hang by then
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the supervisor
    options = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no frame
    try:
        emitter = Emitter(out)
        try:
            _RUN[sys.argv[1]](options, emitter)
        except ProviderError as error:
            emitter.trouble(str(error))
            return 1
    except BrokenPipeError:
        pass  # nobody listens any more
    return 0


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
