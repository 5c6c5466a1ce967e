"""One end of a recorded TCP conversation, played over a real connection.

``python play.py server PORT TURNS`` waits for the other end, ``python play.py client ADDRESS PORT TURNS``
connects to it. ``TURNS`` is a JSON file: a list of [side, hex bytes] in their order, side 0 being the client.
The exit status is 0 when all was said and heard, 1 when the other end fell silent or was cut off.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

_PATIENCE = 4.0


def play(end: socket.socket, side: int, turns: list[tuple[int, bytes]]) -> bool:
    """Say what ``side`` says and wait for what the other says; tells whether all was heard."""
    end.settimeout(_PATIENCE)
    for speaker, said in turns:
        if speaker == side:
            end.sendall(said)
            continue
        left = len(said)
        while left:
            heard = end.recv(left)
            if not heard:
                return False
            left -= len(heard)
    return True


def main() -> int:
    """Play one side."""
    role, *rest = sys.argv[1:]
    turns = [(side, bytes.fromhex(text)) for side, text in json.loads(Path(rest[-1]).read_text())]
    try:
        if role == "client":
            with socket.create_connection((rest[0], int(rest[1])), _PATIENCE) as end:
                return 0 if play(end, 0, turns) else 1
        with socket.create_server(("", int(rest[0]))) as listener:
            listener.settimeout(_PATIENCE * 3)
            end, _ = listener.accept()
            with end:
                return 0 if play(end, 1, turns) else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
