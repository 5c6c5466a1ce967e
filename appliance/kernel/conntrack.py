"""Connections as the kernel knows them: which ended and what they carried, which are there, forgetting one.

The engine no longer sees a connection that is settled or blocked; its end and its bytes are learned here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from appliance.kernel import ctfilter, ctmove
from appliance.kernel import ctmessage as ct
from appliance.kernel.base import KernelError
from appliance.kernel.ctmessage import Connection, Key
from appliance.kernel.ctmove import Entry
from appliance.kernel.namespace import run_in

_NETFILTER = 12
_DESTROY_GROUP = 1 << 2  # NFNLGRP_CONNTRACK_DESTROY is group 3
_ROOM = 1 << 16
_SO_RCVBUFFORCE = 33
_MOST = 256  # reads in one call
_ATTEMPTS = 3
_TIMEOUT = 10  # seconds without an answer of the kernel


@dataclass(slots=True)
class Inserted:
    """What came of connections that were to be set up: made, there before, refused by the kernel."""

    made: int = 0
    known: int = 0
    refused: int = 0


def _open(namespace: str | None, groups: int = 0) -> socket.socket:
    def make() -> socket.socket:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        link = socket.socket(socket.AF_NETLINK, flags, _NETFILTER)
        try:
            link.bind((0, groups))
        except OSError as error:
            link.close()
            raise KernelError(f"connections of the kernel: {error.strerror} (root is needed)") from error
        return link

    return run_in(namespace, make)


class Endings:
    """The connections that end, from now on.

    Needs the setting ``nf_conntrack_events``; what they carried needs ``nf_conntrack_acct``.
    """

    def __init__(self, namespace: str | None = None, buffer: int = 8 << 20, bits: int = 0) -> None:
        """Listen in ``namespace`` (None: our own). ``buffer`` are bytes that the kernel keeps for us.

        With ``bits`` only connections are told of whose mark has one of them.

        Raises:
            KernelError: we may not listen.
        """
        self.overflows = 0
        self._behind = False
        self._namespace = namespace
        self._link = _open(namespace, _DESTROY_GROUP)
        with contextlib.suppress(OSError):  # a smaller buffer overflows earlier
            self._link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        if bits:
            try:
                ctfilter.attach(self._link, bits)
            except OSError as error:
                self._link.close()
                raise KernelError(f"filter of connections: {error.strerror}") from error
        self._link.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when there is something to receive."""
        return self._link.fileno()

    @property
    def behind(self) -> bool:
        """Tell whether endings were lost, so that :meth:`gone` has to be asked."""
        return self._behind

    def receive(self) -> list[Connection]:
        """Give connections that ended since the last call; a bounded number, the next call gives the rest."""
        ended: list[Connection] = []
        for _ in range(_MOST):
            try:
                data = self._link.recv(_ROOM)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise KernelError(f"connections of the kernel: {error.strerror}") from error
                self.overflows += 1
                self._behind = True
                continue
            found = (ct.read(body) for kind, _, body in ct.messages(data) if kind == ct.DELETE)
            ended += [one for one in found if one is not None]
        return ended

    def gone(self, known: Collection[Key]) -> set[Key]:
        """Give those of the ``known`` keys that the kernel no longer has; from now on nothing is missed.

        What their connections carried is lost. Endings that are still waiting are given by :meth:`receive`.
        """
        self._behind = False
        there = {one.key for one in connections(self._namespace)}
        return set(known) - there

    def close(self) -> None:
        """Stop listening."""
        self._link.close()


def connections(namespace: str | None = None) -> list[Connection]:
    """Give all connections that the kernel has.

    Raises:
        KernelError: the kernel does not answer, or we may not ask.
    """
    with _open(namespace) as link:
        for attempt in range(_ATTEMPTS):
            found, whole = _dump(link)
            if whole or attempt == _ATTEMPTS - 1:
                return found
    return []


