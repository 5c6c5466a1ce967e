"""Registered domain and top level of a host name.

Second-level labels under which countries register names are a short table, not the whole Public
Suffix List: enough for the common ones, and small enough to read.
"""

from __future__ import annotations

_SECOND_LEVEL = frozenset((b"ac", b"co", b"com", b"edu", b"gob", b"gov", b"gv", b"ltd", b"me", b"mil",
                           b"ne", b"net", b"nom", b"or", b"org", b"plc", b"sch"))  # fmt: skip


def top_level(name: bytes) -> bytes:
    """Give the public suffix: ``co.uk`` of ``www.example.co.uk``; empty when there is no dot."""
    labels = name.rstrip(b".").rsplit(b".", 3)
    if len(labels) < 2:
        return b""
    return b".".join(labels[-_suffix_labels(labels) :])


def registered_domain(name: bytes) -> bytes:
    """Give the suffix with one more label: ``example.co.uk``; the whole name when there is none."""
    labels = name.rstrip(b".").rsplit(b".", 3)
    return b".".join(labels[-_suffix_labels(labels) - 1 :])


def _suffix_labels(labels: list[bytes]) -> int:
    """Number of labels of the suffix."""
    country = len(labels[-1]) == 2
    return 2 if country and len(labels) > 2 and labels[-2].lower() in _SECOND_LEVEL else 1
