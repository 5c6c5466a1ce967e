"""Epochs, quarantine, overload, sd_notify."""

from __future__ import annotations

import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.daemon.live.epochs import Epochs, fingerprint
from appliance.daemon.live.notify import Notifier
from appliance.daemon.live.overload import LESS, NONE, NORMAL, Overload
from appliance.daemon.live.quarantine import Quarantine


def test_equal_documents_keep_their_epoch_over_a_restart(tmp_path):
    first = Epochs(tmp_path).of("documents")
    assert Epochs(tmp_path).of("documents") == first
    assert Epochs(tmp_path).of("others") == first + 1
    assert Epochs(tmp_path).of("documents") == first + 2


def test_an_epoch_file_that_makes_no_sense_starts_anew(tmp_path):
    (tmp_path / "epoch.json").write_text("[]")
    assert Epochs(tmp_path).of("documents") == 1


def test_fingerprints_tell_content_names_and_absence(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    found = {fingerprint([one]), fingerprint([one, two]), fingerprint([one], "x")}
    two.write_text("a")
    found |= {fingerprint([one, two]), fingerprint([two])}
    assert len(found) == 5
    assert fingerprint([one, two]) == fingerprint([two, one])


def test_quarantine_is_remembered(tmp_path):
    held = Quarantine(tmp_path)
    assert held.hold("a")
    assert not held.hold("a")
    assert Quarantine(tmp_path).forced == {"a": "quarantine"}
    assert held.release("a")
    assert Quarantine(tmp_path).forced == {}


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]"])
def test_a_damaged_list_releases_nobody(tmp_path, text):
    (tmp_path / "quarantine.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - json's own or ours
        Quarantine(tmp_path)


def test_overload_rises_at_once_and_falls_step_by_step():
    load = Overload(50, 80, 100)
    assert load.feed(10, 0) == NORMAL
    assert load.feed(90, 1) == NONE
    assert load.feed(10, 50) == NONE
    assert load.feed(10, 101) == LESS
    assert load.feed(10, 150) == LESS
    assert load.feed(10, 201) == NORMAL
    assert load.peak == 90


@given(st.lists(st.integers(0, 100), max_size=50))
def test_overload_never_skips_a_step_down(fillings):
    load, before = Overload(50, 80, 3), NORMAL
    for now, filled in enumerate(fillings):
        level = load.feed(filled, now)
        assert level >= before - 1
        assert level == NONE or filled < 80
        before = level


def test_systemd_is_told(tmp_path):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address)
        told = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"})
        assert told.interval == 2.0
        told.ready()
        assert end.recv(1000) == f"READY=1\nMAINPID={os.getpid()}".encode()
        told.watchdog()
        assert end.recv(1000) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_said():
    told = Notifier({})
    told.ready()
    assert told.interval == 0.0


def test_epochs_are_written_before_they_are_used(tmp_path):
    epochs = Epochs(tmp_path / "new")
    assert epochs.advance() == json.loads((tmp_path / "new" / "epoch.json").read_text())["epoch"]
