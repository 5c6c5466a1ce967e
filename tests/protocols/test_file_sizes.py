"""Sizes of files that a sender makes up."""

from __future__ import annotations

from appliance.protocols.files import FileTracker


def test_a_hole_of_any_length_is_counted_and_nothing_overflows():
    files = FileTracker(64)
    file = files.open(b"f", 0, 1)
    for _ in range(4):  # offsets of NFS and SMB are numbers of 64 bits
        files.gap(file, (1 << 64) - 1)
        files.append(file, b"more")
    assert file.size >= 1 << 62
    assert file.gaps
    files.close(file)
    assert file.state == "TRUNCATED"
