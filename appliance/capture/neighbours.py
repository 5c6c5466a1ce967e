"""MACs that hosts behind uplinks were seen with: nobody tells them of a frame that goes there."""

from __future__ import annotations

from typing import Final

_MOST: Final = 16_384  # addresses remembered; more than that are forgotten all at once, and learnt anew


class Neighbours:
    """The last MAC that packets of an address came with, by the device they came in by."""

    __slots__ = ("_macs",)

    def __init__(self) -> None:
        """Know nobody."""
        self._macs: dict[tuple[int, bytes], bytes] = {}

    def learn(self, device: int, address: bytes, mac: bytes) -> None:
        """Note that a packet from ``address`` came in by ``device`` with this source MAC; b"" is nobody."""
        key = (device, address)
        if not address or self._macs.get(key) == mac:
            return
        if len(self._macs) >= _MOST:
            self._macs.clear()
        self._macs[key] = mac

    def find(self, device: int, address: bytes) -> bytes | None:
        """Give the MAC of ``address`` behind ``device``, None if it was not seen lately."""
        return self._macs.get((device, address))
