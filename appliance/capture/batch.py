"""Many datagrams of a socket with one system call (recvmmsg(2)), into buffers that stay where they are."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

import cython

_LIBC = ctypes.CDLL(None, use_errno=True)
_MSG_DONTWAIT = 0x40
_MSG_TRUNC = 0x20

_AGAIN = errno.EAGAIN
_INTERRUPTED = errno.EINTR

_SO_RCVBUFFORCE = 33


def widen(made: socket.socket, size: int) -> None:
    """Give a socket a receive buffer of ``size`` bytes, or what the system allows without CAP_NET_ADMIN."""
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("hdr", _Msghdr), ("len", ctypes.c_uint32))


_STRIDE = ctypes.sizeof(_Mmsghdr) // 4  # the headers seen as 32-bit numbers
_LEN = _Mmsghdr.len.offset // 4
_FLAGS = _Msghdr.flags.offset // 4
_NAMELEN = _Msghdr.namelen.offset // 4
_CONTROLLEN = _Msghdr.controllen.offset // 4 + (sys.byteorder == "big")  # the lower half of a size_t


class Batch:
    """``count`` buffers of ``size`` bytes in one bytearray: datagram ``i`` lies at ``data[i * size]``.

    With ``control`` (bytes per datagram) ancillary data is received too: that of datagram ``i`` lies at
    ``controls[i * control]``. With ``name`` the sender's address lies at ``names[i * name]``.
    """

    def __init__(self, count: int, size: int, control: int = 0, name: int = 0) -> None:
        """Set the buffers aside; the memory of one is touched when a datagram needs it."""
        self.count: int = count
        self.size: int = size
        self.control: int = control
        self.name: int = name
        self.data: bytearray = bytearray(count * size)
        self.controls: bytearray = bytearray(count * control)
        self.names: bytearray = bytearray(count * name)
        self.view: memoryview = memoryview(self.data)
        self._iovecs = (_Iovec * count)()
        memory = bytearray(count * ctypes.sizeof(_Mmsghdr))
        self._headers = (_Mmsghdr * count).from_buffer(memory)
        self._address: int = ctypes.addressof(self._headers)
        self._numbers: memoryview = memoryview(memory).cast("I")
        data = _place(self.data)
        controls, names = _place(self.controls), _place(self.names)
        for i in range(count):
            self._iovecs[i] = _Iovec(data + i * size, size)
            header = self._headers[i].hdr
            header.iov = ctypes.addressof(self._iovecs) + i * ctypes.sizeof(_Iovec)
            header.iovlen = 1
            header.control = controls + i * control if control else None
            header.name = names + i * name if name else None
        self._reset(count)

    def _reset(self, count: int) -> None:
        """Say again how much room there is: the kernel has written how much it used."""
        if not self.control and not self.name:
            return
        for at in range(0, count * _STRIDE, _STRIDE):
            self._numbers[at + _CONTROLLEN] = self.control
            self._numbers[at + _NAMELEN] = self.name

    def receive(self, fd: int, most: int) -> int:
        """Receive up to ``most`` datagrams without waiting; 0 when there is none.

        Raises:
            OSError: the call failed, also with ENOBUFS where the kernel reports that something was lost.
        """
        got = -_INTERRUPTED
        while got == -_INTERRUPTED:
            got = self._ask(fd, min(most, self.count))
        if got >= 0:
            return got
        if got == -_AGAIN:
            return 0
        raise OSError(-got, os.strerror(-got))

    def _ask(self, fd: int, most: int) -> int:
        """Make the call once; minus the error number where it fails."""
        if cython.compiled:
            return c_receive(fd, self._address, most)  # type: ignore[name-defined,no-any-return] # noqa: F821 - beside this file
        got = int(_LIBC.recvmmsg(fd, self._headers, most, _MSG_DONTWAIT, None))
        return got if got >= 0 else -ctypes.get_errno()

    def done(self, count: int) -> None:
        """Make the first ``count`` buffers ready for the next ``receive``; needed with control or name."""
        self._reset(count)

    def length(self, index: int) -> int:
        """Give the length of a datagram, as far as it fitted in."""
        return self._numbers[index * _STRIDE + _LEN]

    def cut(self, index: int) -> bool:
        """Tell whether a datagram was longer than its buffer."""
        return bool(self._numbers[index * _STRIDE + _FLAGS] & _MSG_TRUNC)

    def control_size(self, index: int) -> int:
        """Give how many bytes of ancillary data came with a datagram."""
        return self._numbers[index * _STRIDE + _CONTROLLEN]


def _place(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer)) if buffer else 0
