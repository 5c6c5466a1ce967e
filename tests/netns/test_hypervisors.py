"""The inventory comes from hypervisors at run time: who is new is protected, others notice nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import yaml

from appliance.daemon.live.client import ClientError
from tests.netns.lab import Guest, Lab
from tests.netns.running import Running, Talk, listen, say, uuid_of
from tests.netns.test_enforced import ALLOWED

pytestmark = pytest.mark.netns

OTHER = 81
BASE = {"infrastructure": [{"name": "arp", "action": "allow", "frame": "arp"}]}


def policy(name: str, *ports: int) -> dict[str, Any]:
    """A policy that lets all out, and these TCP ports in."""
    rules: list[dict[str, Any]] = [{"name": "out", "action": "allow", "direction": "out"}]
    if ports:
        way = {"direction": "in", "protocol": "tcp", "destination_port": list(ports)}
        rules.append({"name": "in", "action": "allow"} | way)
    firewall = BASE | {"application": rules}
    return {"name": name, "default_action": "deny", "firewall": firewall}


POLICIES = {
    "policies": [policy("standard"), policy("web", ALLOWED), policy("other", OTHER), policy("quarantine")],
    "bindings": [{"policy": "web", "tag": "web"}, {"policy": "other", "tag": "other"}],
    "default": "standard",
}


class Told(Running):
    """An appliance whose inventory is a provider's file."""

    def __init__(self, lab: Lab, folder: Any, tags: dict[str, list[str]], **more: Any) -> None:
        """Give guests tags by their names; a guest that has none is not in the file."""
        self.tags = tags
        providers = [{"type": "static", "file": "vms.yaml"}]
        super().__init__(lab, folder, [POLICIES], hypervisors=providers, inventory="", **more)

    def write_inventory(self, **changes: dict[str, Any]) -> None:
        """Write the file as its owner would, who wants no half of it to be read."""
        guests = self.lab.guests.values()
        vms = [self.machine(guest) for guest in guests if guest.name in self.tags]
        beside = self.folder / "vms.new"
        beside.write_text(yaml.safe_dump({"vms": vms}))
        beside.replace(self.folder / "vms.yaml")

    def machine(self, guest: Guest) -> dict[str, Any]:
        interface = {"name": "eth0", "mac": guest.mac}
        tags = self.tags[guest.name]
        return {"uuid": uuid_of(guest.name), "name": guest.name, "tags": tags, "interfaces": [interface]}

    def tell(self, **tags: list[str]) -> None:
        """Change the file."""
        self.tags |= tags
        self.write_inventory()

    def policy_of(self, name: str) -> str:
        """Name the policy of a guest, "" while it is under none."""
        try:
            found = self.status()["interfaces"]
        except ClientError:
            return ""
        return next((one["policy"] for one in found if one["vm"] == name), "")

    def wait_policy(self, name: str, wanted: str) -> None:
        """Wait until a policy is in force: before that the status only says what is wanted."""
        fields = {"event": "vm.protected", "vm": name, "policy": wanted}
        self.wait_record("eastwall", 60.0, **{f"eastwall__{key}": value for key, value in fields.items()})
        assert self.policy_of(name) == wanted


def tap(lab: Lab, name: str, number: int) -> Guest:
    """Plug in a guest whose device has the MAC that libvirt gives it."""
    guest = lab.vm(name, mac=f"02:00:5e:20:00:{number:02x}", addresses=[f"10.9.0.{number}/24"])
    lab.ip("link", "set", guest.port, "address", "fe" + guest.mac[2:])
    for port in (ALLOWED, OTHER):
        listen(lab, guest, port)
    return guest


@pytest.fixture
def lab():
    with Lab("told") as lab:
        lab.a, lab.b = tap(lab, "a", 1), tap(lab, "b", 2)
        yield lab


def test_who_is_told_later_is_protected_and_others_notice_nothing(lab, tmp_path):
    with Told(lab, tmp_path, {"a": [], "b": ["web"]}) as appliance:
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        with_b = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert with_b.say("hello") == "hello"

        c = tap(lab, "c", 3)
        appliance.wait_for(lambda: c.port in appliance.status()["unbound_ports"], "unknown port")
        assert say(lab, lab.a, "10.9.0.3", ALLOWED) in {"silence", "error 113"}  # it passes nothing

        appliance.tell(c=[])  # no policy names it
        appliance.wait_policy("c", "standard")
        note = appliance.wait_record("eastwall", eastwall__event="vm.protected", eastwall__vm="c")["eastwall"]
        assert (note["policy"], note["binding"], note["port"]) == ("standard", "default", c.port)
        assert say(lab, c, "10.9.0.2", ALLOWED) == "echo"
        assert say(lab, lab.a, "10.9.0.3", ALLOWED) == "silence"

        before = appliance.status()["epoch"]
        d = {"uuid": uuid_of("d"), "name": "d", "interfaces": [{"name": "eth0", "mac": "02:00:5e:20:00:09"}]}
        file = tmp_path / "vms.yaml"
        told = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({"vms": [*told["vms"], d]}))
        appliance.wait_for(lambda: _known(appliance, "d"), "machine d")
        assert appliance.status()["epoch"] == before  # d is nobody's neighbour: all that was said still holds
        assert with_b.say("again") == "again"

        appliance.tell(c=["web"])  # another policy, and d is not in the file any more
        appliance.wait_policy("c", "web")
        assert appliance.status()["epoch"] > before
        assert say(lab, lab.a, "10.9.0.3", ALLOWED) == "echo"
        appliance.wait_for(lambda: not _known(appliance, "d"), "end of machine d")
        assert with_b.say("still") == "still"

        appliance.tell(b=["other"])  # the open connection too is judged by what is in force now
        appliance.wait_policy("b", "other")
        assert with_b.say("closed") == "silence"
        with_b.close()
        _ask_for_machines(lab, appliance)


