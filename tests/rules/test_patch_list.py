"""The list of virtual patches says what the rules say, and is complete enough to act on."""

from __future__ import annotations

import re

import pytest
from rule_traffic import ROOT, load

from appliance.cli.main import main
from appliance.rulelang.patches import document, patches, product

METADATA = {
    "cve": r"CVE-\d{4}-\d{4,}",
    "cwe": r"CWE-\d+",
    "cvss": r"(?:10\.0|\d\.\d)",
    "affected": r"cpe:2\.3:[aoh](?::[a-z0-9._\\!-]+){2}",
    "fixed_in": r".+",
    "technique": r"T\d{4}(?:\.\d{3})?",
}


@pytest.fixture(scope="module")
def rules():
    return [one.rule for one in load("virtual-patch-*.rules").rules.ruleset.signatures]


def test_metadata_of_every_patch_is_whole(rules):
    for rule in rules:
        found = dict(rule.metadata)
        assert {"cvss", "affected", "fixed_in", "technique"} <= found.keys(), rule.sid
        assert ("cve" in found) != ("cwe" in found), rule.sid
        for key, value in rule.metadata:
            assert re.fullmatch(METADATA[key], value), (rule.sid, key, value)


def test_references_agree_with_metadata(rules):
    for rule in rules:
        said = {value for key, value in rule.metadata if key in {"cve", "cwe"}}
        assert {f"{kind.upper()}-{value}" for kind, value in rule.references} == said, rule.sid


def test_patches_drop_and_are_described(rules):
    for rule in rules:
        assert rule.noalert or (rule.action == "drop" and rule.msg.startswith("EASTWALL ")), rule.sid
        assert rule.classtype, rule.sid
        assert 9_000_000 <= rule.sid < 9_010_000


def test_more_than_sixty_five_vulnerabilities(rules):
    assert len(patches(rules)) >= 65


def test_page_is_in_step(rules):
    assert (ROOT / "docs/virtual-patching.md").read_text() == document(patches(rules))


def test_command_lists_patches(capsys):
    assert main(["rules", "patches", str(ROOT / "rules/virtual-patch-java.rules")]) == 0
    assert "10.0  CVE-2021-44228, CVE-2021-45046  apache log4j, fixed in 2.17.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("affected", "name"),
    [
        ("cpe:2.3:a:apache:log4j", "apache log4j"),
        ("cpe:2.3:a:drupal:drupal", "drupal"),
        ("cpe:2.3:a:joomla:joomla\\!", "joomla joomla!"),
        ("cpe:2.3:o:microsoft:windows:*:*", "microsoft windows"),
        ("something", "something"),
    ],
)
def test_product_of_a_cpe_name(affected, name):
    assert product(affected) == name
