"""The libvirt provider against libvirt's driver for tests, and what domains' descriptions may hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.hypervisor import virt
from appliance.hypervisor.domains import DomainError, parse_domain
from appliance.hypervisor.emitter import Emitter
from appliance.hypervisor.frames import FrameReader
from appliance.hypervisor.intake import Intake, Taken
from appliance.inventory.events import EventKind
from appliance.inventory.machines import Machine, Nic, Power
from tests.hypervisor.listening import listening

URI = "test:///default"
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # of the one domain that the driver has

DOMAIN = """
<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <description>A web server.
tags: public,  prod
</description>
  <metadata>
    <e:tags xmlns:e='urn:eastwall'>pci, web</e:tags>
    <l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>
      <l:os id='http://microsoft.com/win/2k22'/>
    </l:libosinfo>
  </metadata>
  <memory unit='MiB'>64</memory>
  <os><type>hvm</type></os>
  <devices>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet7'/>
      <vlan><tag id='42'/></vlan><alias name='ua-front'/>
    </interface>
    <interface type='network'>
      <mac address='52:54:00:00:00:02'/><source network='lan' portgroup='db'/><alias name='net1'/>
      <vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>
    </interface>
  </devices>
</domain>
"""
NEW = "0b5cd5e0-1f4e-4a5b-9d5e-1c1a3f2f1c11"


def domain(name: str = "web", uuid: str = NEW) -> str:
    return DOMAIN.format(name=name, uuid=uuid)


def test_a_description_says_all_that_policies_name() -> None:
    assert parse_domain(domain(), Power.ON, "one") == Machine(
        NEW,
        "web",
        "windows",
        frozenset({"public", "prod", "pci", "web"}),
        (
            Nic("front", bytes.fromhex("525400000001"), "br0", 42, port="vnet7"),
            Nic("52:54:00:00:00:02", bytes.fromhex("525400000002"), "lan/db", port=""),
        ),
        Power.ON,
        "one",
        True,
    )


def test_interfaces_without_an_address_are_left_out() -> None:
    text = domain().replace("</devices>", "<interface type='hostdev'><source/></interface></devices>")
    assert len(parse_domain(text, Power.ON, "one").nics) == 2


def test_a_domain_that_does_not_run_is_nowhere() -> None:
    machine = parse_domain(domain(), Power.OFF, "one")
    assert (machine.host, machine.here) == (None, None)
    assert [nic.port for nic in machine.nics] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<domain>",
        "<network><uuid>x</uuid></network>",
        "<domain/>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><domain><uuid>&a;</uuid></domain>",
        " " * (5 << 20),
    ],
)
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        parse_domain(text, Power.ON, "one")


@given(st.text(max_size=40), st.integers(0, 2000))
def test_spoilt_descriptions_are_read_or_refused(more: str, at: int) -> None:
    text = domain()
    with contextlib.suppress(DomainError):
        parse_domain(text[:at] + more + text[at:], Power.ON, "one")


class Connected:
    """The provider's connection in this process, where a second one can change the driver's domains."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        self.other = libvirt.open(URI)
        self.connection = libvirt.openReadOnly(URI)
        self.intake = Intake("virt", {})
        self.reader, self.taken = FrameReader(), Taken()
        self.domains = virt.Domains(self.connection, Emitter(self.write))

    @property
    def view(self) -> dict[str, Machine]:
        return self.intake.view

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < end, self.view
            libvirt.virEventRunDefaultImpl()
            self.domains.step()
            self.take()

    def take(self) -> None:
        try:
            data = os.read(self.read, 1 << 16)
        except BlockingIOError:
            return
        for frame in self.reader.feed(data):
            self.intake.take(frame, 0.0, 0, self.taken)

    def close(self) -> None:
        for one in (self.connection, self.other):
            one.close()
        os.close(self.read)
        os.close(self.write)


@pytest.fixture(scope="module")
def loop() -> None:
    """libvirt's own loop of events, of which a process has one."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    libvirt.virEventAddTimeout(50, lambda *_: None, None)


@pytest.fixture
def connected(loop: None) -> Iterator[Connected]:
    found = Connected()
    yield found
    found.close()


def test_domains_are_told_and_followed(connected: Connected) -> None:
    connected.until(lambda: UUID in connected.view)
    assert connected.view[UUID].name == "test"
    assert connected.view[UUID].nics[0].network == "default"
    assert connected.view[UUID].here

    made = connected.other.createXML(domain())
    connected.until(lambda: NEW in connected.view)
    assert connected.view[NEW].tags == {"public", "prod", "pci", "web"}
    made.suspend()
    connected.until(lambda: connected.view[NEW].power is Power.SUSPENDED)
    made.resume()
    connected.until(lambda: connected.view[NEW].power is Power.ON)
    made.destroy()  # of a domain that is not defined nothing stays
    connected.until(lambda: NEW not in connected.view)
    assert connected.taken.changes[NEW] is None


def test_a_domain_that_is_defined_stays_when_it_stops(connected: Connected) -> None:
    made = connected.other.defineXML(domain("db"))
    connected.until(lambda: NEW in connected.view)
    assert (connected.view[NEW].power, connected.view[NEW].here) == (Power.OFF, None)
    made.create()
    connected.until(lambda: connected.view[NEW].power is Power.ON)
    made.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "tags: changed", None, None, 0)
    connected.domains.all_again()  # the driver for tests tells nobody of such a change
    connected.until(lambda: "changed" in (connected.view[NEW].tags or ()))
    made.destroy()
    made.undefine()
    connected.until(lambda: NEW not in connected.view)


@pytest.mark.parametrize(
    ("event", "detail", "kind", "here"),
    [
        ("STARTED", "STARTED_MIGRATED", EventKind.MOVING, True),
        ("SUSPENDED", "SUSPENDED_MIGRATED", EventKind.FROZEN, True),
        ("RESUMED", "RESUMED_MIGRATED", EventKind.MOVED, True),
        ("STOPPED", "STOPPED_MIGRATED", EventKind.MOVED, False),
    ],
)
def test_events_of_a_migration_are_hints(
    connected: Connected, event: str, detail: str, kind: EventKind, here: bool
) -> None:
    codes = [getattr(libvirt, f"VIR_DOMAIN_EVENT_{name}") for name in (event, detail)]
    found = connected.other.lookupByName("test")
    connected.domains._on_lifecycle(connected.connection, found, *codes, None)
    connected.until(lambda: connected.taken.hints)
    (hint,) = connected.taken.hints
    assert (hint.kind, hint.here, hint.name) == (kind, here, "test")
    assert (hint.host if here else hint.source) == connected.connection.getHostname()


def test_the_process_tells_of_domains() -> None:
    async def scenario() -> None:
        async with listening({"type": "libvirt", "uri": URI}) as heard:
            await heard.connected()
            assert set(heard.view) == {"test"}

    asyncio.run(scenario())


def test_what_keeps_it_from_connecting_is_said() -> None:
    async def scenario() -> None:
        options = {"type": "libvirt", "uri": "qemu+unix:///system?socket=/nonexistent"}
        async with listening(options) as heard:
            await heard.until(lambda: "/nonexistent" in heard.provider.why, "complaint")

    asyncio.run(scenario())
