"""Providers' processes that end, hang, or say what makes no sense."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.inventory.machines import Machine
from tests.hypervisor.listening import listening

A = "11111111-1111-1111-1111-111111111111"
WEB = {"uuid": A, "name": "web", "interfaces": [{"name": "eth0", "mac": "52:54:00:00:00:01"}]}
DB = WEB | {"uuid": A.replace("1", "2"), "name": "db"}
DB["interfaces"] = [{"name": "eth0", "mac": "52:54:00:00:00:02"}]
KNOWN = {A: Machine(A, "web")}

_GREETED = """
import json, sys, time
print(json.dumps({"say": "hello", "seq": 1, "version": 1}), flush=True)
"""
_SAID = _GREETED + f"""
web = {{"uuid": "{A}", "name": "web"}}
said = ({{"say": "sync"}}, {{"say": "machine", "machine": web}}, {{"say": "synced"}})
for seq, more in enumerate(said, 2):
    print(json.dumps({{"seq": seq}} | more), flush=True)
"""  # fmt: skip


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "provider.py"
    file.write_text(text)
    return (sys.executable, str(file))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise SystemExit(3)", "ended"),
        ("print('hello')", "no JSON"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", "too long"),
        (_SAID + "print('}')\ntime.sleep(60)", "no JSON"),
        (_SAID + 'print(json.dumps({"say": "beat", "seq": 2}), flush=True)\ntime.sleep(60)', "too late"),
        (_SAID + "time.sleep(60)", "hangs"),
        (_GREETED + 'print(json.dumps({"say": "sync", "seq": 2}), flush=True)\ntime.sleep(60)', "hangs"),
        (_GREETED + 'print(json.dumps({"say": "trouble", "seq": 2, "why": "no server"}))', "no server"),
    ],
)
def test_whatever_a_process_does_what_was_known_stays(tmp_path: Path, text: str, says: str) -> None:
    async def scenario() -> None:
        made = program(tmp_path, text)
        async with listening({"type": "tested"}, known=dict(KNOWN), program=made, silence=1.5) as heard:
            await heard.until(lambda: says in heard.provider.why, says)
            await heard.until(lambda: heard.provider.tally.starts > 1, "second start")
            assert heard.provider.intake.view == KNOWN

    asyncio.run(scenario())


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        made = program(tmp_path, _SAID + "time.sleep(60)")
        async with listening({"type": "tested"}, program=made) as heard:
            await heard.connected()
            first = heard.provider.pid
            os.kill(first, 9)
            await heard.until(lambda: not heard.provider.connected, "loss")
            await heard.connected()
            assert heard.provider.pid != first
            assert heard.provider.tally.lost == 1

    asyncio.run(scenario())


def test_no_process_is_left(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with listening(
            {"type": "tested"}, program=program(tmp_path, _SAID + "time.sleep(60)")
        ) as heard:
            await heard.connected()
            return heard.provider.pid

    pid = asyncio.run(scenario())
    assert not Path(f"/proc/{pid}").exists()


def write(path: Path, *machines: dict[str, Any]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump({"vms": list(machines)}))
    beside.replace(path)


def test_a_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "vms.yaml"
    write(file, WEB)

    async def scenario() -> None:
        async with listening({"type": "static", "file": str(file)}) as heard:
            await heard.connected()
            assert set(heard.view) == {"web"}
            write(file, WEB, DB)
            await heard.until(lambda: "db" in heard.view, "new machine")
            file.write_text("vms: [{uuid: nonsense}]")
            await heard.until(lambda: "vms.yaml" in heard.provider.why, "complaint")
            assert ":1:" in heard.provider.why
            assert set(heard.view) == {"web", "db"}
            file.unlink()
            await heard.until(lambda: "No such file" in heard.provider.why, "complaint")
            write(file, DB)
            await heard.connected()
            await heard.until(lambda: A in heard.gone, "end of the machine")
            assert set(heard.view) == {"db"}

    asyncio.run(scenario())


def test_a_process_ends_with_who_started_it(tmp_path: Path) -> None:
    file = tmp_path / "vms.yaml"
    write(file, WEB)
    command = (sys.executable, "-m", "appliance.hypervisor", "static")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"file": str(file)}).encode() + b"\n")
        process.stdin.flush()
        assert b"hello" in process.stdout.readline()
        process.stdin.close()  # as the kernel does when the supervisor is killed
        assert process.wait(20) == 0
