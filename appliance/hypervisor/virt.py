"""The provider ``libvirt``: domains of a libvirt daemon and what happens to them."""

from __future__ import annotations

import sys
import time
from typing import Any

from appliance.hypervisor.domains import DomainError, parse_domain
from appliance.hypervisor.emitter import BEAT, Emitter
from appliance.hypervisor.options import ProviderError, become
from appliance.inventory.events import EventKind
from appliance.inventory.machines import Machine, Power

try:
    import libvirt
except ImportError:
    libvirt = None

_RESYNC = 60.0  # seconds between looks at everything, whatever events say
_RETRY = 3.0
_KEEPALIVE = (5, 3)  # seconds between questions, and how many go unanswered


class Domains:
    """One connection. Events only say which domain to look at; what is so is asked for."""

    def __init__(self, connection: Any, emitter: Emitter) -> None:
        """Subscribe to events, then say all domains."""
        self.closed = ""
        self._connection = connection
        self._emitter = emitter
        self._host = connection.getHostname()
        self._dirty: set[str] = set()
        self._moving: set[str] = set()
        self._subscribe()
        emitter.sync(self._all())

    def _subscribe(self) -> None:
        """Ask for all that this driver can tell; the one for tests knows little."""
        connection = self._connection
        for call in (
            lambda: connection.setKeepAlive(*_KEEPALIVE),
            lambda: connection.registerCloseCallback(self._on_close, None),
        ):
            _if_supported(call)
        events = {
            libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE: self._on_lifecycle,
            libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED: self._on_change,
            libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED: self._on_change,
            libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE: self._on_change,
            libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION: self._on_iteration,
        }
        for ident, callback in events.items():
            _if_supported(
                lambda ident=ident, callback=callback: connection.domainEventRegisterAny(
                    None, ident, callback, None
                )
            )

    def _on_close(self, connection: Any, reason: int, opaque: Any) -> None:
        del connection, opaque
        self.closed = f"the connection was closed ({reason})"

    def _on_change(self, connection: Any, domain: Any, *more: Any) -> None:
        del connection, more
        self._dirty.add(domain.UUIDString())

    def _on_iteration(self, connection: Any, domain: Any, *more: Any) -> None:
        """Memory is being copied to another host."""
        del connection, more
        uuid = domain.UUIDString()
        if uuid not in self._moving:
            self._moving.add(uuid)
            self._emitter.hint(EventKind.MOVING, uuid, source=self._host, here=False)

    def _on_lifecycle(self, connection: Any, domain: Any, event: int, detail: int, opaque: Any) -> None:
        del connection, opaque
        uuid = domain.UUIDString()
        self._dirty.add(uuid)
        hint = _hint_of(event, detail)
        if hint is None:
            return
        kind, here = hint
        ends = {"host": self._host} if here else {"source": self._host}
        self._emitter.hint(kind, uuid, here=here, **ends)
        if kind is EventKind.MOVED:
            self._moving.discard(uuid)

    def step(self) -> None:
        """Look at the domains that events have named."""
        dirty, self._dirty = self._dirty, set()
        for uuid in dirty:
            self._look(uuid)

    def _look(self, uuid: str) -> None:
        try:
            machine = self._read(self._connection.lookupByUUIDString(uuid))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            self._emitter.gone(uuid)
            return
        if machine is not None:
            self._emitter.machine(machine)

    def all_again(self) -> None:
        """Look at all domains, should an event have been lost."""
        self._emitter.all(self._all())

    def _all(self) -> list[Machine]:
        found = []
        for domain in self._connection.listAllDomains():
            try:
                machine = self._read(domain)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                continue  # gone meanwhile
            if machine is not None:
                found.append(machine)
        return found

    def _read(self, domain: Any) -> Machine | None:
        """Read one domain. One that makes no sense stays as it was, and the service log says so."""
        try:
            return parse_domain(domain.XMLDesc(), _power(domain.state()[0]), self._host)
        except DomainError as error:
            print(f"eastwall: libvirt: {domain.UUIDString()}: {error}", file=sys.stderr, flush=True)
            return self._emitter.known.get(domain.UUIDString())


def _power(state: int) -> Power:
    if state in {libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED}:
        return Power.SUSPENDED
    off = {libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED}
    return Power.OFF if state in off else Power.ON


def _hint_of(event: int, detail: int) -> tuple[EventKind, bool] | None:
    """Say what an event tells of a move, and whether the machine is here by then."""
    hints = {
        (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED): (
            EventKind.MOVING,
            True,
        ),
        (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED): (
            EventKind.FROZEN,
            True,
        ),
        (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_MIGRATED): (
            EventKind.MOVED,
            True,
        ),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED): (
            EventKind.MOVED,
            False,
        ),
    }
    return hints.get((event, detail))


def _if_supported(call: Any) -> None:
    try:
        call()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in {libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_INVALID_ARG}:
            raise


def run(options: dict[str, Any], emitter: Emitter) -> None:
    """Tell of domains for ever, connecting anew whenever the connection is lost.

    Raises:
        ProviderError: libvirt's module for Python is not installed.
    """
    if libvirt is None:
        raise ProviderError("libvirt-python is not installed: `pip install 'eastwall[libvirt]'`")
    become(options.get("user", ""))
    libvirt.registerErrorHandler(lambda *_: None, None)  # errors are raised too
    libvirt.virEventRegisterDefaultImpl()
    libvirt.virEventAddTimeout(200, lambda *_: None, None)  # ends each wait
    while True:
        try:
            _follow(options["uri"], emitter)
        except libvirt.libvirtError as error:
            emitter.trouble(f"{options['uri']}: {error.get_error_message()}")
        until = time.monotonic() + _RETRY
        while time.monotonic() < until:
            libvirt.virEventRunDefaultImpl()


def _follow(uri: str, emitter: Emitter) -> None:
    """Tell of domains until the connection is lost."""
    connection = libvirt.openReadOnly(uri)
    try:
        domains = Domains(connection, emitter)
        beat = again = time.monotonic()
        while not domains.closed and connection.isAlive():
            libvirt.virEventRunDefaultImpl()
            domains.step()
            now = time.monotonic()
            if now - again > _RESYNC:
                again = now
                domains.all_again()
            if now - beat > BEAT:
                beat = now
                emitter.beat()
        emitter.trouble(f"{uri}: {domains.closed or 'the connection is dead'}")
    finally:
        connection.close()