def _dump(link: socket.socket) -> tuple[list[Connection], bool]:
    """Ask for all connections; tells whether the table held still meanwhile."""
    link.settimeout(_TIMEOUT)
    link.send(ct.dump_request())
    found: list[Connection] = []
    whole = True
    while True:
        for kind, flags, body in ct.messages(_receive(link)):
            whole = whole and not flags & ct.INTERRUPTED
            if kind == ct.DONE:
                return found, whole
            if kind == ct.ERROR:
                _check(body)
            one = ct.read(body) if kind == ct.NEW else None
            if one is not None:
                found.append(one)


def moving(zone: int, addresses: Collection[bytes], most: int, namespace: str | None = None) -> list[Entry]:
    """Give the connections of ``zone`` with one of ``addresses`` at an end, to go to another host.

    At most ``most``; those that were answered come first, since they cannot be taken up so well without.
    Those that both ends have closed stay: nothing of them comes any more.

    Raises:
        KernelError: the kernel does not answer, or we may not ask.
    """
    wanted = frozenset(addresses)
    found: list[Entry] = []
    with _open(namespace) as link:
        link.settimeout(_TIMEOUT)
        link.send(ct.dump_request())
        for body in _dumped(link):
            read = ctmove.read(body)
            if (
                read is not None
                and read[0] == zone
                and not read[1].over
                and not wanted.isdisjoint((read[1].source, read[1].destination))
            ):
                found.append(read[1])
    found.sort(key=lambda one: not one.answered)
    return found[:most]


def _dumped(link: socket.socket) -> Iterator[bytes]:
    while True:
        for kind, _, body in ct.messages(_receive(link)):
            if kind == ct.DONE:
                return
            if kind == ct.ERROR:
                _check(body)
            elif kind == ct.NEW:
                yield body


def insert(entries: Collection[Entry], zone: int, namespace: str | None = None) -> Inserted:
    """Have the kernel know connections of another host, in ``zone``; none of them has a mark.

    Those that are there already stay as they are. One that the kernel refuses leaves the others alone.

    Raises:
        KernelError: we may not, or the kernel does not answer.
    """
    done = Inserted()
    with _open(namespace) as link:
        link.settimeout(_TIMEOUT)
        for one in entries:
            request = ctmove.create_request(one, zone)
            number = _tried(link, request) if request is not None else errno.EOPNOTSUPP
            if number in {errno.EPERM, errno.EACCES}:
                raise KernelError(f"connections of the kernel: {os.strerror(number)}")
            done.made += number == 0
            done.known += number == errno.EEXIST
            done.refused += number not in {0, errno.EEXIST}
    return done


def _tried(link: socket.socket, request: bytes) -> int:
    """Send a request and give the error number that the kernel answers."""
    link.send(request)
    for kind, _, body in ct.messages(_receive(link)):
        if kind == ct.ERROR:
            return -int(struct.unpack_from("=i", body)[0])
    return errno.EPROTO


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(_ROOM)
    except TimeoutError:
        raise KernelError(f"the kernel did not answer within {_TIMEOUT} s about its connections") from None


def _check(body: bytes) -> int:
    """Give the error number of an answer, 0 for none and for a connection that is not there."""
    number = -int(struct.unpack_from("=i", body)[0])
    if number not in {0, errno.ENOENT}:
        raise KernelError(f"connections of the kernel: {os.strerror(number)}")
    return number


def forget(gone: Collection[Connection], namespace: str | None = None) -> int:
    """Have the kernel forget connections; give how many of them were still there.

    Raises:
        KernelError: we may not.
    """
    count = 0
    with _open(namespace) as link:
        link.settimeout(_TIMEOUT)
        for one in gone:
            link.send(ct.delete_request(one))
            for kind, _, body in ct.messages(_receive(link)):
                if kind == ct.ERROR:
                    count += _check(body) == 0
    return count
