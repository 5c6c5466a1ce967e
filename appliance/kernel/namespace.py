"""Doing something inside a network namespace."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from appliance.kernel.base import KernelError

_CLONE_NEWNET = 0x40000000
_FOLDER = Path("/run/netns")
_LIBC = ctypes.CDLL(None, use_errno=True)

ResultT = TypeVar("ResultT")


def namespace_path(name: str) -> str:
    """Give the file of a namespace that is named as ``ip netns`` does, or is a path already."""
    return name if "/" in name else str(_FOLDER / name)


def run_in(namespace: str | None, function: Callable[[], ResultT]) -> ResultT:
    """Call ``function`` with the network namespace ``namespace``; None is the one we are in.

    The call is made in a thread of its own, as a namespace belongs to a thread; processes that it starts
    and sockets that it opens belong to the namespace.

    Raises:
        KernelError: there is no such namespace, or we may not enter it.
    """
    if namespace is None:
        return function()
    path = namespace_path(namespace)
    return _in_thread(lambda: _enter(path), function)


def run_in_scratch(function: Callable[[], ResultT]) -> ResultT:
    """Call ``function`` in a new network namespace that is gone afterwards.

    Raises:
        KernelError: we may not make one.
    """
    return _in_thread(_unshare, function)


def _in_thread(enter: Callable[[], None], function: Callable[[], ResultT]) -> ResultT:
    results: list[ResultT] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            enter()
            results.append(function())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=work, name="namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _enter(path: str) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"network namespace {path}: {error.strerror}") from error
    try:
        _call("setns", _LIBC.setns(handle, _CLONE_NEWNET), path)
    finally:
        os.close(handle)


def _unshare() -> None:
    _call("unshare", _LIBC.unshare(_CLONE_NEWNET), "a new one")


def _call(what: str, result: int, path: str) -> None:
    if result:
        reason = os.strerror(ctypes.get_errno())
        raise KernelError(f"network namespace {path}: {what}: {reason}; Eastwall needs root (CAP_SYS_ADMIN)")
