"""Copies of traffic to look at: bridge ports or a mirror port, over AF_PACKET. Detect only.

Received with recvmmsg(2) rather than a TPACKET_V3 ring: only so each frame has a ``virtio_net_hdr``,
which says of unsegmented frames that they are, and of checksums whether they are filled in.
"""

from __future__ import annotations

import errno
import math
import select
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.capture.base import CaptureError, LiveCounters
from appliance.capture.batch import Batch, widen
from appliance.capture.frame import Frame
from appliance.capture.mirror import Mirror
from appliance.inventory.ports import PortMap
from appliance.model.verdict import Decision

LINKTYPE_ETHERNET = 1
_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_ADD_MEMBERSHIP = 1
_STATISTICS = 6
_AUXDATA = 8
_VNET_HDR = 15
_IGNORE_OUTGOING = 23
_MR_PROMISC = 1
_OUTGOING = 4  # packet type in struct sockaddr_ll: the host sends the frame out of this device

_VNET = 10  # struct virtio_net_hdr in front of each frame
_NEEDS_CSUM = 1
_DATA_VALID = 2
_CMSG = 16  # struct cmsghdr, then struct tpacket_auxdata
_AUX = struct.Struct("=IIIHHHH")  # status, length, captured, MAC offset, network offset, tag, tag's type
_CONTROL = 64
_NAME = 20  # struct sockaddr_ll
_VLAN_VALID = 1 << 4
_TPID_VALID = 1 << 6
_CSUM_NOT_READY = 1 << 3
_CSUM_VALID = 1 << 7
# The largest frame: 64 KB of IP, Ethernet and two tags.
_ROOM = 0x10000 + 1024


