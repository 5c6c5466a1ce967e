"""Options that describe a rule rather than match: ``msg``, ``sid``, ``reference`` ..."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.values import bare, integer, items, one_of, quoted, unescape

U32 = (1 << 32) - 1
MAX_ENTRIES = 512  # references, metadata entries
UNKNOWN_CLASS = ("Unknown Classtype", 3)


def read_msg(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``msg``."""
    _once(draft.msg, keyword)
    inside, _, _ = quoted(value)
    draft.msg = unescape(inside)


def _once(before: object, keyword: Keyword) -> None:
    """See that the option was not given before."""
    if before:
        raise Refused(f"{keyword.name} stands twice", "remove one of them")


def read_id(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``sid`` and ``rev``."""
    _once(getattr(draft, keyword.name), keyword)
    setattr(draft, keyword.name, integer(bare(value), 1 if keyword.name == "sid" else 0, U32, keyword.name))


def read_gid(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``gid``."""
    draft.gid = integer(bare(value), 0, U32, keyword.name)


def read_priority(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``priority``: 1 (highest) to 255."""
    _once(draft.priority, keyword)
    draft.priority = integer(bare(value), 1, 255, keyword.name)


def read_classtype(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``classtype``; one that nobody described gets priority 3, as in Suricata."""
    _once(draft.classtype, keyword)
    draft.classtype = bare(value).lower()


def read_reference(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``reference:type,value``."""
    kind, comma, what = value.partition(",")
    if not comma or not kind.strip() or not what.strip():
        raise Refused(f"{shown(value)} is not a reference", "write reference:url,example.org/page")
    if len(draft.references) >= MAX_ENTRIES:
        raise Refused(f"more than {MAX_ENTRIES} references")
    draft.references.append((kind.strip().lower(), unescape(what.strip())))


def read_metadata(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``metadata:key value, key value``."""
    for piece in items(value):
        if piece:
            key, _, text = piece.partition(" ")
            draft.metadata.append((key, text.strip()))
    if len(draft.metadata) > MAX_ENTRIES:
        raise Refused(f"more than {MAX_ENTRIES} metadata entries")


def read_noalert(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``noalert`` and ``alert``, which make a match silent or audible."""
    draft.noalert = keyword.name == "noalert"
    draft.alert = not draft.noalert


def read_bypass(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``bypass``: no more inspection of the flow after a match."""
    _once(draft.bypass, keyword)
    draft.bypass = True


def read_prefilter(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``prefilter``: the option before is the cheap test that goes first."""
    _once(draft.prefilter, keyword)
    names = [name for name in draft.keywords if name not in _NOT_MATCHING]
    if not names:
        raise Refused(
            "prefilter has no option before it to refer to", "put it after the match that goes first"
        )
    draft.prefilter = names[-1]


def read_target(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``target``: which end of the packet is the attacked one."""
    draft.target = one_of(value, ("src_ip", "dest_ip"), keyword.name)


def read_requires(draft: Draft, keyword: Keyword, value: str) -> None:
    """Do nothing: ``requires`` was answered before any option was read."""


_NOT_MATCHING = frozenset(
    ("msg", "sid", "rev", "gid", "priority", "classtype", "reference", "metadata", "noalert", "prefilter")
)
