"""``content`` with its modifiers, and the old keywords that are a content in a buffer of their own."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

from appliance.rulelang.draft import ContentDraft, Draft
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.source import encode
from appliance.rulelang.tree import Buffer, Number
from appliance.rulelang.values import bare, integer, items, number_or_name, quoted

MAX_PATTERN = 65_535
_HEX = frozenset("0123456789abcdefABCDEF ")
_PLAIN = frozenset('|\\"')  # what makes a text more than its own bytes
_ESCAPED = frozenset('\\";:')


def pattern_bytes(text: str) -> bytes:
    """Read the inside of a content's quotes: text, ``|hex|`` and backslash escapes.

    Raises:
        Refused: with the offset of the character at fault.
    """
    pattern = encode(text) if _PLAIN.isdisjoint(text) else _parts(text)
    if not pattern:
        raise Refused("the pattern is empty", at=0)
    if len(pattern) > MAX_PATTERN:
        raise Refused(f"the pattern is longer than {MAX_PATTERN} bytes")
    return pattern


def _parts(text: str) -> bytes:
    """Read text that has hex or escapes."""
    pieces = text.split("|")
    if len(pieces) % 2 == 0:
        raise Refused(
            "a '|' is never closed", "hex bytes stand between two bars; a bar itself is |7C|", text.rfind("|")
        )
    out = bytearray()
    at = 0
    for index, piece in enumerate(pieces):
        out += _hex(piece, at) if index % 2 else _plain(piece, at)
        at += len(piece) + 1
    return bytes(out)


def _hex(piece: str, at: int) -> bytes:
    """Read what stands between bars."""
    try:
        return bytes.fromhex(piece)
    except ValueError:
        pass
    for index, char in enumerate(piece):
        if char not in _HEX:
            raise Refused(f"{shown(char)} is not a hex digit", "close the hex part with '|'", at + index)
    digits = piece.replace(" ", "")
    if len(digits) % 2:
        raise Refused("a hex byte has only one digit", "write every byte with two digits", at)
    return bytes.fromhex(digits)


def _plain(piece: str, at: int) -> bytes:
    """Read text outside bars."""
    if "\\" not in piece and '"' not in piece:
        return encode(piece)
    out: list[str] = []
    escaped = False
    for index, char in enumerate(piece):
        if escaped:
            if char not in _ESCAPED:
                raise Refused(
                    f"{shown(char)} needs no backslash",
                    'only \\ " ; : are escaped; else use |hex|',
                    at + index,
                )
            out.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            raise Refused("a double quote inside the pattern", 'write it as \\" or |22|', at + index)
        else:
            out.append(char)
    if escaped:
        raise Refused("a backslash before nothing", "write a backslash as \\\\ or |5C|", at + len(piece) - 1)
    return encode("".join(out))


def _pattern(value: str) -> tuple[bytes, bool]:
    """Read a quoted, perhaps negated pattern; faults are placed within ``value``."""
    inside, negated, start = quoted(value, negatable=True)
    try:
        return pattern_bytes(inside), negated
    except Refused as refused:
        raise Refused(refused.reason, refused.hint, start + max(refused.at, 0)) from None


def read_content(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``content``; ``uricontent`` too, which names its buffer."""
    pattern, negated = _pattern(value)
    item = draft.look(ContentDraft(draft.position, pattern, negated))
    if keyword.buffer:
        _move(draft, keyword)
        item.buffer = keyword.buffer
    draft.content = item


