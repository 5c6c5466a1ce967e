"""WebSocket, which HTTP/1 announces."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.protocols.spec import ProtocolSpec
from appliance.protocols.websocket.parser import WebSocketParser

_BOTH = (0, 1)

SPECS = (
    ProtocolSpec(
        "websocket",
        parser=WebSocketParser,
        follows=True,
        buffers=(BufferSpec("websocket.payload", ("websocket",), _BOTH),),
        values=tuple(
            ValueSpec(f"websocket.{name}", ("websocket",), _BOTH) for name in ("opcode", "flags", "mask")
        ),
        log="websocket",
        frames=frozenset(("header", "pdu", "data")),
        events=frozenset(("reassembly_limit_reached", "skip_end_of_payload")),
    ),
)

__all__ = ["SPECS", "WebSocketParser"]
