"""What the tests of parsers share: feeding, cutting, and bytes gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from appliance.config.settings import AppSettings
from appliance.model.app import Parser
from appliance.protocols.spec import ProtocolSpec

Turn = tuple[int, bytes]
TCP, UDP = 6, 17


def opened(make: Callable[..., Parser], proto: int = TCP, options: Any = None) -> Parser:
    """Give a parser of a flow over ``proto``."""
    parser = make(options or {})
    parser.open(SimpleNamespace(proto=proto), AppSettings(), None)
    return parser


def play(make: Callable[..., Parser], turns: Sequence[Turn], proto: int = TCP, options: Any = None) -> Parser:
    """Feed ``turns`` to a new parser, as a flow does: no more after it failed or let go."""
    parser = opened(make, proto, options)
    for direction, data in turns:
        if not parser.failed and not parser.bypass:
            parser.data(direction, data)
    return parser


def picture(parser: Parser) -> list[Any]:
    """Everything that can be told of a parser's transactions."""
    rows = [
        (tx.id, tx.log(), tx.records({}), tx.progress, tx.skip, tx.events, [bytes(f.data) for f in tx.files])
        for tx in parser.transactions
    ]
    return [*rows, parser.events, parser.failed]


def cut(turns: Sequence[Turn], sizes: Sequence[int]) -> list[Turn]:
    """Cut the bytes of each turn into pieces of the given sizes, over and over."""
    out: list[Turn] = []
    step = 0
    for direction, data in turns:
        at = 0
        while at < len(data):
            size = sizes[step % len(sizes)]
            step += 1
            out.append((direction, data[at : at + size]))
            at += size
    return out


def exercise(parser: Parser, spec: ProtocolSpec) -> None:
    """Ask for everything that rules and logs may ask for."""
    for tx in parser.transactions:
        for item in spec.buffers:
            for direction in (0, 1):
                value = tx.buffer(item.name, direction)
                assert value is None or isinstance(value, list if item.multi else bytes), item.name
        for value_spec in spec.values:
            tx.value(value_spec.keyword)
        assert isinstance(tx.log(), dict)
        tx.records({})
        assert set(tx.events) <= spec.events, tx.events
    assert set(parser.events) <= spec.events


def hurt(turns: Sequence[Turn]) -> st.SearchStrategy[list[Turn]]:
    """Give ``turns`` with some bytes changed, some cut off, and some of no meaning at all."""

    def damage(changes: list[tuple[int, int, int]], drop: int, tail: bytes) -> list[Turn]:
        out = [(direction, bytearray(data)) for direction, data in turns]
        for which, place, value in changes:
            data = out[which % len(out)][1]
            if data:
                data[place % len(data)] = value
        kept = [(d, bytes(b)) for i, (d, b) in enumerate(out) if drop % 7 or i != drop % len(out)]
        return [*kept, (0, tail), (1, tail)]

    byte = st.integers(0, 255)
    changes = st.lists(st.tuples(byte, st.integers(0, 4000), byte), max_size=6)
    return st.builds(damage, changes, byte, st.binary(max_size=60))


SIZES = st.lists(st.integers(1, 90), min_size=1, max_size=12)
