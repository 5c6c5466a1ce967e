"""Rule files that a configuration names."""

from __future__ import annotations

import pytest

from appliance.config.load import LoadOptions
from appliance.daemon.assemble import Inputs, read_documents

RULE = 'alert tcp any any -> any any (msg:"{0}"; sid:{0};)\n'


@pytest.fixture
def config(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.rules").write_text(RULE.format(number))
    path = tmp_path / "suricata.yaml"

    def write(*names: str) -> LoadOptions:
        path.write_text(f"default-rule-path: {tmp_path}\nrule-files: [{', '.join(names)}]\n")
        return LoadOptions(suricata_config=str(path))

    return write


@pytest.mark.parametrize(("names", "loaded"), [(["1.rules"], 1), (['"*.rules"'], 2), ([], 0)])
def test_rule_files_of_the_configuration_are_loaded(config, names, loaded):
    found = read_documents(Inputs(config(*names)))
    assert (found.errors, found.rules.loaded) == ([], loaded)


def test_the_command_line_takes_their_place(config, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text(RULE.format(3))
    found = read_documents(Inputs(config("1.rules"), rules=(own,)))
    assert [signature.rule.sid for signature in found.rules.ruleset.signatures] == [3]


@pytest.mark.parametrize("name", ["gone.rules", '"gone*.rules"'])
def test_one_that_is_missing_is_an_error(config, name):
    (error,) = read_documents(Inputs(config(name))).errors
    assert "cannot be read" in error.message
