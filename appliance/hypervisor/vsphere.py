"""The provider ``vsphere``: machines of a vCenter or ESXi host, followed by their properties.

``runtime.host`` is what counts; events are hints, which may come early, late, or not at all.
"""

from __future__ import annotations

import http.client
import ssl
import sys
import time
from typing import Any

from appliance.hypervisor.emitter import Emitter
from appliance.hypervisor.options import Credentials, ProviderError, become, credentials
from appliance.hypervisor.site import PATHS, Site, ident
from appliance.hypervisor.vevents import EVENTS, hints
from appliance.hypervisor.vtags import TagReader

try:
    from pyVim.connect import Disconnect, SmartConnect
    from pyVmomi import vim, vmodl
except ImportError:
    vim: Any = None  # type: ignore[no-redef]
    vmodl: Any = None  # type: ignore[no-redef]

_WAIT = 2  # seconds for which the server may hold a question that nothing has happened to answer
_RETRY = 3.0
_TIMEOUT = 60  # seconds for a connection; one that hangs is ended by who watches this process
_FIRST = (
    120.0  # seconds for which a server may take to say everything: that of thousands of machines takes long
)
_FIELDS = "CustomFieldsManager"
_PAGE = 100  # latest events: all of them come with each new one, and more are not needed as hints


class Followed:
    """One session: everything is said once it is complete, then what changes."""

    def __init__(self, content: Any, site: Site, emitter: Emitter) -> None:
        """Ask for properties of everything that matters."""
        self._site, self._emitter = site, emitter
        self._version = ""
        self.complete = False  # everything was said once
        self._seen: set[int] | None = None
        self._collector = content.propertyCollector.CreatePropertyCollector()
        kinds = [kind for kind in PATHS if kind != _FIELDS]
        types = [getattr(vim, kind) for kind in kinds if kind not in _DERIVED]
        view = content.viewManager.CreateContainerView(content.rootFolder, types, recursive=True)
        self._watch(view, kinds, into="view")
        if content.customFieldsManager is not None:
            self._watch(content.customFieldsManager, [_FIELDS])
        self._watch_events(content.eventManager)

    def _watch(self, start: Any, kinds: list[str], into: str = "") -> None:
        collector = vmodl.query.PropertyCollector
        selected = [collector.TraversalSpec(type=type(start), path=into, skip=False)] if into else []
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=start, skip=bool(into), selectSet=selected)],
            propSet=[collector.PropertySpec(type=_class(kind), pathSet=list(PATHS[kind])) for kind in kinds],
        )
        self._collector.CreateFilter(spec, False)  # whole values, not pieces of them

    def _watch_events(self, manager: Any) -> None:
        if manager is None:
            return
        history = manager.CreateCollectorForEvents(vim.event.EventFilterSpec(eventTypeId=list(EVENTS)))
        history.SetCollectorPageSize(_PAGE)
        collector = vmodl.query.PropertyCollector
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=history)],
            propSet=[collector.PropertySpec(type=type(history), pathSet=["latestPage"])],
        )
        self._collector.CreateFilter(spec, False)

    def step(self) -> None:
        """Wait for what has changed, and say it."""
        options = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=_WAIT)
        found = self._collector.WaitForUpdatesEx(self._version, options)
        dirty: set[str] = set()
        if found is not None:
            self._version = found.version
            for update in (one for many in found.filterSet or () for one in many.objectSet or ()):
                dirty |= self._take(update)
        if not self.complete:
            if found is None or not found.truncated:
                self.complete = True
                self._emitter.sync(self._site.machines())
        else:
            self.tell(dirty)
        self._emitter.beat()

    def tell(self, uuids: set[str]) -> None:
        """Say what has become of machines."""
        for uuid in sorted(uuids):
            machine = self._site.machine(uuid)
            if machine is None:
                self._emitter.gone(uuid)
            else:
                self._emitter.machine(machine)

    def _take(self, update: Any) -> set[str]:
        kind, key = _kind(update.obj), ident(update.obj)
        if update.kind == "leave":
            return self._site.remove(kind, key)
        changes = [(change.name, change.val) for change in update.changeSet or ()]
        if kind == "EventHistoryCollector":
            self._take_events(
                [event for name, value in changes if name == "latestPage" for event in value or ()]
            )
            return set()
        return self._site.update(kind, key, changes) if kind in PATHS else set()

    def _take_events(self, page: list[Any]) -> None:
        """Pass on what is new on the page; what was there at the beginning is of before."""
        if self._seen is not None and self.complete:
            for event in sorted(page, key=lambda one: one.key):
                if event.key not in self._seen:
                    for kind, uuid, host, source in hints(event, self._site):
                        self._emitter.hint(kind, uuid, host, source, self._site.is_here(host))
        self._seen = {event.key for event in page}


