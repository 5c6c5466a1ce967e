"""Capture filters in libpcap's language, compiled and run by libpcap itself.

libpcap is looked up when a filter is asked for, so that nothing else depends on it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from appliance.capture.base import CaptureError

_LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so", "libpcap.dylib")
_SNAPLEN = 262_144
_NETMASK_UNKNOWN = 0xFFFF_FFFF
_MAX_EXPRESSION = 64 << 10
# Files bear LINKTYPE numbers; libpcap compiles for DLT numbers, which differ in these.
_DLT = {100: 11, 101: 12, 102: 15, 103: 16, 106: 19}


class _Program(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("bf_len", ctypes.c_uint), ("bf_insns", ctypes.c_void_p))


class _Header(ctypes.Structure):
    """struct pcap_pkthdr."""

    _fields_ = (
        ("tv_sec", ctypes.c_long),
        ("tv_usec", ctypes.c_long),
        ("caplen", ctypes.c_uint32),
        ("len", ctypes.c_uint32),
    )


@cache
def _libpcap() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        _declare(library)
        return library
    raise CaptureError("a capture filter needs libpcap, which is not installed (Debian: package libpcap0.8)")


def _declare(library: Any) -> None:
    """Tell ctypes the types of the five functions used."""
    pointer = ctypes.POINTER
    library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_compile.argtypes = (
        ctypes.c_void_p,
        pointer(_Program),
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_uint32,
    )
    library.pcap_geterr.argtypes = (ctypes.c_void_p,)
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_offline_filter.argtypes = (pointer(_Program), pointer(_Header), ctypes.c_char_p)
    library.pcap_freecode.argtypes = (pointer(_Program),)
    library.pcap_freecode.restype = None
    library.pcap_close.argtypes = (ctypes.c_void_p,)
    library.pcap_close.restype = None


class Filter:
    """One expression compiled for one link type."""

    def __init__(self, expression: str, linktype: int) -> None:
        """Compile.

        Raises:
            CaptureError: libpcap is missing or refuses the expression; the message is libpcap's.
        """
        self._library = _libpcap()
        self._program = _Program()
        self._header = _Header()
        self._compiled = False
        handle = self._library.pcap_open_dead(_DLT.get(linktype, linktype), _SNAPLEN)
        if not handle:
            raise CaptureError("libpcap could not make a handle")
        try:
            self._compile(handle, expression)
        finally:
            self._library.pcap_close(handle)

    def _compile(self, handle: int, expression: str) -> None:
        text = expression.encode("utf-8", "backslashreplace")
        if b"\0" in text or len(text) > _MAX_EXPRESSION:
            raise CaptureError("the capture filter is too long or contains a NUL")
        if self._library.pcap_compile(handle, self._program, text, 1, _NETMASK_UNKNOWN) != 0:
            why = self._library.pcap_geterr(handle).decode("utf-8", "backslashreplace")
            message = f"capture filter {expression!r}: {why}"
            raise CaptureError(message)
        self._compiled = True

    def __call__(self, data: bytes, wirelen: int) -> bool:
        """Tell whether a frame passes."""
        self._header.caplen = len(data)
        self._header.len = wirelen
        return bool(self._library.pcap_offline_filter(self._program, self._header, data))

    def __del__(self) -> None:
        """Give libpcap its program back."""
        if getattr(self, "_compiled", False):
            self._library.pcap_freecode(self._program)


class FilterSet:
    """One expression for all link types of a capture, compiled when a type first appears."""

    def __init__(self, expression: str, probe: int = 1) -> None:
        """Take an expression; it is tried at once on link type ``probe`` so that errors show early.

        Raises:
            CaptureError: libpcap is missing or refuses the expression.
        """
        self.expression = expression
        self._filters = {probe: Filter(expression, probe)}

    def __call__(self, data: bytes, linktype: int, wirelen: int) -> bool:
        """Tell whether a frame passes.

        Raises:
            CaptureError: the expression has no meaning for this link type.
        """
        chosen = self._filters.get(linktype)
        if chosen is None:
            chosen = self._filters[linktype] = Filter(self.expression, linktype)
        return chosen(data, wirelen)
