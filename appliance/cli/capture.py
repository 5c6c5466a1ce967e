"""``eastwall capture``: record what passes to and from a machine, with the verdicts."""

from __future__ import annotations

import argparse
import contextlib
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.capture.frame import Frame
from appliance.capture.record import Recorder
from appliance.cli.live import add_socket
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.client import ClientError, ask
from appliance.daemon.live.taking import HEAD, MAX_FRAME

_BUFFER = 8 << 20
_SO_SNDBUFFORCE = 32  # Linux socket(7), not in the socket module
_ETHERNET = 1
_VERDICTS = ("accepted", "blocked")


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "capture",
        help="record a machine's frames as pcapng",
        description="Record what passes to and from a machine, the verdict of each frame as its comment. "
        "Connections that the kernel judged by itself come by the appliance meanwhile, ACKs without data "
        "do not.",
    )
    parser.add_argument("--vm", metavar="VM", required=True, help="name or UUID")
    parser.add_argument("--out", metavar="FILE", required=True, type=Path, help="pcapng file to write")
    parser.add_argument("--seconds", metavar="N", type=float, default=0.0, help="stop after so long")
    parser.add_argument("--packets", metavar="N", type=int, default=0, help="stop after so many frames")
    add_socket(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record until a limit or an interrupt."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        with contextlib.suppress(OSError):  # what waits for us counts against the sending end
            theirs.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
        with args.out.open("wb") as file:
            try:
                told = ask(args.socket, {"command": "capture", "vm": args.vm}, (theirs.fileno(),))
            except ClientError as error:
                print(f"eastwall: {error}", file=sys.stderr)
                return ERROR
            recorder, lost = Recorder(file), 0
            with contextlib.suppress(KeyboardInterrupt):
                for frame, verdict, before in _frames(ours, told["interfaces"], args.seconds, args.packets):
                    recorder.write(frame, verdict)
                    lost += before
    with contextlib.suppress(ClientError):  # it has stopped: then nothing is recorded any more
        ask(args.socket, {"command": "uncapture", "number": told["number"]})
    print(f"{recorder.frames} frames in {args.out}")
    if lost:
        print(
            f"eastwall: {lost} frames are missing: they came faster than they could be written",
            file=sys.stderr,
        )
    return CLEAN


def _frames(
    end: socket.socket, interfaces: list[str], seconds: float, packets: int
) -> Iterator[tuple[Frame, str, int]]:
    """Give frames with what became of them and how many were lost before each."""
    until = time.monotonic() + seconds if seconds else float("inf")
    number = 0
    while (left := until - time.monotonic()) > 0 and not (packets and number >= packets):
        ready, _, _ = select.select([end], [], [], min(left, 1.0))
        if not ready:
            continue
        data = end.recv(HEAD.size + MAX_FRAME)
        number += 1
        now, wirelen, lost, place, blocked = HEAD.unpack_from(data)
        name = interfaces[place] if place < len(interfaces) else None
        yield Frame(data[HEAD.size :], _ETHERNET, now, wirelen, number, name), _VERDICTS[blocked], lost
