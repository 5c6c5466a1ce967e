"""What rules need is computed, and only that."""

from __future__ import annotations

import pytest

from appliance.config.settings import AppSettings, EveOutput, Settings
from appliance.detect.compiler import compile_rules
from appliance.engine.wanted import records_frames, wanted_protocols, with_frames, with_needs
from appliance.protocols import registry
from appliance.protocols.smtp.options import smtp_options
from appliance.rulelang.context import RuleContext
from appliance.rulelang.parse import parse_file

CARRIERS_OF_TLS = ("ftp", "ldap", "mysql", "pgsql", "pop3", "smtp")


def test_needs_of_rules_are_added_to_the_settings():
    settings = AppSettings(protocols={"smtp": {"mime": {"decode-base64": False}}, "dns": {"x": 1}})
    plain = with_needs(settings, frozenset())
    assert (plain.force_hashes, plain.force_magic) == (frozenset(), False)
    assert not smtp_options(plain.options("smtp")).mime.body_md5
    found = with_needs(settings, frozenset(("sha1", "magic", "body-md5")))
    assert (found.force_hashes, found.force_magic) == (frozenset(("sha1",)), True)
    mime = smtp_options(found.options("smtp")).mime
    assert (mime.body_md5, mime.base64) == (True, False)
    assert found.options("dns") == {"x": 1}
    assert settings.protocols["smtp"] == {"mime": {"decode-base64": False}}


def test_frames_are_looked_for_where_rules_or_a_record_want_them():
    settings = with_needs(AppSettings(), frozenset(("frame:pdu", "sha1")))
    assert settings.frames == {"pdu"}
    plain, recorded = EveOutput(types=frozenset(("alert",))), EveOutput(types=frozenset(("frame",)))
    assert with_frames(settings, (plain,)).frames == {"pdu"}
    assert not records_frames((plain,))
    assert records_frames((plain, recorded))
    assert with_frames(settings, (plain, recorded)).frames >= {"pdu", "stream", "request", "smb1.data"}


def wanted(rules: str, settings: Settings = Settings(eve=())) -> frozenset[str] | None:  # noqa: B008
    parsed = parse_file(rules, "x.rules", RuleContext())
    ruleset, errors = compile_rules(
        parsed.rules, settings.detect, registry.buffers(), registry.values(), resolve=registry.resolve
    )
    assert not parsed.errors
    assert not errors
    return wanted_protocols(settings, ruleset, None)


@pytest.mark.parametrize(
    ("rule", "protocols"),
    [
        ('alert tcp any any -> any any (content:"x"; sid:1;)', set()),
        ("alert ssh any any -> any any (sid:1;)", set()),
        ('alert dns any any -> any any (dns.query; content:"x"; sid:1;)', {"dns", "doh2", "http2", "http"}),
        ('alert tls any any -> any any (tls.sni; content:"x"; sid:1;)', {"tls", *CARRIERS_OF_TLS}),
        ("alert ssh any any -> any any (app-layer-event:ssh.long_banner; sid:1;)", {"ssh"}),
        ('alert tcp any any -> any any (ssh.proto; content:"1"; sid:1;)', {"ssh"}),
    ],
)
def test_only_what_rules_look_into_is_parsed(rule, protocols):
    assert wanted(rule) == protocols


def test_an_output_wants_all_protocols():
    rule = 'alert tcp any any -> any any (content:"x"; sid:1;)'
    assert wanted(rule, Settings(eve=(EveOutput(types=frozenset(("alert",))),))) is None
