"""What is known of a VNC session when its screen appears."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.protocols.reader import Reader, text

RESULTS = ("ok", "fail", "toomany")


class RfbTransaction(Transaction):
    """The handshake of one connection; a part not yet seen is None."""

    __slots__ = (
        "challenge",
        "format",
        "kind",
        "name",
        "reason",
        "response",
        "result",
        "shared",
        "size",
        "versions",
    )

    def __init__(self) -> None:
        """Start before the first version."""
        super().__init__(0)
        self.versions: list[tuple[str, str] | None] = [None, None]  # (major, minor) of client and server
        self.kind: int | None = None  # security type in use
        self.challenge = b""
        self.response = b""
        self.result: int | None = None
        self.reason: bytes | None = None
        self.shared: bool | None = None
        self.size: tuple[int, int] | None = None
        self.format = b""
        self.name: bytes | None = None

    def complete(self) -> None:
        """Take note that the handshake is over."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.name if name == "rfb.name" else None

    @override
    def value(self, name: str) -> Any:
        if name == "rfb.sectype":
            return self.kind
        return self.result if name == "rfb.secresult" else None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for side, version in (("server", self.versions[1]), ("client", self.versions[0])):
            if version is not None:
                found[f"{side}_protocol_version"] = {"major": version[0], "minor": version[1]}
        if self.kind is not None:
            found["authentication"] = self._authentication()
        if self.reason is not None:
            found["server_security_failure_reason"] = text(self.reason)
        if self.shared is not None:
            found["screen_shared"] = self.shared
        if self.size is not None:
            found["framebuffer"] = self._framebuffer(self.size)
        return found

    def _authentication(self) -> dict[str, Any]:
        found: dict[str, Any] = {"security_type": self.kind}
        if self.challenge:
            found["vnc"] = {"challenge": self.challenge.hex(), "response": self.response.hex()}
        if self.result is not None:
            known = self.result < len(RESULTS)
            found["security_result"] = RESULTS[self.result].upper() if known else f"UNKNOWN ({self.result})"
        return found

    def _framebuffer(self, size: tuple[int, int]) -> dict[str, Any]:
        reader = Reader(self.format)
        pixel: dict[str, Any] = {"bits_per_pixel": reader.uint(1), "depth": reader.uint(1)}
        pixel |= {name: bool(reader.uint(1)) for name in ("big_endian", "true_color")}
        pixel |= {f"{colour}_max": reader.uint(2) for colour in ("red", "green", "blue")}
        pixel |= {f"{colour}_shift": reader.uint(1) for colour in ("red", "green", "blue")}
        name = text(self.name or b"")
        return {"width": size[0], "height": size[1], "name": name, "pixel_format": pixel}


def is_result(value: int, argument: str) -> bool:
    """Compare the result of security with a rule's word or number."""
    if argument.isdigit():
        return value == int(argument)
    if argument == "unknown":
        return value >= len(RESULTS)
    return argument in RESULTS and value == RESULTS.index(argument)
