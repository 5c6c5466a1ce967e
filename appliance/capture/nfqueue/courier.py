"""Verdicts on a thread of their own: the next packets are judged while the kernel carries these on.

Taking a verdict, the kernel takes its packet all the way to the receiver's stack before the call returns:
half of what a packet costs. Compiled, that thread never needs the interpreter, so it takes nothing from the
worker; uncompiled there is none.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import cython

_ROOM = 16_384  # the largest message that is handed over; see courier.pxd
_BUFFER = 4 * _ROOM  # what may wait there: the worker waits when its verdicts do
_MOMENT = 0.0001


class Courier:
    """Sends messages in the order they are given, each on the caller's thread or on its own one.

    The thread is started when it is first needed, so that it has no more rights than who needs it.
    """

    def __init__(self, target: socket.socket) -> None:
        """Send on ``target``, a socket that waits until a message is taken."""
        self._target: socket.socket = target
        self._fd: int = target.fileno()
        self._near: socket.socket | None = None
        self._far: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._given: int = 0
        self._done: int = 0  # counted by the thread
        self._failed: int = 0

    def send(self, data: bytes, later: bool) -> None:
        """Send a message, or, if ``later``, leave that to the thread.

        A message that is to go at once goes behind those that the thread still has. Should one of its fail,
        the next call says so.

        Raises:
            OSError: a message was not taken.
        """
        if self._failed:
            raise OSError(self._failed, os.strerror(self._failed))
        later = later or self._given != self._done
        if not cython.compiled or not later or len(data) > _ROOM:
            self.drain()
            self._target.send(data)
            return
        near = self._near
        if near is None:
            near = self._start()
        self._given += 1
        near.send(data)

    def drain(self) -> None:
        """Wait until the thread has sent all that it was given.

        Raises:
            OSError: a message was not taken.
        """
        while self._given != self._done and not self._failed:
            time.sleep(_MOMENT)
        if self._failed:
            raise OSError(self._failed, os.strerror(self._failed))

    def close(self) -> None:
        """End the thread; what it has is sent first. The target stays open."""
        near, far, thread = self._near, self._far, self._thread
        self._near = None
        if near is None or far is None or thread is None:
            return
        near.shutdown(socket.SHUT_WR)
        thread.join()
        near.close()
        far.close()

    def _start(self) -> socket.socket:
        near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._near = near
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)
        self._thread.start()
        return near

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the worker to see
        self._carry()

    def _carry(self) -> None:
        """Send until the other end is closed; the loop is in C, beside this file."""
        far = self._far
        if cython.compiled and far is not None:
            carry(far.fileno(), self._fd, cython.address(self._done), cython.address(self._failed))  # type: ignore[name-defined] # noqa: F821
