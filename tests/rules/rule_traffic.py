"""Frames out of described traffic, and the real engine with our rules over them.

A description is a mapping with one of

- ``http``: the text of a request, or a list of ``request``/``response`` texts. Lines end as people write
  them; version, Host and Content-Length are added when they are missing;
- ``tcp`` or ``udp``: a list of ``client``/``server`` messages;
- ``rpc``: a call over a named pipe of SMB1: ``interface``, ``version``, ``opnum`` and the stub.

``port`` is the server's. Text stands for the bytes of its code points up to 255; under a name that ends
in ``_hex`` it is hexadecimal with blanks, and ``N*HH`` stands for N bytes HH.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.capture.base import Frame
from appliance.cli.describe import Description, End
from appliance.cli.frame import build_frame
from appliance.config.load import LoadOptions
from appliance.daemon.assemble import Documents, Inputs, make_engine, read_documents
from appliance.model.event import AlertEvent, Event

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"
sys.path.append(str(ROOT / "pcaps"))  # the builders of the shipped captures are no installed package
from crafting import smb1  # noqa: E402

MSS = 1460
NOW = 1_790_000_000 * 10**9
MILLISECOND = 10**6
PUSH_ACK, ACK, SYN, SYN_ACK = 0x18, 0x10, 0x02, 0x12
CLIENT = End(bytes((10, 20, 0, 17)), 40_000, bytes.fromhex("525400200017"))
SERVER = (bytes((10, 20, 0, 10)), bytes.fromhex("525400200010"))

Messages = list[tuple[int, bytes]]


def payload(name: str, text: str) -> bytes:
    """Read the bytes that a value describes."""
    if not name.endswith("_hex"):
        return text.encode("latin-1")
    out = bytearray()
    for word in text.split():
        count, star, unit = word.partition("*")
        out += bytes.fromhex(unit) * int(count) if star else bytes.fromhex(word)
    return bytes(out)


def http_message(text: str, *, request: bool) -> bytes:
    """Complete the text of one HTTP message."""
    head, _, body = text.partition("\n\n")
    lines = head.rstrip("\n").split("\n")
    names = {line.partition(":")[0].lower() for line in lines[1:]}
    if request and " HTTP/" not in lines[0]:
        lines[0] += " HTTP/1.1"
    if request and "host" not in names:
        lines.insert(1, "Host: web-1.example")
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def _http(said: Any) -> Messages:
    if isinstance(said, str):
        said = [{"request": said}]
    return [
        (int(name == "response"), http_message(text, request=name == "request"))
        for message in said
        for name, text in message.items()
    ]


def _rpc(call: dict[str, Any]) -> Messages:
    """A bind and a call over a pipe, each step answered."""
    interface = UUID(call["interface"]).bytes_le
    stub = payload("stub_hex", call["stub_hex"]) if "stub_hex" in call else payload("stub", call["stub"])
    steps = (
        (smb1.negotiate(), smb1.negotiate_reply()),
        (smb1.session_setup(), smb1.session_setup_reply()),
        (smb1.tree_connect("10.20.0.10"), smb1.tree_connect_reply()),
        (smb1.open_pipe(call.get("pipe", "\\browser")), smb1.open_pipe_reply()),
        (
            smb1.transact(smb1.rpc_bind(interface, call.get("version", 1))),
            smb1.transact_reply(smb1.rpc_bind_ack()),
        ),
        (
            smb1.transact(smb1.rpc_request(call["opnum"], stub)),
            smb1.transact_reply(smb1.rpc_response(bytes(4))),
        ),
    )
    return [message for ask, answer in steps for message in ((0, ask), (1, answer))]


def _plain(said: list[dict[str, str]]) -> Messages:
    return [
        (int(name.startswith("server")), payload(name, text))
        for message in said
        for name, text in message.items()
    ]


_KINDS: dict[str, tuple[Any, int, int]] = {
    "http": (_http, 6, 80),
    "tcp": (_plain, 6, 9),
    "udp": (_plain, 17, 53),
    "rpc": (_rpc, 6, 445),
}


class Wire:
    """Both sides of one conversation, as frames."""

    def __init__(self, protocol: int, port: int, mss: int) -> None:
        self.mss = mss
        self.there = Description(protocol, CLIENT, End(SERVER[0], port, SERVER[1]))
        self.seq = [1000, 900_000]
        self.frames: list[bytes] = []

    def send(self, side: int, data: bytes = b"", flags: int = 0) -> None:
        """Put one packet on the wire; a SYN takes a sequence number of its own."""
        way = self.there.reversed() if side else self.there
        packet = Description(way.protocol, way.source, way.destination, flags, data)
        self.frames.append(build_frame(packet, self.seq[side], self.seq[1 - side]))
        self.seq[side] += len(data) + (flags & SYN and 1)

    def say(self, side: int, data: bytes) -> None:
        """Send a message in segments, each acknowledged."""
        for start in range(0, len(data), self.mss):
            self.send(side, data[start : start + self.mss], PUSH_ACK)
            self.send(1 - side, flags=ACK)


def frames_of(traffic: dict[str, Any], mss: int) -> list[bytes]:
    """Build the frames of described traffic."""
    kind = next(name for name in _KINDS if name in traffic)
    messages_of, protocol, port = _KINDS[kind]
    wire = Wire(protocol, traffic.get("port", port), mss)
    if protocol == 6:
        for side, flags in ((0, SYN), (1, SYN_ACK), (0, ACK)):
            wire.send(side, flags=flags)
    for side, data in messages_of(traffic[kind]):
        if protocol == 6:
            wire.say(side, data)
        else:
            wire.send(side, data)
    return wire.frames


def load(*patterns: str, **options: Any) -> Documents:
    """Read our rule sets whose file names fit; ``options`` are those of the command line."""
    files = tuple(sorted({path for pattern in patterns for path in RULES.glob(pattern)}))
    return read_documents(Inputs(options=LoadOptions(**options), rules=files))


def alerts(documents: Documents, traffic: dict[str, Any], mss: int = MSS) -> list[AlertEvent]:
    """Run described traffic through the engine, in segments of ``mss`` bytes, and give its alerts."""
    frames = enumerate(frames_of(traffic, mss), 1)
    return alerts_of(
        documents,
        (Frame(data, 1, NOW + number * MILLISECOND, len(data), number) for number, data in frames),
    )


def alerts_of(documents: Documents, frames: Iterable[Frame]) -> list[AlertEvent]:
    """Run frames through an engine of their own and give the alerts."""
    engine = make_engine(documents)
    events: list[Event] = []
    for frame in frames:
        events += engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen).events
    events += engine.finish()
    return [event for event in events if isinstance(event, AlertEvent)]
