"""Bundles on a host that follows: put in force whole, refused whole, never an older one."""

from __future__ import annotations

import asyncio

import pytest

from appliance.daemon.live.bundled import followed, read_current
from appliance.daemon.live.document import ApplianceDocument
from appliance.daemon.live.following import Follower
from appliance.handoff.bundle import Bundle, describe

PARTS = {
    "policies": ["policies/0"],
    "rules": ["rules/0/a.rules"],
    "inventory": "inventory/vms.yaml",
    "settings": "",
}


def bundle(text=b"x"):
    files = {"policies/0/p.yaml": text, "rules/0/a.rules": b"", "inventory/vms.yaml": b""}
    return Bundle(files, PARTS).pack()


class Host:
    """What is wrong can be chosen; what happens is noted."""

    def __init__(self, state):
        self.state, self.notes, self.wrong, self.refuses, self.reloads = state, [], [], [], 0
        self.follower = Follower(state, self.check, self.reload, self.note)

    async def check(self, folder):
        assert (folder / "files" / "policies/0/p.yaml").exists()
        return [f"{folder}/files/policies/0/p.yaml:1: {one}" for one in self.wrong]

    async def reload(self):
        self.reloads += 1
        return self.refuses

    def note(self, name, **details):
        self.notes.append((name, details))

    def document(self):
        found = {
            "bridges": [{"name": "br0"}],
            "policies": ["own"],
            "state": str(self.state),
            "settings": "own.yaml",
        }
        found["cluster"] = {"name": "one", "servers": ["nats://a"], "follow": True}
        return followed(ApplianceDocument.model_validate(found))

    def give(self, number, data):
        async def run():
            task = asyncio.ensure_future(self.follower.run())
            self.follower.offer(describe(data, number, "one", 1), data)
            before = len(self.notes)
            for _ in range(500):
                await asyncio.sleep(0.01)
                if len(self.notes) > before:
                    break
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(run())
        return self.notes[-1]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def folders(host):
    return sorted(one.name.split("-")[0] for one in (host.state / "bundles").iterdir() if one.is_dir())


def test_without_one_the_host_has_its_own_documents(host):
    assert host.document().policies == ("own",)


def test_it_is_put_in_force_and_the_earlier_one_goes(host):
    for number in (1, 4):
        name, details = host.give(number, bundle(b"%d" % number))
        assert (name, details["number"]) == ("bundle.in_force", number)
    assert folders(host) == ["4"]
    document = host.document()
    assert document.policies[0].endswith("files/policies/0")
    assert document.rules[0].endswith("files/rules/0/a.rules")
    assert document.settings == ""
    assert Host(host.state).follower.current.number == 4, "it is in force after a restart too"


@pytest.mark.parametrize("where", ["wrong", "refuses"])
def test_a_broken_one_is_refused_whole_with_its_errors(host, where):
    host.give(1, bundle())
    setattr(host, where, ["default: no such policy"])
    name, details = host.give(2, bundle(b"broken"))
    assert name == "bundle.refused"
    assert "no such policy" in details["errors"][0]
    assert str(host.state) not in details["errors"][0]
    assert read_current(host.state).number == 1
    assert folders(host) == ["1"]
    assert "files/policies/0" in host.document().policies[0]
    assert not host.follower.wanted(describe(bundle(b"broken"), 2, "one", 1)), "nor is it looked at again"
    setattr(host, where, [])
    assert host.give(3, bundle(b"better"))[0] == "bundle.in_force"


def test_an_older_one_is_never_applied(host):
    host.give(5, bundle())
    for number in (4, 5):
        assert not host.follower.wanted(describe(bundle(b"old"), number, "one", 1))
    host.follower.offer(describe(bundle(b"old"), 4, "one", 1), bundle(b"old"))
    assert host.follower.current.number == 5
    assert ("bundle.old", {"number": 4, "in_force": 5}) in host.notes
    assert host.reloads == 1


def test_a_damaged_one_changes_nothing(host):
    data = bundle()
    host.follower.offer(describe(data, 1, "one", 1), data)
    host.follower._offered = (describe(data, 1, "one", 1), data[:-1])

    async def run():
        task = asyncio.ensure_future(host.follower.run())
        while not host.notes:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert host.notes[0][0] == "bundle.refused"
    assert host.reloads == 0
    assert read_current(host.state).number == 0


def test_a_note_of_what_is_in_force_that_makes_no_sense_counts_for_nothing(host):
    host.give(1, bundle())
    (host.state / "bundles" / "current.json").write_text("[")
    assert host.document().policies == ("own",)
    assert Host(host.state).follower.current.number == 0
