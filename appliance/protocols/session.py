"""The application layer of one flow: recognise, dispatch to a parser, change protocol on request."""

from __future__ import annotations

from collections.abc import Callable

from appliance.config.settings import AppSettings
from appliance.model.app import AppState, Parser
from appliance.model.chunk import Chunk
from appliance.model.flow import F_MIDSTREAM, F_SWAPPED, Flow
from appliance.model.packet import PROTO_TCP, TOSERVER, Packet
from appliance.protocols import registry
from appliance.protocols.detection import FAILED, UNKNOWN, Detector
from appliance.protocols.spec import ProtocolSpec
from appliance.protocols.upkeep import blame, close_oldest, finish, note_stream

# Bytes of one direction, with none of the other, after which recognition is given up.
ONE_SIDED_LIMIT = 100_000
# Datagrams of one direction looked at before recognition is given up.
DATAGRAM_TRIES = 4
DETECT_ANEW = "any"
# Changes of protocol in one flow; tunnels inside tunnels beyond that are not followed.
MAX_CHANGES = 8


class AppLayer:
    """Feeds flows to parsers. One serves all flows; what is known of a flow hangs on ``Flow.app``."""

    def __init__(self, settings: AppSettings, wanted: frozenset[str] | None = None) -> None:
        """Prepare detection; only ``wanted`` protocols are parsed (None: all that are enabled)."""
        self.settings = settings
        self.wanted = wanted
        self.specs: dict[str, ProtocolSpec] = registry.enabled(settings)
        self._tcp = Detector(self.specs.values(), "tcp", settings.probe_limit)
        self._udp = Detector(self.specs.values(), "udp", settings.probe_limit)
        self._options = {name: settings.options(name) for name in self.specs}
        self._makers = {
            name: spec.parser
            for name, spec in self.specs.items()
            if spec.parser is not None and self.parses(name)
        }
        self._frames: frozenset[str] = settings.frames
        self._most: int = settings.max_transactions
        self._held: int = settings.probe_limit
        # Makes the client of a flow its server, where that is allowed: set by who owns the flows.
        self.turn: Callable[[Flow], None] | None = None

    def data(self, flow: Flow, chunk: Chunk, now: int) -> None:
        """Take the next piece of a TCP stream, or a hole in it."""
        state = self._state(flow)
        if state.parser is None and state.proto == FAILED:
            return
        direction = chunk.direction
        state.position[direction] = chunk.offset + chunk.gap + len(chunk.data)
        if state.parser is not None:
            state.parser.now = now
        if chunk.data and self._backwards(flow, state, direction, chunk.data):
            direction = 1 - direction
        if chunk.data:
            state.fed[direction] += len(chunk.data)
            if state.first < 0:
                state.first = direction
                if state.announced is not None:
                    state.settled[direction] = True
                    self._begin(flow, state, now)
            self._take(flow, state, direction, chunk.data, now)
        elif chunk.gap:
            self._gap(flow, state, direction, chunk.gap, now)
        if chunk.eof:
            self.end(flow, direction, now)

    def datagram(self, packet: Packet, flow: Flow, now: int) -> None:
        """Take one UDP datagram."""
        state = self._state(flow)
        if state.proto == FAILED or not packet.payload_len:
            return
        payload = packet.payload()
        direction = packet.direction
        name = ""
        if self.turn is not None and not (state.proto or state.fed[0] or state.fed[1]):
            name = self._udp.recognise(direction, payload, flow.sport, flow.cport)
            if self._answers(flow, direction, name, payload):
                direction = 1 - direction
                name = ""
        state.fed[direction] += len(payload)
        state.position[direction] += len(payload)
        if state.first < 0:
            state.first = direction
        if state.resuming and not self._resumes(flow, state, direction, payload, now):
            return
        if not state.done[direction]:
            name = name or self._udp.recognise(direction, payload, flow.sport, flow.cport)
            self._take_datagram(flow, state, direction, name, now)
        self._feed(flow, state, direction, payload, now)

    def end(self, flow: Flow, direction: int, now: int) -> None:
        """Take note that one direction has ended; what was held back is decided now."""
        self._end(flow, direction, now, False)

    def cut(self, flow: Flow, direction: int, now: int) -> None:
        """Take note that nobody looks at the rest of one direction: for parsers it has ended.

        Otherwise what waits for an answer would wait for ever, and more of it with every request.
        """
        self._end(flow, direction, now, True)

    def _end(self, flow: Flow, direction: int, now: int, cut: bool) -> None:
        state = flow.app
        if state is None or state.ends[direction]:
            return
        state.ends[direction] = True
        if state.parser is None and state.proto == FAILED:
            return
        if not state.done[direction] and state.probe is not None and state.probe[direction]:
            self._settle(flow, state, direction, FAILED, now)
        if state.previous is not None:
            self._end_parser(state.previous, direction, now, cut)
        if state.parser is not None:
            self._end_parser(state.parser, direction, now, cut)
        if not state.proto and state.ends[0] and state.ends[1] and (state.fed[0] or state.fed[1]):
            self._fail(flow, state)

    def _end_parser(self, parser: Parser, direction: int, now: int, cut: bool) -> None:
        """Tell a parser that one direction has ended."""
        parser.now = now
        parser.after_end[direction] = parser.next_tx
        if cut:
            parser.cut(direction)
        else:
            parser.end(direction)

    def expect(self, flow: Flow, protocol: str, carried: object, now: int = 0) -> None:
        """Start a flow that another one announced (an FTP data connection) as ``protocol``."""
        state = self._state(flow)
        state.expected = protocol
        state.done = [True, True]
        state.announced = (protocol, carried)
        flow.app_proto = protocol  # who decides on applications need not wait for data
        if flow.proto != PROTO_TCP:
            self._begin(flow, state, now)

    def _begin(self, flow: Flow, state: AppState, now: int) -> None:
        """Start what was announced, with its first data."""
        if state.announced is not None:
            protocol, carried = state.announced
            state.announced = None
            self._open(flow, state, protocol, carried, now)

    def parses(self, protocol: str) -> bool:
        """Tell whether flows of a protocol are parsed."""
        spec = self.specs.get(protocol)
        if spec is None or spec.parser is None or protocol in self.settings.detection_only:
            return False
        return self.wanted is None or protocol in self.wanted

    def resume(self, flow: Flow) -> None:
        """Go on in the middle of a flow, of which bytes were missed: its parser starts at the next message.

        What the flow speaks stays known. A parser can start only with a message of the client whose beginning
        shows what it is; protocols whose messages do not show are not parsed any more.
        """
        before = flow.app
        if before is None:
            return
        state = flow.app = AppState()
        if not before.proto or before.proto == FAILED:
            flow.app_proto = ""
            return
        state.proto = state.counted = flow.app_proto = before.proto
        state.orig, state.changes = before.orig, before.changes
        state.done = [True, True]
        state.resuming = True

    def reparse(self, flow: Flow, data: list[bytes], now: int) -> None:
        """Parse a flow from its beginning again: all bytes of both directions, the client's first."""
        state = flow.app
        if state is None or not self.parses(state.proto):
            return
        state.resuming = False
        self._open(flow, state, state.proto, None, now)
        for direction in (TOSERVER, 1 - TOSERVER):
            if data[direction] and state.parser is not None and not state.parser.upgrade:
                self._feed(flow, state, direction, data[direction], now)

    def renew(self, flow: Flow) -> None:
        """Let the flow's parser start at the next message, where it has none and now one is wanted."""
        state = flow.app
        if state is None or state.parser is not None or state.changes or not self.parses(state.proto):
            return
        if state.ends[0] and state.ends[1]:
            return  # there is no next message
        state.done, state.probe, state.resuming = [True, True], None, True

    def _resumes(self, flow: Flow, state: AppState, direction: int, data: bytes, now: int) -> bool:
        """Start the parser of a flow that goes on in its middle, if these bytes begin a message."""
        if direction != TOSERVER:
            return False
        found = self._tcp if flow.proto == PROTO_TCP else self._udp
        if found.recognise(direction, data, flow.sport, flow.cport) != state.proto:
            return False
        state.resuming = False
        self._open(flow, state, state.proto, None, now)
        return True

    def _state(self, flow: Flow) -> AppState:
        """Give the flow's state, made at first use."""
        state = flow.app
        if state is None:
            state = flow.app = AppState()
        return state

    def _backwards(self, flow: Flow, state: AppState, direction: int, data: bytes) -> bool:
        """Turn a connection picked up midway whose first bytes are those of the other end."""
        if self.turn is None or not flow.flags & F_MIDSTREAM or flow.flags & F_SWAPPED:
            return False
        if state.proto or state.changes or state.expected or state.fed[1 - direction] or state.fed[direction]:
            return False
        name = self._tcp.recognise(direction, data, flow.sport, flow.cport)
        spec = self.specs.get(name)
        if spec is None:
            # Seen from the other end the server's port is the client's.
            name = self._tcp.recognise(1 - direction, data, flow.cport, flow.sport)
            if name not in self.specs:
                return False
        elif spec.sender is None or _sent_by(spec, flow, direction, data) == direction:
            return False
        self.turn(flow)
        return True

    def _answers(self, flow: Flow, direction: int, name: str, data: bytes) -> bool:
        """Turn a flow of datagrams that begins with what only the other end sends in protocol ``name``."""
        spec = self.specs.get(name)
        if self.turn is None or spec is None or spec.sender is None or spec.sender(data) != 1 - direction:
            return False
        self.turn(flow)
        return True

    def _take(self, flow: Flow, state: AppState, direction: int, data: bytes, now: int) -> None:
        """Route bytes of a stream: to the parser, or to recognition while it is not done."""
        if state.resuming and not self._resumes(flow, state, direction, data, now):
            return
        if state.done[direction]:
            if state.proto:
                self._feed(flow, state, direction, data, now)
            else:
                self._hold(state, direction, data)
                self._bail(flow, state, direction)
            return
        self._hold(state, direction, data)
        held = state.probe[direction] if state.probe is not None else b""
        name = self._tcp.recognise(direction, held, flow.sport, flow.cport)
        if name:
            self._settle(flow, state, direction, name, now)
        else:
            self._bail(flow, state, direction)

    def _hold(self, state: AppState, direction: int, data: bytes) -> None:
        """Keep bytes until somebody can make use of them; never more than the probe limit and one piece."""
        if state.probe is None:
            state.probe = [b"", b""]
        held = state.probe[direction]
        if len(held) < self._held:
            state.probe[direction] = held + data if held else data

    def _bail(self, flow: Flow, state: AppState, direction: int) -> None:
        """Give up when much came from one side and nothing from the other."""
        if not state.proto and state.fed[direction] > ONE_SIDED_LIMIT and not state.fed[1 - direction]:
            _note(state, "applayer_proto_detection_skipped")
            self._fail(flow, state)

    def _settle(self, flow: Flow, state: AppState, direction: int, name: str, now: int) -> None:
        """Draw the conclusions from what one direction was recognised as."""
        state.done[direction] = True
        if name == FAILED:
            self._settle_unknown(flow, state, direction, now)
            return
        state.settled[direction] = True
        if state.proto and state.proto != name:
            _note(state, "applayer_mismatch_protocol_both_directions")
            _remember(state, direction, name)
        elif not state.proto and not self._settle_first(flow, state, direction, name, now):
            return
        self._flush(flow, state, direction, now)

    def _settle_first(self, flow: Flow, state: AppState, direction: int, name: str, now: int) -> bool:
        """Take ``name`` as the flow's protocol; False when it cannot have been the one to begin."""
        if state.first >= 0 and state.first not in self.specs[name].first:
            _note(state, "applayer_wrong_direction_first_data")
            _remember(state, direction, name)
            self._fail(flow, state)
            return False
        if state.expected and name != state.expected:
            missing_tls = state.expected == "tls"
            _note(state, "applayer_no_tls_after_starttls" if missing_tls else "applayer_unexpected_protocol")
        self._open(flow, state, name, _carried(state), now)
        other = 1 - direction
        if state.first == other and state.done[other]:
            _note(state, "applayer_detect_protocol_only_one_direction")
            _remember(state, other, FAILED)
            state.settled[other] = True
            self._flush(flow, state, other, now)
        return True

    def _settle_unknown(self, flow: Flow, state: AppState, direction: int, now: int) -> None:
        """Nothing was recognised in this direction: rely on the other, or give up."""
        if state.proto:
            _note(state, "applayer_detect_protocol_only_one_direction")
            _remember(state, direction, FAILED)
            state.settled[direction] = True
            self._flush(flow, state, direction, now)
        elif state.done[1 - direction]:
            if state.expected == "tls":
                _note(state, "applayer_no_tls_after_starttls")
            elif state.expected:
                _note(state, "applayer_unexpected_protocol")
            self._fail(flow, state)

    def _fail(self, flow: Flow, state: AppState) -> None:
        """Give up: the flow has no application that we know."""
        state.proto = flow.app_proto = FAILED
        state.done = [True, True]
        state.settled = [True, True]
        state.probe = None

    def _flush(self, flow: Flow, state: AppState, direction: int, now: int) -> None:
        """Hand the bytes held back to the parser."""
        if state.probe is None or not state.probe[direction]:
            return
        held = state.probe[direction]
        lost = state.fed[direction] - len(held)
        state.probe[direction] = b""
        self._feed(flow, state, direction, held, now)
        if lost > 0 and state.parser is not None and not state.parser.failed:
            state.parser.gap(direction, lost)

    def _gap(self, flow: Flow, state: AppState, direction: int, length: int, now: int) -> None:
        """Tell the parser of a hole; without one, recognition of this direction ends."""
        if not state.done[direction]:
            self._settle(flow, state, direction, FAILED, now)
        parser = state.parser
        if parser is not None and not parser.failed:
            parser.gap(direction, length)
            blame(parser, "gap")
            self._after(flow, state, parser, now)

    def _take_datagram(self, flow: Flow, state: AppState, direction: int, name: str, now: int) -> None:
        """Take what a whole datagram was recognised as; a few are looked at before giving up."""
        state.tries += 1
        if name in {UNKNOWN, FAILED}:
            if state.proto or state.tries >= DATAGRAM_TRIES:
                state.done[direction] = True
            if not state.proto and state.tries >= DATAGRAM_TRIES:
                self._fail(flow, state)
            return
        self._settle(flow, state, direction, name, now)

    def _open(self, flow: Flow, state: AppState, name: str, carried: object, now: int) -> None:
        """Make ``name`` the protocol of the flow and start its parser, if it has one that is wanted."""
        state.proto = flow.app_proto = name
        make = self._makers.get(name)
        if make is None:
            return
        parser = state.parser = make(self._options[name])
        parser.now = now
        parser.wanted_frames = self._frames
        if state.ends[0]:
            parser.after_end[0] = 0
        if state.ends[1]:
            parser.after_end[1] = 0
        parser.open(flow, self.settings, carried)
        if self._frames:
            note_stream(state, parser)

    def _feed(self, flow: Flow, state: AppState, direction: int, data: bytes, now: int) -> None:
        """Give bytes to the parser."""
        parser = state.parser
        if parser is None or parser.failed or parser.bypass:
            return
        parser.now = now
        parser.received[direction] = state.position[direction]
        parser.data(direction, data)
        self._after(flow, state, parser, now)

    def _after(self, flow: Flow, state: AppState, parser: Parser, now: int) -> None:
        """See to transactions that wait for nothing, how many there are, and a change of protocol."""
        if state.ends[0] or state.ends[1]:
            finish(parser)
        if len(parser.transactions) > self._most:
            close_oldest(parser, self._most)
        if parser.known_as and parser.known_as in self.specs and state.parser is parser:
            state.proto = flow.app_proto = parser.known_as
        if parser.upgrade:
            self._change(flow, state, parser, now)

    def _change(self, flow: Flow, state: AppState, parser: Parser, now: int) -> None:
        """Go over to the protocol that the parser announces, with the bytes that it left."""
        name, rest = parser.upgrade, parser.upgrade_data
        parser.upgrade, parser.upgrade_data = "", (b"", b"")
        if state.changes >= MAX_CHANGES or (name != DETECT_ANEW and name not in self.specs):
            parser.bypass = True
            return
        state.changes += 1
        state.orig, state.previous, state.parser = state.proto, parser, None
        state.ts = state.tc = ""
        state.first, state.tries, state.fed = -1, 0, [0, 0]
        state.expected = "" if name == DETECT_ANEW else name
        follows = name in self.specs and self.specs[name].follows
        state.done = [follows, follows]
        state.probe = None
        if follows:
            # The flow keeps its name until there is data of the other protocol.
            state.announced = (name, parser.carry)
        else:
            state.proto = flow.app_proto = UNKNOWN
        for direction in (0, 1):
            if rest[direction]:
                offset = state.position[direction] - len(rest[direction])
                self.data(flow, Chunk(direction, offset, rest[direction]), now)


def _sent_by(spec: ProtocolSpec, flow: Flow, direction: int, data: bytes) -> int:
    """Say which end bytes are from: what they show, or else the end with a port of the protocol's servers."""
    found = spec.sender(data) if spec.sender is not None else -1
    if found >= 0:
        return found
    ports = [span for probing in spec.probings for span in probing.ports]
    client, server = (any(low <= port <= high for low, high in ports) for port in (flow.cport, flow.sport))
    return 1 - direction if client and not server else direction


def _carried(state: AppState) -> object:
    """Give what the parser before a change of protocol hands over."""
    return state.previous.carry if state.previous is not None else None


def _note(state: AppState, event: str) -> None:
    """Record an event of detection once."""
    if event not in state.events:
        state.events.append(event)


def _remember(state: AppState, direction: int, name: str) -> None:
    """Keep what one direction was recognised as, where it is not the flow's protocol."""
    if direction == 0:
        state.ts = name
    else:
        state.tc = name
