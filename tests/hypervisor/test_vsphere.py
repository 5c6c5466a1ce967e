"""The vSphere provider against govmomi's simulator."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from appliance.inventory.events import EventKind
from appliance.inventory.machines import Power
from tests.hypervisor.listening import listening
from tests.hypervisor.vcenter import Vcenter, Way, vcenter

ONE, TWO = "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"
HOSTS = ("DC0_C0_H0", "DC0_C0_H1")


@pytest.fixture
def server(vcsim: Path, tmp_path: Path) -> Iterator[Vcenter]:
    with vcenter(vcsim, tmp_path) as found:
        yield found


@pytest.fixture
def way(server: Vcenter) -> Iterator[Way]:
    found = Way(server.port)
    yield found
    found.close()


def other(host: str) -> str:
    return HOSTS[host == HOSTS[0]]


def test_machines_are_told_with_all_that_policies_name(server: Vcenter) -> None:
    async def scenario() -> None:
        async with listening(server.options(host=HOSTS[0])) as heard:
            await heard.connected()
            assert set(heard.view) == set(server.machines())
            machine, real = heard.view[ONE], server.machines()[ONE]
            assert machine.uuid == server.value(real, "config.instanceUuid")
            devices = server.value(real, "config.hardware.device")
            macs = [bytes.fromhex(d.macAddress.replace(":", "")) for d in devices if hasattr(d, "macAddress")]
            assert [nic.mac for nic in machine.nics] == macs
            assert machine.nics[0].network == "DC0_DVPG0"
            assert machine.power is Power.ON
            assert (machine.host, machine.here) == (server.host_of(real), server.host_of(real) == HOSTS[0])
            assert "cluster:DC0_C0" in (machine.tags or ())

    asyncio.run(scenario())


def test_what_happens_is_told(server: Vcenter) -> None:
    async def scenario() -> None:
        async with listening(server.options(host=HOSTS[0])) as heard:
            await heard.connected()
            real = server.machines()[ONE]
            target = other(server.host_of(real))
            server.relocate(real, target)
            await heard.until(lambda: heard.view[ONE].host == target, "move")
            assert heard.view[ONE].here == (target == HOSTS[0])
            server.wait(real.PowerOff())
            await heard.until(lambda: heard.view[ONE].power is Power.OFF, "power off")
            await heard.until(lambda: changed_mac(server, real, heard.view[ONE].nics[0].mac), "new MAC")
            await heard.until(lambda: heard.view[ONE].nics[0].mac == NEW_MAC, "new MAC")
            uuid = heard.view[ONE].uuid
            server.wait(real.Destroy())
            await heard.until(lambda: uuid in heard.gone, "end of the machine")

    asyncio.run(scenario())


NEW_MAC = bytes.fromhex("005056a1b2c3")


def changed_mac(server: Vcenter, machine: Any, before: bytes) -> bool:
    devices = server.value(machine, "config.hardware.device")
    card = next(one for one in devices if isinstance(one, vim.vm.device.VirtualEthernetCard))
    card.macAddress, card.addressType = NEW_MAC.hex(":"), "manual"
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)
    server.wait(machine.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    return before != NEW_MAC


def test_a_clone_is_a_machine_of_its_own(server: Vcenter) -> None:
    async def scenario() -> None:
        async with listening(server.options()) as heard:
            await heard.connected()
            real = server.machines()[ONE]
            place = vim.vm.RelocateSpec(pool=server.value(real, "resourcePool"))
            spec = vim.vm.CloneSpec(location=place, template=False, powerOn=True)
            server.wait(real.CloneVM_Task(folder=server.value(real, "parent"), name="clone", spec=spec))
            await heard.until(lambda: "clone" in heard.view, "clone")
            assert heard.view["clone"].uuid != heard.view[ONE].uuid
            assert heard.view["clone"].here is None  # nobody has said which host this is

    asyncio.run(scenario())


def test_folders_and_attributes_are_tags(server: Vcenter) -> None:
    async def scenario() -> None:
        real = server.machines()[ONE]
        top = server.value(real, "parent")
        folder = top.CreateFolder("payment")
        manager = server.content.customFieldsManager
        field = manager.AddCustomFieldDef("owner", vim.VirtualMachine)
        server.wait(folder.MoveIntoFolder_Task([real]))
        manager.SetField(real, field.key, "finance")  # the simulator tells nobody of such a change
        async with listening(server.options()) as heard:
            await heard.connected()
            assert "owner=finance" in heard.view[ONE].tags
            assert "folder:payment" in heard.view[ONE].tags
            assert "owner=finance" not in heard.view[TWO].tags

    asyncio.run(scenario())


class Rest:
    """The interface by which tags are made."""

    def __init__(self, server: Vcenter) -> None:
        context = ssl.create_default_context(cafile=str(server.ca))
        self._connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
        basic = {"Authorization": "Basic " + base64.b64encode(b"user:pass").decode()}
        self._headers = {"vmware-api-session-id": self.post("session", None, basic)}

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        sent = {"Content-Type": "application/json"} | (self._headers if headers is None else headers)
        self._connection.request("POST", f"/rest/com/vmware/cis/{path}", json.dumps(body), sent)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return json.loads(data)["value"] if data else None


def test_tags_are_told_and_followed(server: Vcenter) -> None:
    async def scenario() -> None:
        with contextlib.closing(Rest(server)) as rest:
            await tagged(rest)

    async def tagged(rest: Rest) -> None:
        kind = {"name": "zone", "description": "", "cardinality": "MULTIPLE", "associable_types": []}
        category = rest.post("tagging/category", {"create_spec": kind})
        spec = {"name": "dmz", "description": "", "category_id": category}
        tag = rest.post("tagging/tag", {"create_spec": spec})

        def attach(name: str) -> None:
            about = {"id": server.machines()[name]._moId, "type": "VirtualMachine"}
            rest.post(f"tagging/tag-association/id:{tag}?~action=attach", {"object_id": about})

        attach(ONE)
        async with listening(server.options()) as heard:
            await heard.connected()
            assert "zone:dmz" in heard.view[ONE].tags
            assert "zone:dmz" not in heard.view[TWO].tags
            attach(TWO)
            await heard.until(lambda: "zone:dmz" in heard.view[TWO].tags, "tag")

    asyncio.run(scenario())


def test_events_are_hints(server: Vcenter) -> None:
    async def scenario() -> None:
        async with listening(server.options(host=HOSTS[0])) as heard:
            await heard.connected()
            real = server.machines()[ONE]
            host = server.objects(vim.HostSystem)[HOSTS[1]]
            event = vim.event.DrsVmMigratedEvent(
                vm=vim.event.VmEventArgument(vm=real, name=ONE),
                host=vim.event.HostEventArgument(host=host, name=HOSTS[1]),
                sourceHost=vim.event.HostEventArgument(host=host, name=HOSTS[0]),
                key=0, chainId=0, userName="", createdTime=server.session.CurrentTime(),
            )  # fmt: skip
            before = heard.view[ONE].host
            server.content.eventManager.PostEvent(event)
            (hint,) = await heard.until(lambda: heard.hints, "hint")
            assert (hint.kind, hint.name, hint.host, hint.here) == (EventKind.MOVED, ONE, HOSTS[1], False)
            assert heard.view[ONE].host == before  # the truth is what the machine says

    asyncio.run(scenario())


def test_what_happened_while_nobody_listened_is_told_afterwards(server: Vcenter, way: Way) -> None:
    async def scenario() -> None:
        async with listening(server.options(way.port)) as heard:
            await heard.connected()
            way.cut()
            await heard.until(lambda: not heard.provider.connected, "loss")
            assert ONE in heard.view
            real = server.machines()[ONE]
            target = other(server.host_of(real))
            server.relocate(real, target)
            way.serve()
            await heard.until(lambda: heard.view[ONE].host == target, "move")
            assert heard.provider.tally.lost == 1
            assert heard.gone == []

    asyncio.run(scenario())


def test_a_server_that_hangs_stops_nobody(server: Vcenter, way: Way) -> None:
    async def scenario() -> None:
        async with listening(server.options(way.port), silence=4.0) as heard:
            await heard.connected()
            way.hang()
            await heard.until(lambda: "hangs" in heard.provider.why, "notice of the hang")
            assert ONE in heard.view
            assert not heard.provider.connected
            way.serve()
            await heard.connected()
            assert heard.provider.tally.hangs == 1

    asyncio.run(scenario())


def test_a_server_that_has_forgotten_machines_takes_no_policy_away(
    server: Vcenter, way: Way, vcsim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.hypervisor.intake.GRACE", 3.0)
    (tmp_path / "two").mkdir()

    async def scenario(replacement: Vcenter) -> None:
        # the new server has another certificate; a process that starts trusts that one
        async with listening(server.options(way.port)) as heard:
            await heard.connected()
            uuid = heard.view[TWO].uuid
            server.ca.write_text(replacement.ca.read_text())
            way.cut()
            await heard.until(lambda: not heard.provider.connected, "loss")
            way.serve(replacement.port)
            heard.provider._process.kill()  # type: ignore[union-attr] - it has read the old certificate
            await heard.connected()
            assert TWO in heard.view
            assert uuid not in heard.gone
            await heard.until(lambda: uuid in heard.gone, "end of the machine")

    with vcenter(vcsim, tmp_path / "two", machines=1) as replacement:
        asyncio.run(scenario(replacement))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ca": ""}, "certificate is not to be trusted"),
        ({"ca": "/nonexistent.pem"}, "no certificates can be read"),
        ({"credentials": ""}, "no credentials"),
        ({"credentials": "/nonexistent.yaml"}, "No such file"),
        ({"port": 1}, "refused"),
    ],
)
def test_what_keeps_it_from_connecting_is_said(server: Vcenter, wrong: dict[str, Any], says: str) -> None:
    async def scenario() -> None:
        async with listening(server.options() | wrong) as heard:
            await heard.until(lambda: says in heard.provider.why, says)
            assert heard.view == {}

    asyncio.run(scenario())


def test_credentials_that_others_can_read_are_refused(server: Vcenter) -> None:
    server.credentials.chmod(0o640)

    async def scenario() -> None:
        async with listening(server.options()) as heard:
            await heard.until(lambda: "chmod 600" in heard.provider.why, "refusal")

    asyncio.run(scenario())


def test_credentials_may_come_from_the_environment(server: Vcenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASTWALL_VSPHERE_USERNAME", "user")
    monkeypatch.setenv("EASTWALL_VSPHERE_PASSWORD", "pass")

    async def scenario() -> None:
        async with listening(server.options(credentials="")) as heard:
            await heard.connected()

    asyncio.run(scenario())
