"""Speak to the running appliance over its control socket."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from typing import Any

from appliance.daemon.live.channel import Channel, ChannelClosedError, Message

DEFAULT_SOCKET = Path("/run/eastwall/control.sock")


class ClientError(Exception):
    """The appliance cannot be reached, or has refused."""


def ask(path: Path, request: Message, fds: tuple[int, ...] = (), *, patience: float = 30.0) -> Any:
    """Send one request and give the result.

    Args:
        path: The control socket.
        request: What is wanted: ``command`` and its arguments.
        fds: Descriptors to go along.
        patience: Seconds to wait for the answer.

    Raises:
        ClientError: nobody answers there, or the answer is an error.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.connect(str(path))
    except OSError as error:
        end.close()
        raise ClientError(f"{path}: {error.strerror}: {_advice(error)}") from error
    channel = Channel(end)
    try:
        channel.send(request, fds)
        answer = _wait(channel, patience)
    except ChannelClosedError as error:
        raise ClientError(f"{path}: the appliance has closed the connection") from error
    finally:
        channel.close()
    if "error" in answer:
        raise ClientError(str(answer["error"]))
    return answer.get("result")


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "only root and the group that control.group names may speak to it"
    return "is `eastwall run` running? --socket says where"


def _wait(channel: Channel, patience: float) -> Message:
    until = time.monotonic() + patience
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([channel.fileno()], [], [], left)
        messages = channel.receive() if ready else []
        if messages:
            return messages[0]
    raise ClientError(f"no answer within {patience:.0f} s")
