"""Wrong input of every kind: one line that says what and where, exit status 2, never a traceback."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path

import pytest

from appliance.cli.main import main

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
EVERYDAY = PCAPS / "everyday.pcap"
BINARY = bytes(range(0x80, 0x100)) * 4


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> tuple[int, list[str]]:
        status = main([str(word) for word in words])
        return status, capsys.readouterr().err.splitlines()

    return command


@pytest.fixture(autouse=True)
def files(tmp_path):
    (tmp_path / "folder").mkdir()
    contents = {
        "binary": BINARY,
        "tabs": b"policies:\n\t- name: a\n",
        "twice": b"policies: []\npolicies: []\n",
        "types": b"policies:\n  - name: 5\n    stateful: {connections: 9999999999}\n    fail: [1]\n",
        "deep": b"[" * 100_000,
        "alias": b"a: &a [*a]\n",
        "foreign": b"stream: [1, 2]\nvars: x\noutputs: 7\ndefrag: {memcap: lots}\n",
        "text.pcap": b"this is no capture\n",
        "empty.pcap": b"",
        "cut.pcap.gz": gzip.compress(EVERYDAY.read_bytes())[:300],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)


@pytest.mark.parametrize(
    "option", ["--policy", "--inventory", "--settings", "--suricata-config", "--include"]
)
@pytest.mark.parametrize("name", ["missing", "folder", "binary", "tabs", "deep"])
def test_documents_that_cannot_be_read(option, name, run):
    status, lines = run("replay", EVERYDAY, "-q", option, name)
    assert status == 2
    assert [line.startswith(f"eastwall: {name}:") for line in lines] == [True]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("twice", ["twice:2: policies:"]),
        ("alias", ["alias:1:"]),
        ("types", ["types:2: policies.0.name:", "types:3: policies.0.stateful", "types:4: policies.0.fail:"]),
    ],
)
def test_policies_that_are_wrong(name, places, run):
    status, lines = run("check", "--policy", name)
    assert status == 2
    assert [line.startswith(f"eastwall: {place}") for line, place in zip(lines, places, strict=True)]


def test_a_foreign_configuration_of_wrong_types(run):
    status, lines = run("check", "--suricata-config", "foreign")
    assert (status, len(lines)) == (2, 1)
    assert "defrag.memcap" in lines[0]


def test_a_byte_order_mark_is_no_error(run, tmp_path):
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfpolicies: []\n")
    assert run("check", "--policy", "bom.yaml") == (0, [])


@pytest.mark.parametrize(
    "options",
    [
        ["--rules", "missing"],
        ["--rules", "folder"],
        ["--set", "no-equals-sign"],
        ["--set", "flow.max-flows=many"],
        ["--set", "flow.max-flows=-1"],
        ["--set", "flow.max-flows=99999999999999999999"],
        ["--set", "detect.threshold-file=missing"],
        ["--set", "detect.geoip-database=missing"],
        ["--set", "detect.geoip-database=binary"],
        ["--set", "detect.reputation-categories=missing"],
        ["--bpf", "porrt 80"],
        ["--eve", "folder"],
        ["--eve", "binary/eve.json"],
        ["--eve", "/proc/none/eve.json"],
        ["--eve", "/dev/full"],
    ],
)
def test_options_that_cannot_be_met(options, run):
    status, lines = run("replay", EVERYDAY, "-q", "--no-cache", *options)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("eastwall: ")


def test_a_set_of_a_name_that_nobody_knows_is_reported(run):
    status, lines = run("check", "--set", "nonsense.key=1")
    assert status == 0
    assert [line for line in lines if "nonsense.key" in line]


@pytest.mark.parametrize(
    ("name", "status"), [("text.pcap", 2), ("empty.pcap", 2), ("cut.pcap.gz", 0), ("folder", 2), ("gone", 2)]
)
def test_captures_that_are_none(name, status, run):
    found, lines = run("replay", name, "-q")
    assert found == status
    assert lines[0].startswith(f"eastwall: {name}")


def test_the_others_are_read_all_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["replay", "text.pcap", str(EVERYDAY), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["packets"] > 0


def test_rules_that_are_no_text_are_refused_one_by_one(run, capsys):
    assert run("rules", "check", "binary", "--no-cache")[0] == 2


@pytest.mark.parametrize("option", ["--cache-dir", "--data-dir"])
def test_a_file_in_place_of_a_folder_costs_the_cache_only(option, run):
    assert run("replay", EVERYDAY, "-q", option, "binary")[0] == 0


@pytest.mark.parametrize("packet", ["", "tcp", r"tcp 1.1.1.1:1 -> 2.2.2.2:2 payload '\xzz'", "tcp 'a"])
def test_descriptions_that_cannot_be_read(packet, run):
    status, lines = run("explain", packet)
    assert (status, len(lines)) == (2, 1)


@pytest.mark.parametrize("moment", ["-5", "99999999999999999999", "noon"])
def test_a_moment_that_is_none(moment, capsys):
    with pytest.raises(SystemExit) as error:
        main(["explain", "tcp 1.1.1.1:1 -> 2.2.2.2:2", f"--at={moment}"])
    assert error.value.code == 2
    assert "--at" in capsys.readouterr().err


def test_a_file_without_permission(run, tmp_path, monkeypatch):
    path = tmp_path / "secret.yaml"
    path.write_text("policies: []\n")
    path.chmod(0)
    if not path.stat().st_mode & stat.S_IRUSR:
        real = Path.open

        def refusing(self, *words, **options):
            if self.name == path.name:
                raise PermissionError(13, "Permission denied", str(self))
            return real(self, *words, **options)

        monkeypatch.setattr(Path, "open", refusing)  # root may read everything
    status, lines = run("check", "--policy", path.name)
    assert status == 2
    assert "Permission denied" in lines[0]
