"""Sends frames out of ports of the bridge: what the two ends of a rejected connection are told."""

from __future__ import annotations

import socket
from collections.abc import Callable

from appliance.capture.base import CaptureError
from appliance.capture.frame import Frame
from appliance.capture.reject import refusals
from appliance.config.settings import DecodeSettings
from appliance.decode.decoder import Decoder

_SECOND = 1_000_000_000


class TokenBucket:
    """Lets ``rate`` things a second through, and ``burst`` at once after a pause."""

    def __init__(self, rate: float, burst: int, now: int) -> None:
        """Start full at ``now``, in nanoseconds as all times."""
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: int) -> bool:
        """Take one if there is one."""
        passed = max(0, now - self._at)
        self._at = now
        self._tokens = min(float(self.burst), self._tokens + passed * self.rate / _SECOND)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Injector:
    """A socket that sends whole Ethernet frames out of named devices, never waiting.

    A frame sent goes straight to the device: neither the bridge nor its rules see it. ``sent`` counts what
    went out, ``failed`` what the device or the kernel refused, ``limited`` what was more than the rate.
    """

    def __init__(self, clock: Callable[[], int], rate: float = 1000, burst: int = 100) -> None:
        """Open the socket; at most ``rate`` frames a second are sent, ``burst`` at once.

        Raises:
            CaptureError: no permission (CAP_NET_RAW).
        """
        self._clock = clock
        self._bucket = TokenBucket(rate, burst, clock())
        self._decoder = Decoder(DecodeSettings())
        self.sent = self.failed = self.limited = 0
        try:
            # Protocol 0: the socket receives nothing.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except OSError as problem:
            raise CaptureError(f"no socket to send resets: {problem.strerror} (CAP_NET_RAW)") from problem
        self._socket.setblocking(False)

    def refuse(self, frame: Frame, both: bool = True) -> int:
        """Tell the ends that this frame was rejected; see ``reject.refusals``. Give how many were told.

        The sender is told out of the port that the frame came in by, the receiver out of the other one; an
        end whose port is not known is not told.
        """
        packet = self._decoder.decode(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        told = 0
        for refusal in refusals(packet, both):
            device = frame.interface if refusal.to_sender else frame.egress
            if device is not None and self.send(device, refusal.frame):
                told += 1
        return told

    def send(self, device: str, frame: bytes) -> bool:
        """Send one frame out of a device; False when it could not be sent, or would be too many."""
        if not self._bucket.take(self._clock()):
            self.limited += 1
            return False
        try:
            self._socket.sendto(frame, (device, 0))
        except OSError:
            self.failed += 1
            return False
        self.sent += 1
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
