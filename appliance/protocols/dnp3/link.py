"""DNP3 data link frames (IEEE 1815 chapter 9): header and blocks of 16 bytes, each with its CRC."""

from __future__ import annotations

START = b"\x05\x64"
HEADER = 10
MIN_LENGTH = 5  # control and addresses, which the length counts
_BLOCK = 16
_USER_DATA = frozenset((3, 4))
_PRIMARY = 0x40


def _table() -> tuple[int, ...]:
    """Make the table of the CRC with the polynomial 0x3D65, bits reflected."""
    out = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0xA6BC if value & 1 else value >> 1
        out.append(value)
    return tuple(out)


_CRC = _table()


def crc(data: bytes | bytearray) -> int:
    """Compute the CRC of IEEE 1815 section 9.2.4.3."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value ^ 0xFFFF


def _fits(block: bytes | bytearray) -> bool:
    """Compare the CRC at the end of a block with that of the bytes before it."""
    return crc(block[:-2]) == block[-2] | block[-1] << 8


def header_fits(data: bytes | bytearray) -> bool:
    """Tell whether the CRC of a frame's header is right."""
    return _fits(data[:HEADER])


def frame_size(length: int) -> int:
    """Give the size of a frame whose header says ``length``."""
    user = length - MIN_LENGTH
    return HEADER + user + 2 * ((user + _BLOCK - 1) // _BLOCK)


class Header:
    """What a frame's header says."""

    __slots__ = ("control", "destination", "source")

    def __init__(self, raw: bytes) -> None:
        """Take the header apart."""
        self.control = raw[3]
        self.destination = raw[4] | raw[5] << 8
        self.source = raw[6] | raw[7] << 8

    @property
    def carries_data(self) -> bool:
        """Tell whether user data follows."""
        return bool(self.control & _PRIMARY) and self.control & 0x0F in _USER_DATA

    def log(self) -> dict[str, object]:
        """Give the record's ``control``."""
        bits = (("dir", 0x80), ("pri", _PRIMARY), ("fcb", 0x20), ("fcv", 0x10))
        found: dict[str, object] = {name: bool(self.control & bit) for name, bit in bits}
        return found | {"function_code": self.control & 0x0F}


def user_data(frame: bytes) -> bytes | None:
    """Join the blocks of a frame; None when the CRC of one is wrong."""
    out = bytearray()
    for at in range(HEADER, len(frame), _BLOCK + 2):
        block = frame[at : at + _BLOCK + 2]
        if not _fits(block):
            return None
        out += block[:-2]
    return bytes(out)
