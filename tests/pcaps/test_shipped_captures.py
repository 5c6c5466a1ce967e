"""Each shipped capture gives what stands beside it, and is what its script crafts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from appliance.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
CAPTURES = sorted(PCAPS.glob("*.pcap"))
PROTECTED = [
    *("--policy", str(ROOT / "policies"), "--policy", str(PCAPS / "demo/bindings.yaml")),
    *("--inventory", str(PCAPS / "demo/vms.yaml"), "--mode", "prevent"),
]


def replay(capture: Path, cache: Path, options: list[str], capsys) -> dict:
    rules = ["--rules", str(ROOT / "rules"), "--cache-dir", str(cache)]
    main(["replay", str(capture), "--json", *rules, *options])
    found = json.loads(capsys.readouterr().out)
    alerts = {row["sid"]: {"allowed": row["allowed"], "blocked": row["blocked"]} for row in found["alerts"]}
    verdicts = {name: count for name, count in found["verdicts"].items() if count}
    result = {"alerts": alerts, "flows": found["flows"], "verdicts": verdicts}
    return result | {key: found[key] for key in ("drop_reasons", "notices") if found[key]}


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("kind", "options"), [("rules only", []), ("protected", PROTECTED)])
def test_a_capture_gives_what_stands_beside_it(capture, kind, options, cache, capsys):
    expected = yaml.safe_load(capture.with_suffix(".expect.yaml").read_text())
    assert replay(capture, cache, options, capsys) == expected[kind]


def test_every_scenario_is_shipped_and_is_what_the_script_crafts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(PCAPS), *sys.path])
    import craft

    crafted = craft.craft(tmp_path)
    assert sorted(path.name for path in crafted) == [path.name for path in CAPTURES]
    for path in crafted:
        assert path.read_bytes() == (PCAPS / path.name).read_bytes(), path.name
