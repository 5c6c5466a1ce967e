"""The commands as a user meets them: output, exit status, and what they say when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
DEMO = [
    *("--policy", str(ROOT / "policies"), "--policy", str(PCAPS / "demo/bindings.yaml")),
    *("--inventory", str(PCAPS / "demo/vms.yaml")),
]
REQUEST = "GET / HTTP/1.1\\r\\nCookie: () { :; }; x\\r\\n\\r\\n"
SHELLSHOCK = f"tcp vm:desktop-7:40000 -> vm:web-1:80 established payload '{REQUEST}'"
RULES = ["--rules", str(ROOT / "rules"), "--no-cache"]


def run(capsys, *argv: str) -> tuple[int, str, str]:
    status = main([str(word) for word in argv])
    out, err = capsys.readouterr()
    return status, out, err


def test_replay_writes_eve_with_the_interfaces_and_policies(tmp_path, capsys):
    eve = tmp_path / "sub/eve.json"
    status, out, _ = run(
        capsys, "replay", PCAPS / "conficker.pcap", *DEMO, *RULES, "--mode", "prevent", "--eve", eve
    )
    assert status == 3
    assert "MS08-067" in out
    records = [json.loads(line) for line in eve.read_text().splitlines()]
    alert = next(record for record in records if record["event_type"] == "alert")
    assert alert["alert"]["signature_id"] == 9000002
    assert alert["alert"]["action"] == "blocked"
    assert alert["alert"]["metadata"]["cve"] == ["CVE-2008-4250"]
    assert alert["vm"]["src"]["name"] == "desktop-7"
    assert alert["vm"]["dest"]["policy"] == "file-server"
    assert {"flow", "stats", "alert"} <= {record["event_type"] for record in records}


@pytest.mark.parametrize(
    ("capture", "options", "status"),
    [
        ("everyday", DEMO, 0),
        ("traversal", ["--exit-code"], 1),
        ("traversal", [], 0),
        ("shellshock", ["--mode", "prevent", "--exit-code"], 3),
        ("shellshock", ["--simulate-ips", "--exit-code"], 3),
        ("shellshock", [*DEMO, "--mode", "detect"], 1),
    ],
)
def test_exit_status_tells_findings(capture, options, status, capsys):
    assert run(capsys, "replay", PCAPS / f"{capture}.pcap", *RULES, *options, "--quiet")[0] == status


def test_several_captures_and_a_filter(capsys):
    _, out, _ = run(
        capsys, "replay", PCAPS / "everyday.pcap", PCAPS / "shellshock.pcap", "--bpf", "udp", "--json"
    )
    assert json.loads(out)["packets"] == 2


def test_the_same_capture_gives_the_same_records_each_time(tmp_path, capsys):
    texts = []
    for name in ("a", "b"):
        run(capsys, "replay", PCAPS / "split-exploit.pcap", *RULES, "--eve", tmp_path / name, "--quiet")
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]


def test_a_truncated_capture_counts_up_to_the_damage(tmp_path, capsys):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((PCAPS / "shellshock.pcap").read_bytes()[:-20])
    status, out, err = run(capsys, "replay", cut, *RULES, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["packets"] == 10
    assert found["capture_problems"][0]["offset"] > 0
    assert f"{cut}: at byte " in err


@pytest.mark.parametrize(
    "options", [["no-such-file.pcap"], [str(PCAPS / "everyday.pcap"), "--bpf", "porrt 80"]]
)
def test_a_capture_that_cannot_be_read_is_an_error(options, capsys):
    status, _, err = run(capsys, "replay", *options)
    assert status == 2
    assert err.startswith("eastwall: ")


def test_check_prints_every_error_with_its_place(tmp_path, capsys):
    policy, vms, rules = tmp_path / "p.yaml", tmp_path / "v.yaml", tmp_path / "x.rules"
    policy.write_text(
        "policies:\n  - name: a\n    inherits: [b]\n    firewall:\n      application:\n"
        "        - {name: x, action: alow}\n        - {name: y, action: deny, protocl: tcp}\n"
    )
    vms.write_text("vms:\n  - {name: one, uuid: nonsense, interfaces: []}\n")
    rules.write_text('alert tcp any any -> any any (msg:"x"; contend:"a"; sid:1;)\nalert tcp (sid:2;)\n')
    status, _, err = run(capsys, "check", "--policy", policy, "--inventory", vms, "--rules", rules)
    assert status == 2
    for place in (f"{policy}:6:", f"{policy}:7:", f"{vms}:2:", f"{rules}:1:", f"{rules}:2:"):
        assert place in err, place
    assert "did you mean" in err
    assert "content" in err


def test_check_is_content_with_what_is_shipped(capsys):
    status, out, err = run(capsys, "check", *DEMO, *RULES)
    assert (status, err) == (0, "")
    assert "all is right" in out


def test_a_broken_policy_stops_replay_before_anything_is_written(tmp_path, capsys):
    policy, eve = tmp_path / "p.yaml", tmp_path / "eve.json"
    policy.write_text("policies: [\n")
    status, _, err = run(capsys, "replay", PCAPS / "everyday.pcap", "--policy", policy, "--eve", eve)
    assert status == 2
    assert str(policy) in err
    assert not eve.exists()


def test_a_broken_rule_does_not_stop_the_others(tmp_path, capsys):
    rules = tmp_path / "x.rules"
    rules.write_text(
        'alert tcp any any -> any any (msg:"bad"; nonsense:1; sid:1;)\n'
        'alert http any any -> any any (msg:"good"; http.method; content:"GET"; sid:2;)\n'
    )
    _, out, _ = run(capsys, "replay", PCAPS / "everyday.pcap", "--rules", rules, "--no-cache", "--json")
    found = json.loads(out)
    assert [alert["sid"] for alert in found["alerts"]] == [2]
    assert found["ignored_rules"] == 1
    _, out, err = run(capsys, "replay", PCAPS / "everyday.pcap", "--rules", rules, "--no-cache", "--quiet")
    assert not out
    assert "1 rules were not used" in err


def test_rules_check_counts_by_file(tmp_path, capsys):
    rules = tmp_path / "x.rules"
    rules.write_text('alert tcp any any -> any any (msg:"bad"; nonsense:1; sid:1;)\n')
    status, out, _ = run(capsys, "rules", "check", rules, ROOT / "rules/web.rules", "--json", "--no-cache")
    files = {row["path"]: row for row in json.loads(out)["files"]}
    assert status == 2
    assert files[str(rules)]["refused"][0]["line"] == 1
    assert files[str(rules)]["refused"][0]["sid"] == 1
    assert files[str(ROOT / "rules/web.rules")]["loaded"] > 0


@pytest.mark.parametrize(
    ("packet", "status", "words"),
    [
        ("tcp vm:desktop-7:40000 -> vm:web-1:443 flags S", 0, ("web/application/http", "accept")),
        ("tcp vm:desktop-7:40000 -> vm:db-1:3389 flags S", 3, ("database/default_action", "drop (firewall)")),
        ("udp 10.20.0.17:1 -> vm:db-1:9", 3, ("desktop-7/eth0",)),
        ("icmp vm:desktop-7 -> vm:web-1 type 8", 0, ("accept",)),
        (
            SHELLSHOCK,
            3,
            ("9000021", "drop (rule)"),
        ),
        ("tcp vm:desktop-7:40000 -> vm:web-1:80 from-mac 52:54:00:20:00:20", 3, ("spoofed_ip",)),
    ],
)
def test_explain_names_the_rule_behind_each_decision(packet, status, words, capsys):
    mode = ["--mode", "prevent"]
    found, out, _ = run(capsys, "explain", *DEMO, *RULES, *mode, "--set", "stream.inline=yes", packet)
    assert found == status, out
    for word in words:
        assert word in " ".join(out.split()), out


@pytest.mark.parametrize(
    ("packet", "word"),
    [
        ("tcp 10.0.0.1 10.0.0.2", "->"),
        ("tcp vm:nobody:1 -> 10.0.0.1:2", "nobody"),
        ("foo 10.0.0.1:1 -> 10.0.0.2:2", "foo"),
        ("tcp 10.0.0.1:99999 -> 10.0.0.2:2", "65535"),
        ("tcp 10.0.0.1:1 -> 10.0.0.2:2 flags Z", "Z"),
        ("tcp 10.0.0.1:1 -> [::1]:2", "IPv6"),
        ("tcp 10.0.0.1:1 -> 10.0.0.2:2 colour red", "colour"),
    ],
)
def test_explain_says_what_it_does_not_understand(packet, word, capsys):
    status, _, err = run(capsys, "explain", *DEMO, packet)
    assert status == 2
    assert word in err


def test_explain_takes_an_address_that_is_no_machine_for_no_machine(tmp_path, capsys):
    """Whatever MACs the inventory has: also those that would otherwise stand for strangers."""
    vms = tmp_path / "vms.yaml"
    cards = [{"name": f"eth{n}", "mac": f"02:00:00:00:00:0{n}", "addresses": [f"10.0.0.{n}"]} for n in (1, 2)]
    vms.write_text(json.dumps({"vms": [{"uuid": f"{1:032x}", "name": "web-1", "interfaces": cards}]}))
    only_bindings = ["--policy", str(ROOT / "policies"), "--inventory", str(vms)]
    _, out, err = run(capsys, "explain", *only_bindings, "tcp 10.9.9.9:4000 -> vm:web-1/eth1:443 flags S")
    assert not err
    assert "spoofed" not in out
    assert "not in the inventory" in out, out
    assert "web-1/eth0" not in out, out


def test_rules_check_says_what_costs_most(tmp_path, capsys):
    rules = tmp_path / "x.rules"
    rules.write_text(
        'alert tcp any any -> any any (msg:"long"; content:"abcdef"; sid:1;)\n'
        'alert tcp any any -> any any (msg:"short"; content:"a"; sid:2;)\n'
        'alert tcp any any -> any any (msg:"none"; pcre:"/a+b/"; sid:3;)\n'
    )
    status, out, _ = run(capsys, "rules", "check", rules, "--json", "--no-cache")
    (found,) = json.loads(out)["files"]
    assert status == 0
    assert [(rule["line"], rule["sid"]) for rule in found["costly"]] == [(2, 2), (3, 3)]
    _, out, _ = run(capsys, "rules", "check", rules, "--no-cache")
    assert "costly: line 3, sid 3: no pattern" in out
    assert "sid 1:" not in out
