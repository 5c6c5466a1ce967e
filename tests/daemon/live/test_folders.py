"""Folders for workers that run as somebody else; needs root to be somebody else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from appliance.daemon.live.folders import FolderError, prepare

pytestmark = pytest.mark.netns


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_belong_to_the_user_and_to_nobody_else(folder):
    folder.chmod(0o711)
    prepare(folder / "state", "nobody")
    made = folder / "state" / "handover"
    assert made.owner() == "nobody"
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_the_user_cannot_get_to_is_told_of(folder):
    folder.chmod(0o700)
    with pytest.raises(FolderError, match=rf"'nobody', who may not enter {folder}: allow") as told:
        prepare(folder / "state", "nobody")
    assert told.value.field == "state"
    assert os.geteuid() == 0


def test_a_user_that_is_not_there_is_told_of(folder):
    with pytest.raises(FolderError, match="create it") as told:
        prepare(folder / "state", "nobody-of-that-name")
    assert told.value.field == "user"
