"""Syslog receivers in threads, and certificates for them."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# RFC 5424 section 6: one message, taken apart.
MESSAGE = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) "
    rb'(?P<id>[!-~]{1,32}) (?P<data>-|(?:\[[!-~]+?(?: [!-~]+?="(?:[^"\\\]]|\\.)*")*\])+)(?: (?P<body>.*))?',
    re.DOTALL,
)


def take_apart(message):
    match = MESSAGE.fullmatch(message)
    assert match, message
    return match.groupdict()


def wait_for(condition, within=15.0):
    """Wait until something is true; its value."""
    deadline = time.monotonic() + within
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


class StreamReceiver:
    """Accepts connections one at a time and takes octet-counted messages off them."""

    def __init__(self, port=0, context=None, reading=True, limit=None):
        self.messages = []
        self.errors = []
        self.connections = 0
        self.peers = []
        self.reading = threading.Event()
        if reading:
            self.reading.set()
        self.limit = limit  # connections are reset after so many messages
        self._context = context
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", port))
        if not reading:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._listener.getsockname()[1]
        self._listener.settimeout(0.05)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stopping = True
        self.reading.set()
        self._thread.join(10)
        self._listener.close()

    def _run(self):
        while not self._stopping:
            try:
                plain, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                plain.settimeout(5)
                with plain, self._secure(plain) as sock:
                    sock.settimeout(0.05)
                    self.connections += 1
                    self._serve(sock)
            except OSError as error:
                self.errors.append(error)

    def _secure(self, plain):
        if self._context is None:
            return contextlib.nullcontext(plain)
        secure = self._context.wrap_socket(plain, server_side=True)
        self.peers.append((secure.getpeercert(), secure.version()))
        return secure

    def _serve(self, sock):
        data = b""
        while not self._stopping:
            if not self.reading.wait(0.05):
                continue
            try:
                more = sock.recv(1 << 16)
            except TimeoutError:
                continue
            if not more:
                return
            data += more
            while (end := data.find(b" ")) > 0 and len(data) >= end + 1 + int(data[:end]):
                size = int(data[:end])
                self.messages.append(data[end + 1 : end + 1 + size])
                data = data[end + 1 + size :]
                if self.limit is not None and len(self.messages) >= self.limit:
                    self.limit = None
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return


class DatagramReceiver:
    """Takes datagrams of UDP, or of a Unix socket at ``path``."""

    def __init__(self, path=None, port=0):
        self.messages = []
        self._stopping = False
        self._sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(path or ("127.0.0.1", port))
        self.port = 0 if path else self._sock.getsockname()[1]
        self._sock.settimeout(0.05)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._thread.join(10)
        self._sock.close()

    def _run(self):
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                self.messages.append(self._sock.recv(1 << 16))


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder, name="ca"):
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        self._write(self.path, made.sign(self._key, hashes.SHA256()))

    def issue(self, name):
        """Give the names of files with a certificate for ``name`` and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            general = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            general = x509.DNSName(name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(subject, key).add_extension(
            x509.SubjectAlternativeName([general]), critical=False
        )
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        self._write(paths[0], made.sign(self._key, hashes.SHA256()))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def server(self, name, clients=False):
        """Give the settings of a server called ``name``; with ``clients`` it asks for their certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(name))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path)
        return context

    def _builder(self, subject, key):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    @staticmethod
    def _write(path, certificate):
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