def read_within(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read the keywords that stand for a content in a buffer: ``filename``, ``tls.subject`` ..."""
    inside, negated, _ = quoted(value if value.endswith('"') else f'"{value}"', negatable=True)
    text = inside
    lowered = keyword.name in {"filename", "fileext", "filemagic"}
    if keyword.name == "fileext":
        text = "." + text
    if keyword.name == "tls.fingerprint":
        text = text.lower()
    content = ContentDraft(draft.position, pattern_bytes(text), negated)
    content.nocase = lowered
    content.endswith = keyword.name == "fileext"
    item = draft.look(content)
    item.buffer = keyword.buffer
    draft.content = None


def _last(draft: Draft, what: str) -> ContentDraft:
    """Give the content that a modifier refers to."""
    item = draft.content
    if item is None or not isinstance(item.node, ContentDraft):
        raise Refused(f"{what} has no content before it", f'write it as: content:"…"; {what};')
    return item.node


def read_old_modifier(draft: Draft, keyword: Keyword, value: str) -> None:
    """Move the content before to the buffer that an old modifier (``http_uri``) names."""
    content = _last(draft, draft.name)
    _move(draft, keyword)
    assert_item = draft.content
    if assert_item is None:
        return
    if assert_item.buffer is not None:
        raise Refused(
            f"the content is in buffer {assert_item.buffer} already", "use one buffer for each content"
        )
    if content.rawbytes:
        raise Refused(f"rawbytes and {draft.name} contradict each other")
    assert_item.buffer = keyword.buffer


def _move(draft: Draft, keyword: Keyword) -> None:
    """See that no sticky buffer is in the way."""
    if draft.sticky:
        raise Refused(
            f"{draft.name} with the sticky buffer {draft.buffer or 'frame'} still selected",
            f"use the sticky buffer {keyword.buffer} instead, or put pkt_data before the content",
        )


def _once(draft: Draft, content: ContentDraft, field: str) -> None:
    """See that a modifier was not given before."""
    before = getattr(content, field)
    if before is not None and before is not False:
        raise Refused(f"{draft.name} stands twice at one content", "remove one of them")


def read_flag(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``nocase``, ``rawbytes``, ``startswith``, ``endswith``."""
    content = _last(draft, keyword.name)
    _once(draft, content, keyword.name)
    setattr(content, keyword.name, True)


def read_place(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``depth``, ``offset``, ``distance``, ``within``."""
    content = _last(draft, keyword.name)
    _once(draft, content, keyword.name)
    low = -(1 << 20) if keyword.name == "distance" else 0
    number: Number = number_or_name(draft, bare(value), low, 1 << 20, keyword.name)
    setattr(content, keyword.name, number)


def read_fast_pattern(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``fast_pattern``, ``fast_pattern:only``, ``fast_pattern:offset,length``."""
    content = _last(draft, keyword.name)
    _once(draft, content, "fast_pattern")
    content.fast_pattern = True
    if not value:
        return
    if value == "only":
        content.fast_pattern_only = True
        return
    parts = items(value)
    if len(parts) != 2:
        raise Refused(
            f"{shown(value)} is no part of a pattern", "write fast_pattern, or fast_pattern:offset,length"
        )
    offset, length = (integer(part, 0, MAX_PATTERN, "number") for part in parts)
    if not length or offset + length > len(content.pattern):
        raise Refused(
            f"bytes {offset} to {offset + length} are not inside the pattern of {len(content.pattern)}"
        )
    content.fast_pattern_chop = (offset, length)


def read_replace(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``replace``: the same number of bytes, in the raw payload."""
    content = _last(draft, keyword.name)
    _once(draft, content, "replace")
    replacement, _ = _pattern(value)
    if content.negated or draft.sticky or (draft.content and draft.content.buffer):
        raise Refused("replace works on a content of the raw payload only", "the content must not be negated")
    if len(replacement) != len(content.pattern):
        raise Refused(f"replace has {len(replacement)} bytes, its content {len(content.pattern)}")
    content.replace = replacement


def read_sticky(draft: Draft, keyword: Keyword, value: str) -> None:
    """Select a sticky buffer, with ``to_client`` or ``to_server`` for rules of both directions."""
    direction = value.lower()
    if direction not in {"", "to_client", "to_server"}:
        raise Refused(
            f"{keyword.name} does not take {shown(value)}", "it takes nothing, to_server or to_client"
        )
    if direction and draft.header.direction != "=>":
        raise Refused("a direction at a buffer is for rules with =>", "use flow:to_client instead")
    draft.select(Buffer(keyword.buffer or keyword.name, direction, position=draft.position))


def read_payload(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``pkt_data``: back to the payload."""
    draft.select(Buffer("", position=draft.position))