def _known(appliance: Told, name: str) -> bool:
    return any(one["name"] == name for one in appliance.ask("vm", action="list")["machines"])


def _ask_for_machines(lab: Lab, appliance: Told) -> None:
    """Ask as an operator does."""
    command = (sys.executable, "-m", "appliance.cli", "vm")
    ends = ("--socket", str(appliance.socket))
    listed = lab.run(lab.host, *command, "list", "--here", *ends)
    assert all(f"{name}  {uuid_of(name)}  at " in listed for name in "abc")
    shown = lab.run(lab.host, *command, "show", "c", *ends)
    assert "policy web (tag web)" in shown
    assert "02:00:5e:20:00:03" in shown
    for name, words in (("c", ("appeared", "changed, tags")), ("d", ("appeared", "gone"))):
        history = lab.run(lab.host, *command, "history", name, *ends)
        assert all(word in history for word in words), history
    with pytest.raises(AssertionError, match="nothing is known of"):
        lab.run(lab.host, *command, "history", "nobody", *ends)


def test_a_connection_from_before_a_machine_came_is_judged_for_it(lab, tmp_path):
    """What the kernel has settled was said without the policy of the machine that comes."""
    with Told(lab, tmp_path, {"a": [], "b": ["web"]}) as appliance:
        before = appliance.status()["epoch"]
        tap(lab, "c", 3)
        appliance.tell(c=["web"])
        appliance.wait_policy("c", "web")
        assert appliance.status()["epoch"] > before


def test_what_was_told_holds_while_nobody_tells(lab, tmp_path):
    appliance = Told(lab, tmp_path, {"a": [], "b": ["web"]})
    with appliance:
        provider = _provider(appliance)
        assert (provider["connected"], provider["machines"]) == (True, 2)
        kept = tmp_path / "state" / "inventory.json"
        appliance.wait_for(lambda: kept.exists() and uuid_of("b") in kept.read_text(), "kept inventory")
        (tmp_path / "vms.yaml").write_text("vms: [{uuid: nonsense}]")
        appliance.wait_record("eastwall", eastwall__event="provider.lost")
        assert "vms.yaml:1" in _provider(appliance)["why"]
        os.kill(_provider(appliance)["pid"], signal.SIGSTOP)  # and it hangs
        appliance.kill()  # and the supervisor dies
        appliance.spawn()
        appliance.wait_for(lambda: appliance.placed() == 2, "protection", 120.0)
        assert appliance.policy_of("b") == "web"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        assert say(lab, lab.a, "10.9.0.2", OTHER) == "silence"
        appliance.tell(b=["other"])
        appliance.wait_policy("b", "other")
        assert say(lab, lab.a, "10.9.0.2", OTHER) == "echo"


def _provider(appliance: Told) -> dict[str, Any]:
    (provider,) = appliance.status()["inventory"]["providers"]
    found: dict[str, Any] = provider
    return found


def test_a_worker_that_starts_knows_what_was_told(lab, tmp_path):
    with Told(lab, tmp_path, {"a": [], "b": ["web"]}) as appliance:
        c = tap(lab, "c", 3)
        appliance.tell(c=["other"])
        appliance.wait_policy("c", "other")
        (pid,) = appliance.workers()
        os.kill(pid, signal.SIGKILL)
        appliance.wait_for(lambda: appliance.workers()[0] not in {pid, 0} and appliance.ready(), "worker")
        assert say(lab, lab.a, "10.9.0.3", OTHER) == "echo"
        assert say(lab, c, "10.9.0.2", ALLOWED) == "echo"
        appliance.ask("reload")
        assert say(lab, lab.a, "10.9.0.3", OTHER) == "echo"
        assert say(lab, lab.a, "10.9.0.3", ALLOWED) == "silence"


def test_the_inventory_file_outweighs_providers(lab, tmp_path):
    appliance = Told(lab, tmp_path, {"a": [], "b": []})
    overlay = tmp_path / "overlay.yaml"

    def write(tag: str) -> None:
        own = {"uuid": uuid_of("b"), "name": "b", "tags": [tag]}
        overlay.write_text(yaml.safe_dump({"vms": [own]}))

    write("web")
    appliance.config.write_text(yaml.safe_dump(appliance.document | {"inventory": "overlay.yaml"}))
    with appliance:
        appliance.wait_policy("b", "web")
        write("other")
        appliance.ask("reload")
        assert appliance.policy_of("b") == "other"
        assert say(lab, lab.a, "10.9.0.2", OTHER) == "echo"
        overlay.write_text("vms: 5")
        with pytest.raises(ClientError, match="overlay"):
            appliance.ask("reload")
        assert appliance.policy_of("b") == "other"


def test_a_wrong_provider_is_said_before_anything_starts(lab, tmp_path):
    appliance = Told(lab, tmp_path, {"a": []})
    providers = [{"type": "libvirt", "url": "qemu:///system"}]
    appliance.config.write_text(yaml.safe_dump(appliance.document | {"hypervisors": providers}))
    command = (sys.executable, "-m", "appliance.cli", "run", "-c", str(appliance.config))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode
    assert "hypervisors.0.url: unknown key (did you mean 'uri'?)" in done.stderr