@dataclass(frozen=True, slots=True)
class TapConfig:
    """What to look at.

    ``outgoing`` adds frames that the host sends out of a device. Of a bridge whose ports are all listened to
    leave it off, or each frame is seen twice; of a single port turn it on to see both directions. ``buffer``
    is the receive buffer of each device in bytes, ``batch`` the most frames of each in one ``receive``.
    """

    devices: tuple[str, ...]
    outgoing: bool = False
    buffer: int = 32 << 20
    batch: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: no device, one twice, or a size that is not positive.
        """
        if not self.devices or len(set(self.devices)) != len(self.devices):
            raise ValueError("devices: each name must be there once, and at least one")
        if min(self.buffer, self.batch) < 1:
            raise ValueError("buffer and batch must be at least 1")


class TapSource:
    """Frames of devices, as they pass; a :class:`~appliance.capture.base.LiveSource` that ignores verdicts.

    In its counters, ``queue_drops`` are frames that found a device's buffer full (``PACKET_STATISTICS``).
    """

    tries: int = 1  # nobody waits for what only watches

    def __init__(self, config: TapConfig, ports: PortMap, clock: Callable[[], int]) -> None:
        """Listen to the devices. ``clock`` gives nanoseconds since the epoch.

        Raises:
            CaptureError: a device is not there, or there is no permission (CAP_NET_RAW).
        """
        self._clock = clock
        self._mirror = Mirror(ports)
        self._batch = Batch(config.batch, _ROOM, _CONTROL, _NAME)
        self._counters = LiveCounters()
        self._sockets: dict[str, socket.socket] = {}
        self._poll = select.poll()
        try:
            for device in config.devices:
                self._sockets[device] = made = _listen(device, config)
                self._poll.register(made, select.POLLIN)
        except BaseException:
            self.close()
            raise

    def filenos(self) -> tuple[int, ...]:
        """Give one descriptor for each device."""
        return tuple(one.fileno() for one in self._sockets.values())

    def receive(self, timeout: float) -> list[Frame]:
        """Give up to a batch of frames of each device, waiting up to ``timeout`` seconds for the first.

        Raises:
            CaptureError: a device went away.
        """
        frames = self._take_all()
        if not frames and timeout > 0 and self._poll.poll(math.ceil(timeout * 1000)):
            frames = self._take_all()
        return frames

    def _take_all(self) -> list[Frame]:
        frames: list[Frame] = []
        for device, made in self._sockets.items():
            try:
                got = self._batch.receive(made.fileno(), self._batch.count)
            except OSError as problem:
                self._failed(device, problem)
                continue
            if got:
                self._take(device, got, frames)
        return frames

    def _failed(self, device: str, problem: OSError) -> None:
        """Bear with a frame that no ``virtio_net_hdr`` describes, and with a device that is down."""
        if problem.errno == errno.EINVAL:
            self._counters.malformed += 1
        elif problem.errno != errno.ENETDOWN or not self._sockets[device].getsockname()[0]:
            raise CaptureError(f"{device}: {problem.strerror}") from problem

    def _take(self, device: str, got: int, frames: list[Frame]) -> None:
        batch = self._batch
        now = self._clock()
        for i in range(got):
            size = batch.length(i)
            if size < _VNET + 14:
                self._counters.malformed += 1
                continue
            if batch.cut(i):
                self._counters.oversized += 1
            frames.append(self._frame(device, i, size, now))
        batch.done(got)

    def _frame(self, device: str, index: int, size: int, now: int) -> Frame:
        batch = self._batch
        start = index * batch.size
        status, length, tci, tpid = self._auxiliary(index)
        flags, gso = batch.data[start], batch.data[start + 1]
        body = batch.view[start + _VNET : start + size]
        tag = b""
        if status & _VLAN_VALID:
            tag = (tpid if status & _TPID_VALID else 0x8100).to_bytes(2, "big") + tci.to_bytes(2, "big")
        data = b"".join((body[:12], tag, body[12:]))
        wirelen = max(len(data), length + len(tag))
        if wirelen > len(data):
            self._counters.truncated += 1
        self._counters.received += 1
        self._counters.bytes += wirelen
        checked = bool(flags & (_NEEDS_CSUM | _DATA_VALID) or status & (_CSUM_NOT_READY | _CSUM_VALID))
        name = index * _NAME
        port = int.from_bytes(batch.names[name + 4 : name + 8], sys.byteorder)
        sent = batch.names[name + 10] == _OUTGOING
        vlan = tci & 0xFFF if tag else 0
        origin = self._mirror.origin(port, sent, vlan, data, (1 if checked or gso else 0) | (2 if gso else 0))
        number = self._counters.received
        names = (None, device) if sent else (device, None)
        return Frame(data, LINKTYPE_ETHERNET, now, wirelen, number, names[0], 0, origin, names[1])

    def _auxiliary(self, index: int) -> tuple[int, int, int, int]:
        """Give status, length on the wire, tag and its type from the control message of one frame."""
        if self._batch.control_size(index) < _CMSG + _AUX.size:
            return 0, 0, 0, 0
        found = _AUX.unpack_from(self._batch.controls, index * _CONTROL + _CMSG)
        return found[0], found[1], found[5], found[6]

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Count a verdict: a copy can be judged but not stopped."""
        del token, decision, mark
        self._counters.verdicts += 1

    def flush(self) -> None:
        """Do nothing: no verdict is sent."""

    def swap_ports(self, ports: PortMap) -> None:
        """Use other ports from the next frame on."""
        self._mirror = Mirror(ports)

    def counters(self) -> LiveCounters:
        """Give all counts, those of the kernel taken over: reading sets them back to 0 there."""
        for made in self._sockets.values():
            _, dropped = struct.unpack("=II", made.getsockopt(_SOL_PACKET, _STATISTICS, 8))
            self._counters.queue_drops += dropped
        return replace(self._counters)

    def close(self) -> None:
        """Stop listening."""
        for made in self._sockets.values():
            made.close()
        self._sockets.clear()


def _listen(device: str, config: TapConfig) -> socket.socket:
    """Open a socket that gets all frames of one device."""
    try:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except OSError as problem:
        raise CaptureError(f"{device}: {problem.strerror} (CAP_NET_RAW is needed)") from problem
    try:
        widen(made, config.buffer)
        made.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
        made.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        if not config.outgoing:
            made.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        made.bind((device, _ETH_P_ALL))  # frames come from here on, all options are set
        index = socket.if_nametoindex(device)
        made.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=iHH8s", index, _MR_PROMISC, 0, b""))
    except OSError as problem:
        made.close()
        raise CaptureError(f"{device}: {problem.strerror}") from problem
    return made
