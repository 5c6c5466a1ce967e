"""The reference of all keywords as a document, made from the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from appliance.rulelang.header import ACTIONS
from appliance.rulelang.keyword import MAY, MUST, Keyword
from appliance.rulelang.protocols import APP_PROTOCOLS, PACKET_PROTOCOLS, hooks_of
from appliance.rulelang.registry import ALL

KINDS = (
    ("meta", "What a rule is called and what happens on a match"),
    ("match", "Matches"),
    ("modifier", "Modifiers of the content before them"),
    ("buffer", "Sticky buffers: what follows looks at them"),
    ("old modifier", "Old modifiers: they move the content before them into a buffer"),
    ("transform", "Transforms: they change the buffer selected just before"),
    ("number", "Numbers"),
    ("state", "Flow, state and alert frequency"),
    ("refused", "Known, but refused"),
)

_INTRODUCTION = """# Rules

Rules are written in Suricata's language, as release 8 has it. This page is made from the keyword registry
(`python -m appliance.daemon.reference rules > docs/rules.md`) and a test keeps it in step. The last
column says whether rules with the keyword load here; the others are refused as not supported.

```
alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"admin"; http.uri; content:"/admin"; sid:1000001;)
```

A rule that cannot be read is refused on its own, with file, line, column, keyword and reason; the others
load. A rule whose `requires` is not met is skipped. Of two rules with one sid the higher `rev`
stays.

Numbers take `5`, `!5`, `<5`, `<=5`, `>5`, `>=5`, `5<>9` and `5-9` (both ends excluded),
`&0x40=0x40` (bits under a mask) and units (`10kb`). Where names stand for numbers they are in any case.
"""


def document(supported: Callable[[str], bool] | None = None) -> str:
    """Write the reference.

    ``supported`` tells of the present-day name of a keyword or buffer whether detection carries it out;
    without it the column is left out.
    """
    parts = [_INTRODUCTION, *_header_parts()]
    for kind, title in KINDS:
        parts.append(f"## {title}\n")
        parts.append("\n".join(_table([word for word in ALL if word.kind == kind], supported)) + "\n")
    return "\n".join(parts)


def _header_parts() -> Iterator[str]:
    """Describe the header."""
    yield "## Header\n"
    yield f"Actions: {_codes(ACTIONS)}.\n"
    yield "Directions: `->`, `<>` (both), `=>` (both sides of one transaction).\n"
    yield f"Packet protocols: {_codes(PACKET_PROTOCOLS)}.\n"
    yield f"Application protocols: {_codes(APP_PROTOCOLS)}.\n"
    yield "A hook follows the protocol after a colon:\n"
    names = [name for name in (*PACKET_PROTOCOLS, *APP_PROTOCOLS) if hooks_of(name)]
    hooks: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        hooks.setdefault(hooks_of(name), []).append(name)
    rows = [f"| {_codes(who)} | {_codes(which)} |" for which, who in hooks.items()]
    yield "\n".join(["| protocols | hooks |", "| --- | --- |", *rows]) + "\n"


def _codes(words: Iterable[str]) -> str:
    """Set words as code."""
    return ", ".join(f"`{word}`" for word in words)


def _table(words: list[Keyword], supported: Callable[[str], bool] | None) -> Iterator[str]:
    """Write the table of one kind."""
    head = ["keyword", "argument", "protocols", "also written"] + (["carried out"] if supported else [])
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for word in sorted(words, key=lambda one: one.name):
        cells = [f"`{word.name}`", _argument(word), " ".join(word.protocols), _codes(word.aliases)]
        if supported:
            cells.append("yes" if _carried_out(word, supported) else "no")
        yield f"| {' | '.join(cells)} |"


def _carried_out(word: Keyword, supported: Callable[[str], bool]) -> bool:
    """Tell whether a keyword does something; one that only leads to a buffer does what the buffer does."""
    return word.kind == "meta" or (word.kind != "refused" and supported(word.buffer or word.name))


def _argument(word: Keyword) -> str:
    """Describe the argument."""
    if word.kind == "refused":
        return word.syntax
    if word.kind == "old modifier":
        return f"none; moves to `{word.buffer}`"
    text = f"`{word.syntax}`".replace("|", "\\|") if word.argument in {MAY, MUST} and word.syntax else "none"
    if word.kind == "match" and word.buffer:
        text += f"; looks at `{word.buffer}`"
    return text + (f" ({_some(word.names)})" if word.names else "")


def _some(names: Mapping[str, int]) -> str:
    """Name the first few words that stand for numbers."""
    words = list(names)
    return ", ".join(words[:6]) + (", …" if len(words) > 6 else "")
