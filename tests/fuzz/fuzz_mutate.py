"""Damage done to sessions, as plain numbers: the same steps do the same, so that they can be shrunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fuzz_session import DATA, END, GAP, Session, Turn

# What to do, and three numbers that say where, how far and with what.
Step = tuple[int, int, int, int]
MOST = 0xFFFF  # the largest of the numbers

_MAX_BYTES = 64 << 10
_MAX_TURNS = 400
_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0xFFFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    bytes(16),
    b"\xff" * 8,
    b"\x80" * 8,
    b" ",
    b":",
    b"9" * 20,
    b"-1",
    b"0x7fffffff",
    b"%00%2e%u0041%",
    b"\xc0\xae\xf0\x9f\x98\x80\xed\xa0\x80",
    b"=?utf-8?Q?=FF=?=",
    b"\xc0\x0c",
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x1f\x8b\x08\0\0\0\0\0",
    b"--",
    b'"',
    b"'\\",
    b"${[{*&!<>@|",
    b"\xe2\x80\xa8\xef\xbf\xbf",
    b"A" * 300,
)
_Turns = list[Turn]
_Other = Sequence[Turn]


def _bytes(change: Callable[[bytearray, int, int], None]) -> Callable[[_Turns, Step, _Other], None]:
    """Make a change of bytes one of a turn's: the turn is chosen by the first number."""

    def apply(turns: _Turns, step: Step, _other: _Other) -> None:
        at = step[1] % len(turns)
        if turns[at].kind == DATA:
            data = bytearray(turns[at].data)
            change(data, step[2] % (len(data) + 1), step[3])
            turns[at] = replace(turns[at], data=bytes(data))

    return apply


def _flip(data: bytearray, at: int, what: int) -> None:
    if at < len(data):
        data[at] ^= 1 << what % 8


def _set(data: bytearray, at: int, what: int) -> None:
    if at < len(data):
        data[at] = what & 0xFF


def _number(data: bytearray, at: int, what: int) -> None:
    width = (1, 2, 3, 4, 8)[what % 5]
    order = "big" if what & 32 else "little"
    value = _NUMBERS[what // 64 % len(_NUMBERS)] & (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, order)


def _insert(data: bytearray, at: int, what: int) -> None:
    data[at:at] = bytes([what & 0xFF]) * (1 + (what >> 8) % 40)


def _token(data: bytearray, at: int, what: int) -> None:
    data[at:at] = _TOKENS[what % len(_TOKENS)]


def _remove(data: bytearray, at: int, what: int) -> None:
    del data[at : at + 1 + what % 64]


def _again(data: bytearray, at: int, what: int) -> None:
    data[at:at] = data[at : at + 1 + what % 64] * (1 + (what >> 8) % 16)


def _truncate(data: bytearray, at: int, _what: int) -> None:
    del data[at:]


def _cut(turns: _Turns, step: Step, _other: _Other) -> None:
    at = step[1] % len(turns)
    turn = turns[at]
    place = step[2] % (len(turn.data) + 1)
    if turn.kind == DATA and 0 < place < len(turn.data):
        turns[at : at + 1] = [replace(turn, data=turn.data[:place]), replace(turn, data=turn.data[place:])]


def _cut_all(turns: _Turns, step: Step, _other: _Other) -> None:
    turns[:] = cut(turns, [1 + step[1] % 40, 1 + step[2] % 7, 1 + step[3] % 200])


def _lose(turns: _Turns, step: Step, _other: _Other) -> None:
    turn = turns[step[1] % len(turns)]
    turns[step[1] % len(turns)] = replace(turn, data=b"", kind=GAP, length=len(turn.data) or 1 + step[2])


def _gap(turns: _Turns, step: Step, _other: _Other) -> None:
    length = 1 + (step[3] << 12 if step[3] & 1 else step[3] % 2000)
    turns.insert(step[1] % (len(turns) + 1), Turn(step[2] & 1, kind=GAP, length=length))


def _end(turns: _Turns, step: Step, _other: _Other) -> None:
    turns.insert(step[1] % (len(turns) + 1), Turn(step[2] & 1, kind=END))


def _turn_round(turns: _Turns, step: Step, _other: _Other) -> None:
    at = step[1] % len(turns)
    turns[at] = replace(turns[at], direction=1 - turns[at].direction)


def _all_round(turns: _Turns, _step: Step, _other: _Other) -> None:
    turns[:] = [replace(turn, direction=1 - turn.direction) for turn in turns]


def _swap(turns: _Turns, step: Step, _other: _Other) -> None:
    one, two = step[1] % len(turns), step[2] % len(turns)
    turns[one], turns[two] = turns[two], turns[one]


def _repeat(turns: _Turns, step: Step, _other: _Other) -> None:
    at = step[1] % len(turns)
    turns[at : at + 1] = [turns[at]] * (2 + step[2] % 60)


def _drop(turns: _Turns, step: Step, _other: _Other) -> None:
    if len(turns) > 1:
        del turns[step[1] % len(turns)]


def _splice(turns: _Turns, step: Step, other: _Other) -> None:
    turns[step[1] % len(turns) :] = other[step[2] % max(len(other), 1) :]


def _borrow(turns: _Turns, step: Step, other: _Other) -> None:
    if other:
        turns.insert(step[1] % (len(turns) + 1), other[step[2] % len(other)])


_WAYS: tuple[Callable[[_Turns, Step, _Other], None], ...] = (
    *(_bytes(change) for change in (_flip, _set, _set, _number, _number, _insert, _token, _token)),
    *(_bytes(change) for change in (_remove, _again, _truncate)),
    *(_cut, _cut_all, _lose, _gap, _end, _turn_round, _all_round, _swap, _repeat, _drop, _splice, _borrow),
)
WAYS = len(_WAYS)


def mutate(session: Session, steps: Sequence[Step], other: Session) -> Session:
    """Do ``steps`` to a session, with turns of ``other`` where two are put together."""
    turns = list(session.turns)
    for step in steps:
        if not turns:
            break
        _WAYS[step[0] % WAYS](turns, step, other.turns)
        _bound(turns)
    return replace(session, turns=tuple(turns))


def cut(turns: Sequence[Turn], sizes: Sequence[int]) -> list[Turn]:
    """Cut the bytes of each turn into pieces of the given sizes, over and over."""
    out: list[Turn] = []
    for turn in turns:
        at = 0
        while at < len(turn.data):
            size = sizes[len(out) % len(sizes)]
            out.append(replace(turn, data=turn.data[at : at + size]))
            at += size
        if turn.kind != DATA:
            out.append(turn)
    return out


def _bound(turns: _Turns) -> None:
    """Keep an input small: many bytes find nothing that few do not."""
    del turns[_MAX_TURNS:]
    left = _MAX_BYTES
    for at, turn in enumerate(turns):
        if len(turn.data) > left:
            turns[at] = replace(turn, data=turn.data[:left])
        left -= len(turns[at].data)
