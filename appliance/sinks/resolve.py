"""Addresses of a host, looked up beside the caller, since a name server may take its time."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

_MAX_ADDRESSES = 16
Address = tuple[int, Any]  # family, socket address as the socket module has it


class Lookup:
    """One look-up. An address given as such needs none."""

    def __init__(self, host: str, port: int, kind: int) -> None:
        """Begin to look up ``host`` for sockets of ``kind`` (``SOCK_STREAM``, ``SOCK_DGRAM``)."""
        self._found: list[Address] | None = None
        self._error: OSError | None = None
        if _is_address(host):
            self._look(host, port, kind)
        else:
            threading.Thread(target=self._look, args=(host, port, kind), daemon=True).start()

    def result(self) -> list[Address] | None:
        """Give the addresses, None while they are not known yet.

        Raises:
            OSError: the host has no address.
        """
        if self._error is not None:
            raise self._error
        return self._found

    def _look(self, host: str, port: int, kind: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=kind)
            self._found = [(int(family), address) for family, _, _, _, address in found[:_MAX_ADDRESSES]]
        except (OSError, UnicodeError) as error:
            self._error = error if isinstance(error, OSError) else OSError(f"{host} is no name of a host")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
