"""Frames for decoder, defragmenter and TCP tracker; documents for the loaders of rules and policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz_cost import Calls
from fuzz_session import DATA, Session

from appliance.config.document import parse_document
from appliance.config.errors import ConfigError
from appliance.config.settings import DecodeSettings, DefragSettings, StreamSettings
from appliance.config.variables import STOCK_ADDRESS_VARS, STOCK_PORT_VARS
from appliance.decode import TABLE, Checksums, embedded, is_invalid
from appliance.decode.decoder import Decoder
from appliance.flow.defrag import Defragmenter
from appliance.inventory.document import parse_inventory
from appliance.inventory.inventory import Inventory
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP, Packet
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies
from appliance.rulelang.context import RuleContext
from appliance.rulelang.parse import parse_file
from appliance.rulelang.source import decode_rules
from appliance.rulelang.thresholds import parse_thresholds
from appliance.rulelang.tree import Rule
from appliance.stream.events import EVENTS
from appliance.stream.tracker import TcpTracker

NOW = 1_700_000_000 * 10**9
_STEP = 10**6
_DECODER = Decoder(DecodeSettings(vntag=True))
_VERIFY = Checksums("all")
_CONTEXT = RuleContext(STOCK_ADDRESS_VARS, STOCK_PORT_VARS)
_FRAGMENTS = DefragSettings(max_datagrams=8, max_fragments=32, max_bytes=32 << 10)
_STREAMS = (
    StreamSettings(max_segments=32, max_held=8192),
    StreamSettings(max_segments=32, max_held=8192, inline=True, midstream=True, overlap_policy="linux"),
    StreamSettings(
        max_segments=32, max_held=8192, midstream=True, async_oneside=True, urgent="inline", depth=4096
    ),
)
CALLS_PER_FRAME = 3000
CALLS_PER_BYTE = 400


def _decoded(session: Session, number: int, data: bytes) -> Packet:
    """Decode a frame; ``ports`` hold the link type."""
    return _DECODER.decode(data, session.ports[0], NOW + number * _STEP, number + 1)


def _inside(packet: Packet | None) -> list[Packet]:
    """A packet and all that it carries."""
    found: list[Packet] = []
    while packet is not None and len(found) < 32:
        found.append(packet)
        packet = packet.inner
    return found


def _sound(packet: Packet, depth: int) -> None:
    """Nothing of a packet lies outside its frame."""
    size = len(packet.frame)
    assert packet.depth == depth <= 8
    for offset in (packet.ip_off, packet.l4_off, packet.start, packet.frag_hdr, packet.frag_prev):
        assert 0 <= offset <= size
    assert 0 <= packet.payload_off <= packet.payload_off + packet.payload_len <= size
    if packet.ip_version:
        assert packet.ip_off + packet.ip_len <= size
        assert len(packet.src) == len(packet.dst) == (4 if packet.ip_version == 4 else 16)
    assert set(packet.anomalies or ()) <= set(TABLE)
    is_invalid(packet)
    embedded(packet)
    _VERIFY.verify(packet)


def decode(session: Session) -> int:
    """Decode each turn as a frame and look at every packet inside; gives the packets."""
    count = 0
    for number, turn in enumerate(session.turns):
        for depth, packet in enumerate(_inside(_decoded(session, number, turn.data))):
            _sound(packet, depth)
            count += 1
    return count


def defrag(session: Session) -> int:
    """Put the fragments among the frames together; gives the datagrams that became whole."""
    table = Defragmenter(_FRAGMENTS, lambda address: ("bsd", "linux", "windows", "")[address[-1] % 4])
    whole = 0
    for number, turn in enumerate(session.turns):
        for packet in _inside(_decoded(session, number, turn.data)):
            made = table.add(packet, packet.now)
            assert len(table) <= _FRAGMENTS.max_datagrams
            assert 0 <= table.bytes <= _FRAGMENTS.max_bytes
            if made is not None:
                whole += 1
                assert len(made.data) <= 0xFFFF + 40
                for depth, inner in enumerate(_inside(_DECODER.redecode(packet, made.data))):
                    _sound(inner, packet.depth + depth)
    table.expire(NOW * 2)
    assert (len(table), table.bytes) == (0, 0)
    return whole


def stream(session: Session) -> int:
    """Track the TCP packets as one connection, in several settings; gives the bytes put together."""
    return max(_stream(session, settings) for settings in _STREAMS)


def _stream(session: Session, settings: StreamSettings) -> int:
    tracker = TcpTracker(settings, lambda _address: settings.overlap_policy)
    flow: Flow | None = None
    chunks: list[Chunk] = []
    sent = 0
    for number, turn in enumerate(session.turns):
        packet = _decoded(session, number, turn.data)
        if packet.proto != PROTO_TCP or not packet.tcp_hlen or packet.is_fragment():
            continue
        if flow is None:
            flow = Flow(PROTO_TCP, packet.src, packet.dst, packet.sport, packet.dport)
        packet.direction = int(packet.sport != flow.cport)
        sent += packet.payload_len
        result = tracker.handle(packet, flow, packet.now)
        assert set(result.events) <= set(EVENTS), result.events
        chunks += result.chunks
        assert tracker.streams.memory.total <= 2 * settings.max_held
    if flow is not None:
        chunks += tracker.finish(flow)
    assert tracker.sessions == 0
    assert tracker.streams.memory.total == 0
    given = sum(len(chunk.data) for chunk in chunks)
    assert given <= sent
    return given


def _documents(session: Session) -> list[bytes]:
    """The pieces of the document between ends, each a document of its own."""
    found, piece = [], b""
    for turn in session.turns:
        if turn.kind == DATA:
            piece += turn.data
        else:
            found.append(piece)
            piece = b""
    return [*found, piece]


def rules(session: Session) -> int:
    """Read rules and thresholds; gives the rules that were read."""
    text = decode_rules(b"".join(_documents(session)))
    found = parse_file(text, "fuzz.rules", _CONTEXT)
    assert all(isinstance(rule, Rule) for rule in found.rules)
    assert all(error.reason for error in found.errors)
    for rule in found.rules:
        assert isinstance(repr(rule), str)
    parse_thresholds(text, "threshold.config", _CONTEXT)
    return len(found.rules)


def _told(errors: list[Any]) -> None:
    assert all(isinstance(error, ConfigError) and str(error) for error in errors)


def policies(session: Session) -> int:
    """Read policies and bind them to nobody and to an inventory; gives the policies that were read."""
    documents = []
    for number, text in enumerate(_documents(session)):
        document, errors = parse_document(text, f"{number}.yaml")
        _told(errors)
        if document is not None:
            documents.append(document)
    whole, errors = parse_policies(documents)
    _told(errors)
    assert (whole is None) <= bool(errors)
    if whole is None or errors:
        return 0
    compile_policies(whole, _INVENTORY or Inventory())
    return len(whole.policies)


def inventory(session: Session) -> int:
    """Read an inventory; gives the interfaces that were read."""
    document, errors = parse_document(b"".join(_documents(session)), "vms.yaml")
    _told(errors)
    if document is None:
        return 0
    found, errors = parse_inventory(document, errors)
    _told(errors)
    assert (found is None) <= bool(errors)
    return 0 if found is None else len(found.interfaces)


def _inventory() -> Inventory | None:
    document, _ = parse_document(
        b"vms:\n- {uuid: 00000000-0000-0000-0000-000000000001, name: web, tags: [web],"
        b" interfaces: [{name: eth0, mac: '52:54:00:00:00:01', network: lan, addresses: [10.0.0.1]}]}\n",
        "vms.yaml",
    )
    return None if document is None else parse_inventory(document, [])[0]


_INVENTORY = _inventory()
CORE: dict[str, Callable[[Session], int]] = {
    "decode": decode,
    "defrag": defrag,
    "stream": stream,
    "rules": rules,
    "policies": policies,
    "inventory": inventory,
}


def run(target: str, session: Session) -> tuple[int, int]:
    """Play a session to one of the core's readers; gives what it made of it, and the calls it cost.

    Raises:
        AssertionError: something points outside, is not bounded or costs too much.
    """
    made: list[int] = []
    allowed = CALLS_PER_FRAME * (1 + len(session.turns)) + CALLS_PER_BYTE * session.size
    calls = Calls().of(10 * allowed, lambda: made.append(CORE[target](session)))
    assert calls <= allowed, f"{calls} calls for {session.size} bytes in {len(session.turns)} turns"
    return made[0], calls
