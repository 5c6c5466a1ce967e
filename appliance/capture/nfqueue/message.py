"""What one message of the queue says: attributes read where they lie in the receive buffer."""

from __future__ import annotations

from typing import Final

from appliance.capture.nfqueue import numbers as nl

# Declared as C integers beside this file; those of another module would be looked up each time.
_LOW: Final = nl.LOW
_HIGH: Final = nl.HIGH
_PACKET_HDR: Final = nl.PACKET_HDR
_MARK: Final = nl.MARK
_TIMESTAMP: Final = nl.TIMESTAMP
_INDEV: Final = nl.INDEV
_OUTDEV: Final = nl.OUTDEV
_PHYSINDEV: Final = nl.PHYSINDEV
_PHYSOUTDEV: Final = nl.PHYSOUTDEV
_HWADDR: Final = nl.HWADDR
_PAYLOAD: Final = nl.PAYLOAD
_CAP_LEN: Final = nl.CAP_LEN
_SKB_INFO: Final = nl.SKB_INFO
_VLAN: Final = nl.VLAN
_VLAN_PROTO: Final = nl.VLAN_PROTO
_VLAN_TCI: Final = nl.VLAN_TCI
_L2HDR: Final = nl.L2HDR


class Message:
    """One packet as the kernel describes it; offsets are into the buffer it was read from.

    ``packet_id`` is -1 until it was found. Device numbers are 0 where the kernel named none, ``hw_len``,
    ``l2_len`` and ``payload_len`` 0 where there is no such attribute, ``vlan_tci`` -1 without a tag.
    ``cap_len`` is the packet's real length when only a part of it was copied, else 0. ``seconds`` and
    ``micros`` are 0 without a timestamp. ``info`` holds the bits of ``NFQA_SKB_INFO``.
    """

    __slots__ = (
        "cap_len",
        "hw_len",
        "hw_off",
        "hw_protocol",
        "indev",
        "info",
        "l2_len",
        "l2_off",
        "mark",
        "micros",
        "outdev",
        "packet_id",
        "payload_len",
        "payload_off",
        "physindev",
        "physoutdev",
        "seconds",
        "vlan_proto",
        "vlan_tci",
    )

    def __init__(self) -> None:
        """Make an empty message."""
        self.clear()

    def clear(self) -> None:
        """Forget what was read before."""
        self.packet_id: int = -1
        self.hw_protocol: int = 0
        self.mark: int = 0
        self.indev: int = 0
        self.outdev: int = 0
        self.physindev: int = 0
        self.physoutdev: int = 0
        self.hw_off: int = 0
        self.hw_len: int = 0
        self.l2_off: int = 0
        self.l2_len: int = 0
        self.vlan_proto: int = 0
        self.vlan_tci: int = -1
        self.payload_off: int = 0
        self.payload_len: int = 0
        self.cap_len: int = 0
        self.info: int = 0
        self.seconds: int = 0
        self.micros: int = 0


def read(data: bytearray, start: int, end: int, into: Message) -> bool:
    """Read the attributes in ``data[start:end]``, which is what follows ``struct nfgenmsg``.

    Returns:
        Whether all of it could be read, with a packet's number among it. If not, ``into`` has what was
        read up to there: usually the number, which is the first attribute.
    """
    into.clear()
    sound = True
    raw = data  # a pointer when compiled: what is read lies between start and end
    end = min(end, len(data))
    while end - start >= 4:
        size = raw[start + _LOW] | raw[start + _HIGH] << 8
        kind = (raw[start + 2 + _LOW] | raw[start + 2 + _HIGH] << 8) & 0x3FFF
        if size < 4 or size > end - start:
            return False
        if not _attribute(raw, kind, start + 4, size - 4, into):
            sound = False
        start += (size + 3) & ~3
    return sound and start >= end and into.packet_id >= 0


def _attribute(data: bytearray, kind: int, at: int, size: int, into: Message) -> bool:
    """Take one attribute; False when it is shorter than it has to be. Unknown kinds are passed over."""
    if kind == _PAYLOAD:
        into.payload_off = at
        into.payload_len = size
        return True
    if kind == _PACKET_HDR:
        if size < 7:
            return False
        into.packet_id = _long32(data, at)
        into.hw_protocol = data[at + 4] << 8 | data[at + 5]
        return True
    if kind == _HWADDR:
        return _hardware(data, at, size, into)
    if kind == _L2HDR:
        into.l2_off = at
        into.l2_len = size
        return size >= 14
    if kind == _VLAN:
        return _tag(data, at, at + size, into)
    if kind == _TIMESTAMP:
        if size >= 16:
            into.seconds = _long32(data, at) << 32 | _long32(data, at + 4)
            into.micros = _long32(data, at + 12)
        return size >= 16
    return _number(data, kind, at, size, into)


def _number(data: bytearray, kind: int, at: int, size: int, into: Message) -> bool:
    if not (_MARK <= kind <= _PHYSOUTDEV or kind in (_CAP_LEN, _SKB_INFO)):
        return True
    if size < 4:
        return False
    value = _long32(data, at)
    if kind == _MARK:
        into.mark = value
    elif kind == _INDEV:
        into.indev = value
    elif kind == _OUTDEV:
        into.outdev = value
    elif kind == _PHYSINDEV:
        into.physindev = value
    elif kind == _PHYSOUTDEV:
        into.physoutdev = value
    elif kind == _CAP_LEN:
        into.cap_len = value
    else:
        into.info = value
    return True


def _hardware(data: bytearray, at: int, size: int, into: Message) -> bool:
    if size < 4:
        return False
    length = data[at] << 8 | data[at + 1]
    if length > size - 4:
        return False
    into.hw_off = at + 4
    into.hw_len = length
    return True


def _tag(data: bytearray, start: int, end: int, into: Message) -> bool:
    while end - start >= 4:
        size = data[start + _LOW] | data[start + _HIGH] << 8
        kind = (data[start + 2 + _LOW] | data[start + 2 + _HIGH] << 8) & 0x3FFF
        if size < 4 or size > end - start:
            return False
        if size >= 6 and kind == _VLAN_PROTO:
            into.vlan_proto = data[start + 4] << 8 | data[start + 5]
        elif size >= 6 and kind == _VLAN_TCI:
            into.vlan_tci = data[start + 4] << 8 | data[start + 5]
        start += (size + 3) & ~3
    return into.vlan_tci >= 0


def _long32(data: bytearray, at: int) -> int:
    """Read 32 bits in network order."""
    top = data[at]
    return top << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
