"""The part ``cluster`` of the appliance file, and the secrets that it names."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from appliance.handoff.credentials import Access, SecretError, read_secret
from appliance.handoff.document import ClusterDocument

MINIMAL = {"name": "one", "servers": ["nats://10.0.0.1:4222"]}


def access(tmp_path, **more):
    return Access(ClusterDocument.model_validate(MINIMAL | more), lambda name: tmp_path / name)


def secret(path, text="hunter2", mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a.b"), ("name", ""), ("name", "x" * 64), ("servers", []), ("servers", ["http://a:1"]),
        ("servers", ["nats://user:secret@a:1"]), ("servers", ["nats://a:99999"]), ("prefix", "a.b"),
        ("prefix", ">"), ("replicas", 2), ("credentials", {}), ("credentials", {"nkey": "a", "creds": "b"}),
        ("credentials", {"user": "a"}), ("tls", {}), ("tls", {"ca": "a", "key": "b"}),
        ("timers", {"left": "1ms"}), ("first_claim", {"pass_after": "2h"}), ("nonsense", 1),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(field, value):
    with pytest.raises(ValidationError):
        ClusterDocument.model_validate(MINIMAL | {field: value})


def test_servers_and_timers_are_read():
    document = ClusterDocument.model_validate(
        MINIMAL | {"servers": ["nats://a", "tls://[fd00::1]:7"], "timers": {"left": "90s"}}
    )
    assert document.servers == ("nats://a:4222", "nats://[fd00::1]:7")
    assert document.timers.times().left == 90.0
    assert document.timers.times().waiting == 2.0
    assert document.first_claim.pass_after is None, "interfaces wait unless somebody says otherwise"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_can_reach_is_refused(tmp_path, mode):
    path = secret(tmp_path / "seed", mode=mode)
    with pytest.raises(SecretError, match="chmod 600") as found:
        read_secret(path)
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize("text", ["", " \n", "x" * 20_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path, text):
    with pytest.raises(SecretError, match="empty or too large"):
        read_secret(secret(tmp_path / "seed", text))


def test_what_is_missing_or_no_file_is_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SecretError):
            read_secret(path)


def test_credentials_are_given_to_the_client(tmp_path):
    secret(tmp_path / "seed", "SUSEED\n")
    assert access(tmp_path, credentials={"nkey": "seed"}).options() == {"nkeys_seed_str": "SUSEED"}
    assert access(tmp_path, credentials={"user": "u", "password": "seed"}).options() == {
        "user": "u",
        "password": "SUSEED",
    }
    assert access(tmp_path, credentials={"creds": "seed"}).options() == {
        "user_credentials": str(tmp_path / "seed")
    }
    assert access(tmp_path).options() == {}


def test_certificates_that_cannot_be_read_are_refused_without_what_is_in_them(tmp_path):
    secret(tmp_path / "ca", "hunter2")
    with pytest.raises(SecretError) as found:
        access(tmp_path, tls={"ca": "ca"}).options()
    assert "hunter2" not in str(found.value)
    assert str(os.fspath(tmp_path / "ca")) in str(found.value)
