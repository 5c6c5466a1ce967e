"""``byte_test``, ``byte_jump``, ``byte_extract``, ``byte_math``, ``isdataat``, ``base64_decode``."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from typing import TypedDict

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import Base64Decode, ByteExtract, ByteJump, ByteMath, ByteTest, IsDataAt, Number
from appliance.rulelang.values import integer, items, number_or_name

_TEST = re.compile(r"(!)?\s*(<=|>=|==|!=|<|>|=|&|\^)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
MAX_VARIABLES = 64
U32 = (1 << 32) - 1
U64 = (1 << 64) - 1


class Common(TypedDict):
    """What the four byte keywords share."""

    relative: bool
    endian: str
    string: str
    bitmask: int | None


class _Options:
    """Trailing options as they are read: shared ones in ``common``, others in ``own``."""

    def __init__(self, pieces: list[str], own: tuple[str, ...]) -> None:
        """Read ``pieces``; ``own`` are the names this keyword has besides the shared ones.

        Raises:
            Refused: an option is unknown, repeated or contradicts another.
        """
        self.common: Common = {"relative": False, "endian": "big", "string": "", "bitmask": None}
        self.own: dict[str, str] = {}
        self.text = self.base = False
        self._endian = False
        for piece in pieces:
            name, _, argument = piece.partition(" ")
            self._take(name.lower(), argument.strip(), own)
        if self.base and not self.text:
            raise Refused(f"{self.common['string']} is for numbers in text", "add string before it")
        if self.text and not self.base:
            self.common["string"] = "dec"

    def _take(self, name: str, argument: str, own: tuple[str, ...]) -> None:
        """Take one option."""
        if name in own:
            if name in self.own:
                raise Refused(f"{name} stands twice")
            self.own[name] = argument
        elif name == "relative":
            self.common["relative"] = True
        elif name in {"big", "little", "dce"}:
            if self._endian and self.common["endian"] != name:
                raise Refused(f"{self.common['endian']} and {name} contradict each other")
            self.common["endian"], self._endian = name, True
        elif name == "string":
            self.text = True
        elif name in {"hex", "dec", "oct"}:
            if self.base:
                raise Refused("more than one of hex, dec, oct")
            self.common["string"], self.base = name, True
        elif name == "bitmask":
            self.common["bitmask"] = integer(argument, 1, U32, "bitmask")
        else:
            known = (*own, "relative", "big", "little", "dce", "string", "hex", "dec", "oct", "bitmask")
            raise Refused(
                f"unknown option {shown(name)}", did_you_mean(name, known) or f"known: {', '.join(known)}"
            )


def _count(draft: Draft, text: str, string: bool, low: int = 1) -> Number:
    """Read how many bytes: 8 at most as binary, 23 as text."""
    return number_or_name(draft, text, low, 23 if string else 8, "number of bytes")


def _offset(draft: Draft, text: str) -> Number:
    """Read an offset."""
    return number_or_name(draft, text, -65_535, 65_535, "offset")


def _need(pieces: list[str], count: int, keyword: Keyword) -> None:
    """See that the leading arguments are there."""
    if len(pieces) < count or not all(pieces[:count]):
        raise Refused(
            f"{keyword.name} needs at least {count} arguments", f"write {keyword.name}:{keyword.syntax}"
        )


def _new_variable(draft: Draft, name: str) -> str:
    """Take the name of a variable that an option fills."""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{shown(name)} cannot be the name of a variable", "begin with a letter; use letters, digits, _"
        )
    if len(draft.variables) >= MAX_VARIABLES:
        raise Refused(f"more than {MAX_VARIABLES} variables")
    draft.variables.add(name)
    return name


def read_byte_test(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``byte_test:count,[!]operator,value,offset[,options]``."""
    pieces = items(value)
    _need(pieces, 4, keyword)
    match = _TEST.fullmatch(pieces[1])
    if match is None or not pieces[1]:
        raise Refused(
            f"unknown operator {shown(pieces[1])}", "use < > = <= >= & ^, with ! before it to negate"
        )
    operator = match[2] or "="
    negated = bool(match[1]) != (operator == "!=")
    operator = {"==": "=", "!=": "="}.get(operator, operator)
    options = _Options(pieces[4:], ())
    node = ByteTest(
        _count(draft, pieces[0], options.text, 0 if options.text else 1),
        operator,
        number_or_name(draft, pieces[2], 0, U64, "value"),
        _offset(draft, pieces[3]),
        negated,
        position=draft.position,
        **options.common,
    )
    draft.follow(node, node.relative)


