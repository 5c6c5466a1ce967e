"""The shipped templates load, and let through what they say and no more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from policy_helpers import World, inventory, policy_set

from appliance.policy.load import load_files, load_policies

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "policies"
NAMES = {
    "base",
    "linux-server",
    "windows-server",
    "dhcp-server",
    "domain-controller",
    "web",
    "database",
    "mail",
    "file-server",
    "desktop",
    "quarantine",
}


@pytest.fixture(scope="module")
def templates():
    whole, errors = load_policies(FOLDER)
    assert not errors, [str(e) for e in errors]
    return whole


def world(templates, policy):
    templates.default = policy
    return World(templates, inventory(("vm", ["10.0.0.1", "fd00::1"], (), "lan")))


def test_all_templates_are_there(templates):
    assert set(templates.policies) == NAMES
    assert all(policy.description for policy in templates.policies.values())


def test_only_a_dhcp_server_may_answer_requests(templates):
    allowed = {name for name in NAMES if world(templates, name).bound.policies[0].guard.dhcp_server}
    assert allowed == {"dhcp-server"}


def test_example_bindings_load():
    files = [*sorted(FOLDER.glob("*.yaml")), FOLDER / "bindings.yaml.example"]
    whole, errors = load_files(files)
    assert not errors, [str(e) for e in errors]
    assert whole.bindings
    assert whole.default == "linux-server"


OUTSIDE, INSIDE, VM = "198.51.100.7", "10.0.0.9", "10.0.0.1"
ALLOWED = [
    ("linux-server", INSIDE, VM, 6, 22),
    ("windows-server", INSIDE, VM, 6, 3389),
    ("dhcp-server", INSIDE, VM, 17, 67),
    ("domain-controller", INSIDE, VM, 6, 88),
    ("domain-controller", INSIDE, VM, 17, 88),
    ("domain-controller", INSIDE, VM, 6, 389),
    ("domain-controller", INSIDE, VM, 6, 636),
    ("domain-controller", INSIDE, VM, 17, 53),
    ("domain-controller", INSIDE, VM, 6, 445),
    ("domain-controller", INSIDE, VM, 6, 49200),
    ("domain-controller", "fd00::9", "fd00::1", 6, 88),
    ("web", OUTSIDE, VM, 6, 443),
    ("web", OUTSIDE, VM, 17, 443),
    ("web", INSIDE, VM, 6, 22),
    ("database", INSIDE, VM, 6, 5432),
    ("mail", OUTSIDE, VM, 6, 25),
    ("mail", VM, OUTSIDE, 6, 25),
    ("file-server", INSIDE, VM, 6, 445),
    ("desktop", VM, OUTSIDE, 6, 443),
    ("desktop", VM, INSIDE, 6, 445),
    ("quarantine", INSIDE, VM, 6, 22),
    ("base", VM, OUTSIDE, 17, 53),
    ("base", VM, OUTSIDE, 17, 123),
]
DENIED = [
    ("linux-server", OUTSIDE, VM, 6, 22),
    ("linux-server", VM, OUTSIDE, 6, 6667),
    ("windows-server", OUTSIDE, VM, 6, 3389),
    ("windows-server", INSIDE, VM, 17, 137),
    ("domain-controller", OUTSIDE, VM, 6, 88),
    ("web", OUTSIDE, VM, 6, 22),
    ("web", OUTSIDE, VM, 6, 3306),
    ("database", OUTSIDE, VM, 6, 5432),
    ("mail", OUTSIDE, VM, 6, 4190),
    ("file-server", OUTSIDE, VM, 6, 445),
    ("desktop", INSIDE, VM, 6, 445),
    ("desktop", VM, OUTSIDE, 6, 445),
    ("quarantine", VM, OUTSIDE, 6, 443),
    ("quarantine", VM, INSIDE, 17, 53),
    ("quarantine", OUTSIDE, VM, 6, 22),
    ("quarantine", INSIDE, VM, 6, 445),
    ("base", OUTSIDE, VM, 6, 80),
]


@pytest.mark.parametrize(("policy", "src", "dst", "proto", "dport"), ALLOWED)
def test_allows(templates, policy, src, dst, proto, dport):
    assert world(templates, policy).verdict(src, dst, proto=proto, dport=dport) == "ACCEPT"


@pytest.mark.parametrize(("policy", "src", "dst", "proto", "dport"), DENIED)
def test_denies(templates, policy, src, dst, proto, dport):
    assert world(templates, policy).verdict(src, dst, proto=proto, dport=dport) == "DROP"


@pytest.mark.parametrize("policy", sorted(NAMES))
def test_network_basics_always_work(templates, policy):
    one = world(templates, policy)
    me = one.inv.interfaces[0]
    assert one.verdict(src_if=me) == "ACCEPT"  # ARP
    nobody = {"proto": 17, "sport": 68, "dport": 67, "src_if": me}
    assert one.verdict("0.0.0.0", "255.255.255.255", **nobody) == "ACCEPT"  # noqa: S104
    assert one.verdict("10.0.0.254", VM, proto=17, sport=67, dport=68) == "ACCEPT"
    assert one.verdict("fd00::1", "ff02::1", proto=58, icmp_type=135, icmp_code=0) == "ACCEPT"


def test_desktop_is_told_that_it_may_not_mail(templates):
    assert world(templates, "desktop").verdict(VM, OUTSIDE, dport=25) == "REJECT"


def test_ping_is_denied_in_quarantine_only(templates):
    ping = {"proto": 1, "icmp_type": 8, "icmp_code": 0}
    assert world(templates, "base").verdict(INSIDE, VM, **ping) == "ACCEPT"
    assert world(templates, "quarantine").verdict(INSIDE, VM, **ping) == "DROP"


def test_documentation_example_loads():
    text = (ROOT / "docs" / "policy.md").read_text()
    blocks = [part.split("```")[0] for part in text.split("```yaml\n")[1:]]
    assert len(blocks) >= 2
    whole, errors = policy_set(blocks[0])
    assert not errors, [str(e) for e in errors]
    assert "shop-web" in whole.policies
