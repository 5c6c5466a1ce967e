"""Metrics over HTTP, for Prometheus to fetch."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from typing_extensions import override

from appliance.sinks.documents import MetricsDocument, Network
from appliance.sinks.metrics.collector import MetricsCollector

_PATIENCE = 10  # seconds for a client to send its request and to take the answer


class _Handler(WSGIRequestHandler):
    """Handles a request without a word about it."""

    timeout = _PATIENCE

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    @override
    def address_string(self) -> str:
        """Give the client's address; nobody is asked for its name."""
        return str(self.client_address[0])


class _Server(ThreadingWSGIServer):
    """Serves a bounded number of requests at once, of clients in some networks only."""

    networks: Sequence[Network] = ()
    slots = threading.BoundedSemaphore(1)

    @override
    def server_bind(self) -> None:
        """Bind without asking a name server what our name is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    @override
    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Tell whether this client may ask; others are hung up on."""
        if not self.networks:
            return True
        address = ip_address(str(client_address[0]).partition("%")[0])
        return any(address in network for network in self.networks)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, unless as many as may be are at it already."""
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.slots.release()
            raise

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


class MetricsServer:
    """Serves what is published, in threads of its own."""

    def __init__(self, document: MetricsDocument) -> None:
        """Listen where the document says.

        Raises:
            OSError: the address cannot be had.
        """
        self.collector = MetricsCollector(document.interfaces)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.collector)
        kind = type("Server", (_Server,), {"address_family": _family(document)})
        self._server: _Server = kind((str(document.address), document.port), _Handler)
        self._server.networks = document.allow
        self._server.slots = threading.BoundedSemaphore(document.requests)
        self._server.set_app(make_wsgi_app(registry))
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def publish(self, snapshot: Mapping[str, Any], now: int) -> None:
        """Have these counters served from now on; see :meth:`MetricsCollector.publish`."""
        self.collector.publish(snapshot, now)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _family(document: MetricsDocument) -> socket.AddressFamily:
    return socket.AF_INET6 if document.address.version == 6 else socket.AF_INET
