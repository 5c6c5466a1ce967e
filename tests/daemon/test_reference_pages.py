"""Pages made from the code say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config.load import LoadOptions
from appliance.daemon.assemble import Inputs, read_documents
from appliance.daemon.reference import protocols_page, rules_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("name", "page"), [("rules", rules_page), ("protocols", protocols_page)])
def test_the_page_is_in_step(name, page):
    written = (DOCS / f"{name}.md").read_text()
    assert written == page(), f"run: python -m appliance.daemon.reference {name} > docs/{name}.md"


@pytest.mark.parametrize(
    ("keyword", "option"),
    [
        ("msg", 'msg:"x"'),
        ("content", 'content:"x"'),
        ("http.method", 'http.method; content:"x"'),
        ("uricontent", 'uricontent:"x"'),
        ("http_uri", 'content:"x"; http_uri'),
        ("tls.cert_subject", 'tls.cert_subject; content:"x"'),
        ("mqtt.qos", "mqtt.qos:1"),
        ("template.buffer", 'template.buffer; content:"x"'),
        ("igmp.code", "igmp.code:1"),
    ],
)
def test_carried_out_means_that_such_a_rule_loads(keyword, option, tmp_path):
    row = next(line for line in rules_page().splitlines() if line.startswith(f"| `{keyword}` |"))
    text = option if keyword == "msg" else f'msg:"m"; {option}'
    (tmp_path / "x.rules").write_text(f"alert ip any any -> any any ({text}; sid:1;)\n")
    loaded = read_documents(Inputs(LoadOptions(), rules=(tmp_path / "x.rules",))).rules.loaded
    assert row.endswith("| yes |" if loaded else "| no |")