def read_byte_jump(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``byte_jump:count,offset[,options]``."""
    pieces = items(value)
    _need(pieces, 2, keyword)
    options = _Options(pieces[2:], ("multiplier", "align", "from_beginning", "from_end", "post_offset"))
    own = options.own
    if "from_beginning" in own and "from_end" in own:
        raise Refused("from_beginning and from_end contradict each other")
    node = ByteJump(
        _count(draft, pieces[0], options.text, 0),
        _offset(draft, pieces[1]),
        multiplier=integer(own["multiplier"], 1, 65_535, "multiplier") if "multiplier" in own else 1,
        align="align" in own,
        from_beginning="from_beginning" in own,
        from_end="from_end" in own,
        post_offset=_offset(draft, own["post_offset"]) if "post_offset" in own else 0,
        position=draft.position,
        **options.common,
    )
    draft.follow(node, node.relative)


def read_byte_extract(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``byte_extract:count,offset,name[,options]``."""
    pieces = items(value)
    _need(pieces, 3, keyword)
    options = _Options(pieces[3:], ("multiplier", "align"))
    own = options.own
    align = integer(own["align"], 2, 4, "align") if "align" in own else 0
    if align == 3:
        raise Refused("align is 2 or 4")
    node = ByteExtract(
        integer(pieces[0], 1, 23 if options.text else 8, "number of bytes"),
        _offset(draft, pieces[1]),
        _new_variable(draft, pieces[2]),
        multiplier=integer(own["multiplier"], 1, 65_535, "multiplier") if "multiplier" in own else 1,
        align=align,
        position=draft.position,
        **options.common,
    )
    draft.follow(node, node.relative)


def _pairs(value: str) -> tuple[dict[str, str], list[str]]:
    """Sort ``byte_math``'s pieces into its own ``name argument`` pairs and the shared options."""
    own: dict[str, str] = {}
    rest: list[str] = []
    for piece in items(value):
        name, _, argument = piece.partition(" ")
        name, argument = name.lower(), argument.strip()
        if name in {"bytes", "offset", "oper", "rvalue", "result"}:
            if name in own:
                raise Refused(f"{name} stands twice")
            own[name] = argument
        elif name == "endian":
            rest.append(argument)
        elif name == "string" and argument:
            rest += ["string", argument]
        else:
            rest.append(piece)
    return own, rest


def read_byte_math(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``byte_math:bytes n, offset n, oper +, rvalue n, result name[,options]``."""
    own, rest = _pairs(value)
    missing = [name for name in ("bytes", "offset", "oper", "rvalue", "result") if not own.get(name)]
    if missing:
        raise Refused(f"{missing[0]} is missing", f"write {keyword.name}:{keyword.syntax}")
    options = _Options(rest, ())
    if own["oper"] not in {"+", "-", "*", "/", "<<", ">>"}:
        raise Refused(f"unknown operator {shown(own['oper'])}", "use + - * / << >>")
    rvalue = number_or_name(draft, own["rvalue"], 0, U32, "rvalue")
    if own["oper"] == "/" and rvalue == 0:
        raise Refused("division by zero")
    node = ByteMath(
        _count(draft, own["bytes"], options.text),
        _offset(draft, own["offset"]),
        own["oper"],
        rvalue,
        _new_variable(draft, own["result"]),
        position=draft.position,
        **options.common,
    )
    draft.follow(node, node.relative)


def read_isdataat(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``isdataat:[!]offset[,relative][,rawbytes]``; rawbytes means nothing on today's buffers."""
    pieces = items(value)
    negated = pieces[0].startswith("!")
    offset = number_or_name(draft, pieces[0].removeprefix("!").strip(), 0, 65_535, "offset")
    unknown = [piece for piece in pieces[1:] if piece not in {"relative", "rawbytes"}]
    if unknown:
        raise Refused(f"unknown option {shown(unknown[0])}", "it takes relative and rawbytes")
    node = IsDataAt(offset, "relative" in pieces, negated, position=draft.position)
    draft.follow(node, node.relative)


def read_base64_decode(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``base64_decode[:bytes n][,offset n][,relative]``."""
    found: dict[str, Number] = {"bytes": 0, "offset": 0}
    relative = False
    for piece in items(value) if value else ():
        name, _, argument = piece.partition(" ")
        if name == "relative":
            relative = True
        elif name in found:
            found[name] = number_or_name(draft, argument.strip(), 0, 1 << 31, name)
        else:
            raise Refused(
                f"unknown option {shown(name)}", "write base64_decode:bytes 100, offset 0, relative"
            )
    draft.follow(Base64Decode(found["bytes"], found["offset"], relative, position=draft.position), relative)
