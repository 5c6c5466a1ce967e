"""The page on settings names every setting, and its example is right."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from appliance.config import schema, settings
from appliance.config.load import LoadOptions, load_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs/settings.md").read_text()
CLASSES = [one for one in vars(settings).values() if dataclasses.is_dataclass(one)]


@pytest.mark.parametrize("settings_class", CLASSES, ids=lambda one: one.__name__)
def test_every_setting_is_on_the_page(settings_class):
    names = {field.name.replace("_", "-") for field in dataclasses.fields(settings_class)}
    hidden = {name.replace("_", "-") for name in schema._NOT_WRITTEN}
    assert {name for name in names - hidden if f"`{name}`" not in PAGE} == set()


def test_the_example_is_right(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "settings.yaml").write_text(example)
    read, errors = load_settings(LoadOptions(settings_file=str(tmp_path / "settings.yaml")))
    assert errors == []
    assert (read.mode, read.decode.vxlan_ports) == ("prevent", (4789, 8472))
