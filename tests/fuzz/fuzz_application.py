"""Application protocols: a session is recognised and parsed, and all is asked that rules and logs may ask."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fuzz_cost import Calls
from fuzz_session import END, GAP, Session, Turn

from appliance.config.settings import AppSettings
from appliance.model.app import Parser, Transaction, ValueSpec
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.protocols import registry
from appliance.protocols.ftp.data import Transfer
from appliance.protocols.session import AppLayer

PARSED = tuple(sorted(name for name, spec in registry.ALL.items() if spec.parser is not None))
_OFF = frozenset(name for name in PARSED if not registry.ALL[name].default_enabled)
SETTINGS = AppSettings(enabled=_OFF, max_transactions=32, file_limit=4096, force_hashes=frozenset(("md5",)))
_ALL_BUFFERS = registry.buffers()
# What rules compare with, where it is not any text; what takes a node of the rule tree is left out.
_ARGUMENTS = {
    "dnp3_obj": "1,2",
    "cip_service": "82,6,!3",
    "http2.settings": "SETTINGS_MAX_CONCURRENT_STREAMS>100",
    "ike.chosen_sa_attribute": "alg_hash>=2",
    "modbus": None,
}
_MAX_FILE = 256 << 10  # bytes kept of one file; bodies have limits of their own
_STATES = frozenset(("OPEN", "CLOSED", "TRUNCATED", "ERROR"))
NOW = 1_700_000_000 * 10**9
_STEP = 10**6

# Calls allowed: for each piece (recognition asks every protocol again) and for each byte.
CALLS_PER_TURN = 4000
CALLS_PER_BYTE = 200


@dataclass
class Outcome:
    """What became of a session: the protocol at its end and what is told of each transaction."""

    protocols: list[str] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    let_go: bool = False  # nothing more was looked at
    calls: int = 0


def _flow(session: Session) -> Flow:
    number = 6 if session.transport == "tcp" else 17
    return Flow(number, b"\x0a\0\0\1", b"\x0a\0\0\2", session.ports[0], session.ports[1])


def _carried(protocol: str) -> object:
    """What the flow that announces ``protocol`` hands over."""
    transfer = Transfer(20, active=True)
    transfer.command, transfer.name = b"RETR", b"report.txt"
    return transfer if protocol == "ftp-data" else None


def _feed(layer: AppLayer, flow: Flow, turn: Turn, now: int) -> None:
    if turn.kind == END:
        layer.end(flow, turn.direction, now)
    elif turn.kind == GAP and flow.proto == 6:
        layer.data(flow, Chunk(turn.direction, 0, b"", gap=turn.length), now)
    elif flow.proto == 6:
        layer.data(flow, Chunk(turn.direction, 0, turn.data), now)
    else:
        packet = Packet(turn.data, 101, now, 1)
        packet.payload_len, packet.direction = len(turn.data), turn.direction
        layer.datagram(packet, flow, now)


def _parsers(flow: Flow) -> list[Parser]:
    state = flow.app
    return [] if state is None else [one for one in (state.previous, state.parser) if one is not None]


def run(layer: AppLayer, session: Session, *, forget: bool = False) -> Outcome:
    """Play a session and look at it after each turn; ``forget`` what is done with, as the engine does.

    Raises:
        AssertionError: something has the wrong type, is not bounded or costs too much.
    """
    flow, outcome, calls = _flow(session), Outcome(), Calls()
    if session.expected:
        layer.expect(flow, session.expected, _carried(session.expected), NOW)
    for number, turn in enumerate(session.turns):
        allowed = CALLS_PER_TURN + CALLS_PER_BYTE * len(turn.data)
        now = NOW + number * _STEP
        used = calls.of(allowed + _left(flow), lambda turn=turn, now=now: _feed(layer, flow, turn, now))
        outcome.calls = max(outcome.calls, used - CALLS_PER_TURN)
        _look(flow, outcome, forget=forget)
    for parser in _parsers(flow):
        for tx in parser.transactions:
            _ask(tx, parser.name)
            _ask_foreign(tx)
            outcome.transactions.append(tx)
            outcome.logs.append((parser.name, tx.id, _plain(tx), sorted(tx.events)))
    outcome.let_go = any(parser.bypass or parser.failed for parser in _parsers(flow))
    outcome.events = sorted({event for parser in _parsers(flow) for event in parser.events})
    return outcome


def _left(flow: Flow) -> int:
    """Bytes held back until a protocol is recognised count when they are fed."""
    held = flow.app.probe if flow.app is not None else None
    return CALLS_PER_BYTE * (len(held[0]) + len(held[1])) if held else 0


def _look(flow: Flow, outcome: Outcome, *, forget: bool) -> None:
    state = flow.app
    if state is None:
        return
    if state.proto and (not outcome.protocols or outcome.protocols[-1] != state.proto):
        outcome.protocols.append(state.proto)
    for parser in _parsers(flow):
        assert len(parser.transactions) <= 2 * SETTINGS.max_transactions, len(parser.transactions)
        assert set(parser.events) <= registry.ALL[parser.name].events, parser.events
        assert len(parser.expect) <= SETTINGS.max_transactions
        parser.expect.clear()
        for tx in parser.transactions[-2:]:
            _ask(tx, parser.name)
        if forget:
            for tx in parser.transactions:
                tx.logged = int(tx.logged or tx.ready)
            parser.drop_done(inspected=False)


def _ask(tx: Transaction, name: str) -> None:
    """Ask for all that rules and logs may ask of a transaction."""
    spec = registry.ALL[name]
    for item in spec.buffers:
        for direction in (0, 1):
            _check_buffer(item.name, tx.buffer(item.name, direction), multi=item.multi)
    for value in spec.values:
        tx.value(value.keyword)
        for direction in value.directions:
            _check_value(value, tx.compared(value.keyword, direction))
    _plain(tx)
    assert set(tx.events) <= spec.events, set(tx.events) - spec.events
    assert isinstance(tx.ready, bool)
    assert isinstance(tx.done, bool)
    assert isinstance(tx.record_kind, str)
    assert tx.ends({}) in {0, 1}
    for file in tx.files:
        assert file.state in _STATES
        assert isinstance(file.name, bytes)
        assert len(file.data) <= _MAX_FILE, len(file.data)


def _ask_foreign(tx: Transaction) -> None:
    """A buffer of another protocol is none of this one's: nothing or bytes, no error."""
    for name in _ALL_BUFFERS:
        value = tx.buffer(name, 0)
        assert value is None or isinstance(value, bytes | list), name


def _check_buffer(name: str, value: object, *, multi: bool) -> None:
    if value is None:
        return
    assert isinstance(value, list if multi else bytes), (name, type(value))
    if isinstance(value, list):
        assert all(isinstance(one, bytes) for one in value), name


def _check_value(spec: ValueSpec, value: object) -> None:
    """Numbers and text are compared as they are; anything else has a test of its own, which copes with it."""
    argument = _ARGUMENTS.get(spec.keyword, "1")
    for one in value if isinstance(value, list | tuple) else [value]:
        if spec.test is None:
            assert one is None or isinstance(one, int | str), (spec.keyword, value)
        elif one is not None and argument is not None:
            assert isinstance(spec.test(one, argument), bool), spec.keyword


def _plain(tx: Transaction) -> str:
    """All records of a transaction as JSON, which takes nothing but plain values."""
    log, records = tx.log(), tx.records({})
    assert isinstance(log, dict)
    assert all(isinstance(one, dict) for one in records)
    return json.dumps([log, records], sort_keys=True)
