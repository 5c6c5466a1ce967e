"""What rules need is computed, and only that."""

from __future__ import annotations

from appliance.config.settings import AppSettings, EveOutput
from appliance.engine.wanted import records_frames, with_frames, with_needs
from appliance.protocols.smtp.options import smtp_options


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