_DERIVED = frozenset(("DistributedVirtualPortgroup",))  # among the objects of the class that it extends


def _class(kind: str) -> Any:
    return vim.dvs.DistributedVirtualPortgroup if kind in _DERIVED else getattr(vim, kind)


def _kind(reference: Any) -> str:
    """Name the kind of an object: that of the class it extends where that is what matters."""
    name = type(reference).__name__.rpartition(".")[2]
    return {
        "ClusterComputeResource": "ComputeResource",
        "StoragePod": "Folder",
        "OpaqueNetwork": "Network",
    }.get(name, name)


def run(options: dict[str, Any], emitter: Emitter) -> None:
    """Tell of machines for ever, connecting anew and saying everything anew whenever the session is lost.

    Raises:
        ProviderError: pyvmomi is not installed, or there are no credentials.
    """
    if vim is None:
        raise ProviderError("pyvmomi is not installed: `pip install 'eastwall[vsphere]'`")
    login = credentials(options)
    context = _trust(options.get("ca", ""))
    become(options.get("user", ""))
    while True:
        try:
            _follow(options, login, context, emitter)
        except ssl.SSLCertVerificationError as error:
            emitter.trouble(
                f"{options['server']}: its certificate is not to be trusted: {error.verify_message}"
            )
        except vim.fault.InvalidLogin:
            emitter.trouble(f"{options['server']}: the user name or password is wrong")
        except (OSError, vmodl.MethodFault, http.client.HTTPException, ValueError) as error:
            emitter.trouble(f"{options['server']}: {_words(error)}")
        time.sleep(_RETRY)


def _words(error: BaseException) -> str:
    """Say what went wrong without what was sent."""
    said = getattr(error, "strerror", None) or getattr(error, "msg", None) or ""
    return f"{type(error).__name__.rpartition('.')[2]} {said}".strip()[:300]


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        message = f"{ca}: no certificates can be read: {error.strerror or error}"
        raise ProviderError(message) from None


def _follow(options: dict[str, Any], login: Credentials, context: ssl.SSLContext, emitter: Emitter) -> None:
    """Tell of machines until the session ends with an error."""
    service = SmartConnect(
        host=options["server"], port=options["port"], user=login.username, pwd=login.password,
        sslContext=context, httpConnectionTimeout=_TIMEOUT,
    )  # fmt: skip
    try:
        site = Site(options.get("host", ""))
        tags = TagReader(options["server"], options["port"], login, context)
        with emitter.patient(_FIRST):
            site.tags = tags.read()
            followed = Followed(service.RetrieveContent(), site, emitter)
            while not followed.complete:
                followed.step()
        while True:
            followed.step()
            if tags.due(time.monotonic()):
                _renew_tags(tags, site, followed)
    finally:
        try:
            Disconnect(service)
        except Exception as error:
            print(f"eastwall: vsphere: {_words(error)}", file=sys.stderr, flush=True)


def _renew_tags(tags: TagReader, site: Site, followed: Followed) -> None:
    before, site.tags = site.tags, tags.read()
    keys = {key for key in before.keys() | site.tags.keys() if before.get(key) != site.tags.get(key)}
    followed.tell({uuid for uuid in map(site.uuid_of, keys) if uuid})
