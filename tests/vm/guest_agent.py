"""The first process of a test guest: runs what the host asks for over a virtio-serial port.

One request is one line of JSON, one answer too (RFC 8259: no string holds a line feed as it is). A request
is ``{"argv": [...]}`` for a program, or ``{"file": path, "function": name, "arguments": {...}}`` for a
function of a Python file, with ``number``, ``seconds`` and ``env``. The answer is ``{"status": n, "output":
text}`` with the same ``number``; status 124 means that the time was up. Functions run in a child of their
own; their file is imported once.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import ModuleType

TIMED_OUT = 124
# Loaded at once; one by one, as the kernel asks for them, takes ten times as long.
MODULES = [
    "bridge", "veth", "8021q", "nf_tables", "nft_ct", "nft_queue", "nft_limit", "nft_meta_bridge",
    "nft_reject_bridge", "nf_conntrack_bridge", "nf_conntrack_netlink", "nfnetlink_queue", "nf_defrag_ipv6",
]  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> None:
    """Serve requests until the host closes the port, then switch the machine off."""
    os.environ.update(PATH=PATH, HOME="/root", LANG="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
    os.chdir("/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["modprobe", "-a", *MODULES], check=True)
    with _port().open("r+b", buffering=0) as port:
        answer = {"number": 0, "status": 0, "output": "ready"}
        while True:
            _send(port, json.dumps(answer).encode() + b"\n")
            line = _line(port)
            if line is None:
                break
            request = json.loads(line)
            answer = {"number": request["number"]} | _serve(request)
    Path("/proc/sysrq-trigger").write_text("o")
    time.sleep(60)


def _port() -> Path:
    while not (found := list(Path("/dev").glob("vport*p1"))):
        time.sleep(0.02)
    return found[0]


def _send(port: object, data: bytes) -> None:
    """Write all of it: the port takes at most 32 KB at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[port.write(rest) :]


def _line(port: object) -> bytes | None:
    """Read one line; None if the host has closed the port."""
    data = b""
    while not data.endswith(b"\n"):
        piece = port.read(65536)
        if not piece:
            return None
        data += piece
    return data


def _serve(request: dict) -> dict:
    with tempfile.TemporaryFile() as output:
        try:
            child = _start(request, output)
            status = _wait(child, time.monotonic() + request["seconds"])
        except Exception:
            output.write(traceback.format_exc().encode())
            status = 1
        output.seek(0)
        return {"status": status, "output": output.read().decode(errors="replace")}


def _start(request: dict, output: object) -> int:
    """Start the child, the leader of its own session so that all it started can be ended with it."""
    module = _load(request["file"]) if "file" in request else None
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os.environ.update(request.get("env", {}))
        if module is None:
            os.execvpe(request["argv"][0], request["argv"], os.environ)  # noqa: S606
        getattr(module, request["function"])(**request["arguments"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _load(path: str) -> ModuleType:
    """Import a file the way the tests are: its folder and the project's root are on the path."""
    folder = Path(path).parent
    root = next(parent for parent in folder.parents if (parent / "pyproject.toml").exists())
    for place in (str(root), str(folder)):
        if place not in sys.path:
            sys.path.insert(0, place)
    return importlib.import_module(Path(path).stem)


def _wait(child: int, end: float) -> int:
    """Wait for the child and reap all else that ends; at the end of its time it is killed."""
    status = TIMED_OUT
    while time.monotonic() < end:
        done, code = os.waitpid(-1, os.WNOHANG)
        if done == child:
            status = os.waitstatus_to_exitcode(code)
            break
        if not done:
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return status


if __name__ == "__main__":
    main()
