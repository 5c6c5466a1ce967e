"""TLS over bytes that somebody else carries: who sends them knows how many belong to which message."""

from __future__ import annotations

import ssl
from typing import NoReturn

_CHUNK = 1 << 16


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Make the settings of a client (RFC 5425): TLS 1.2 or newer, the server's name and certificate verified.

    ``ca``, ``certificate`` and ``key`` are names of PEM files; without ``ca`` the system's authorities count.

    Raises:
        OSError: a file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if ca:
        context.load_verify_locations(ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certificate:
        context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _no_password() -> NoReturn:
    raise OSError("the key is encrypted; nobody is there to type its password")


class TlsChannel:
    """One TLS connection in memory."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        """Begin a connection to a server that must be called ``server_name`` (a host name or an address)."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done. Take :meth:`output` after each call.

        Raises:
            ssl.SSLError: the server is not who it should be, or does not speak TLS.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def output(self) -> bytes:
        """Give the bytes that are to be sent now."""
        return self._outgoing.read()

    def encode(self, data: bytes) -> bytes:
        """Encrypt."""
        self._tls.write(data)
        return self._outgoing.read()

    def receive(self, data: bytes) -> bool:
        """Take bytes from the server; False when it has ended the connection.

        What it says is thrown away: a syslog receiver has nothing to say (RFC 5425 section 4.4).
        """
        self._incoming.write(data)
        try:
            while self._tls.read(_CHUNK):
                pass
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLZeroReturnError:
            return False
        return False

    def feed(self, data: bytes) -> None:
        """Take bytes of the handshake."""
        self._incoming.write(data)

    def farewell(self) -> bytes:
        """Give the bytes that say the connection ends (``close_notify``)."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            return self._outgoing.read()
        return self._outgoing.read()
