"""Every keyword of the rule language by name: the tables put together."""

from __future__ import annotations

from types import MappingProxyType

from appliance.rulelang.keyword import Keyword
from appliance.rulelang.protocols import family
from appliance.rulelang.table_buffers import buffer_keywords
from appliance.rulelang.table_numbers import number_keywords
from appliance.rulelang.table_options import option_keywords

ALL: tuple[Keyword, ...] = (*option_keywords(), *buffer_keywords(), *number_keywords())


def _by_name() -> dict[str, Keyword]:
    """Index by name and alias."""
    index: dict[str, Keyword] = {}
    for keyword in ALL:
        for name in (keyword.name, *keyword.aliases):
            if name in index:
                msg = f"keyword {name} stands twice in the tables"
                raise AssertionError(msg)
            index[name] = keyword
    return index


KEYWORDS = MappingProxyType(_by_name())

# What each keyword may find, families opened up: ``dcerpc`` is also looked for inside SMB.
DEMANDS = MappingProxyType(
    {
        word.name: frozenset().union(*(family(name) for name in word.protocols))
        for word in ALL
        if word.protocols
    }
)
