"""Building blocks of the detection tests: packets, flows, a toy protocol and rules from text."""

from __future__ import annotations

from appliance.config.settings import DetectSettings
from appliance.detect.compiler import compile_rules
from appliance.detect.detector import Detector
from appliance.detect.resources import NONE
from appliance.model.app import COMPLETE, AppState, BufferSpec, Parser, Transaction, ValueSpec
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow, FlowState
from appliance.model.packet import Packet
from appliance.model.tcp import TcpSession, TcpState
from appliance.rulelang.context import RuleContext
from appliance.rulelang.parse import parse_file

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\xc0\xa8\x00\x02"
NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
SETTINGS = DetectSettings()
BUFFERS = {
    "http.uri": BufferSpec("http.uri", ("http",), (0,), 30),
    "http.uri.raw": BufferSpec("http.uri.raw", ("http",), (0,), 30),
    "http.method": BufferSpec("http.method", ("http",), (0,), 10),
    "http.host": BufferSpec("http.host", ("http",), (0,), 50),
    "http.request_body": BufferSpec("http.request_body", ("http",), (0,), COMPLETE, growing=True),
    "http.header": BufferSpec("http.header", ("http",), (0, 1), 50),
    "http.stat_code": BufferSpec("http.stat_code", ("http",), (1,), 30),
    "file.data": (BufferSpec("file.data", ("http",), (0, 1), COMPLETE, growing=True, multi=True),),
    "dns.query": BufferSpec("dns.query", ("dns",), (0, 1), COMPLETE, multi=True),
}
VALUES = {"dns.opcode": ValueSpec("dns.opcode", ("dns",), (0, 1))}


class ToyTx(Transaction):
    """A transaction whose buffers are whatever the test says."""

    __slots__ = ("buffers", "numbers")

    def __init__(self, tx_id=0, progress=(COMPLETE, COMPLETE), **buffers):
        super().__init__(tx_id)
        self.progress = list(progress)
        self.buffers = {name.replace("__", "."): value for name, value in buffers.items()}
        self.numbers = {}

    def buffer(self, name, direction):
        return self.buffers.get(name)

    def value(self, name):
        return self.numbers.get(name)

    def log(self):
        return {}


class ToyParser(Parser):
    """A parser that is handed its transactions."""

    def data(self, direction, chunk):
        pass


def parse(text, settings=SETTINGS):
    """Read rules, all of which have to be right."""
    result = parse_file(text, "test.rules", RuleContext.from_settings(settings))
    assert not result.errors, result.errors
    return result.rules


def rules_of(*bodies):
    """Make rule text of bodies, each with its own sid where it has none."""
    lines = []
    for number, body in enumerate(bodies, 1):
        lines.append(body if "sid:" in body else body.rstrip()[:-1] + f" sid:{number};)")
    return "\n".join(lines)


def compiled(*bodies, settings=SETTINGS, resources=NONE, cache=None):
    """Compile rules that all have to be accepted."""
    rules = parse(rules_of(*bodies), settings)
    ruleset, errors = compile_rules(rules, settings, BUFFERS, VALUES, cache, files_and_tables=resources)
    assert not errors, errors
    return ruleset


def refused(*bodies, settings=SETTINGS, resources=NONE):
    """Give the keywords for which rules are refused."""
    rules = parse(rules_of(*bodies), settings)
    return [
        e.keyword
        for e in compile_rules(rules, settings, BUFFERS, VALUES, None, files_and_tables=resources)[1]
    ]


def detector(*bodies, settings=SETTINGS, resources=NONE, thresholds=None, clock=None):
    """Make a detector of rules."""
    return Detector(compiled(*bodies, settings=settings, resources=resources), settings, thresholds, clock)


def packet(payload=b"", direction=0, proto=17, sport=1234, dport=53, **fields):
    """Make a decoded packet between the two ends."""
    made = Packet(bytes(42) + payload, 1, NOW, 1)
    made.ip_version, made.proto = 4, proto
    made.src, made.dst = (CLIENT, SERVER) if direction == 0 else (SERVER, CLIENT)
    made.sport, made.dport = (sport, dport) if direction == 0 else (dport, sport)
    made.ip_off, made.ip_hlen, made.l4_off = 14, 20, 34
    made.payload_off, made.payload_len = 42, len(payload)
    made.direction = direction
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def flow(proto=6, app="", txs=(), established=True):
    """Make an established flow, with transactions when a protocol is given."""
    made = Flow(proto, CLIENT, SERVER, 1234, 80)
    made.state = FlowState.ESTABLISHED if established else FlowState.NEW
    if proto == 6:
        made.tcp = TcpSession()
        made.tcp.state = TcpState.ESTABLISHED if established else TcpState.SYN_SENT
    if app:
        made.app = AppState()
        made.app.proto = app
        made.app.done, made.app.settled = [True, True], [True, True]
        made.app.parser = ToyParser()
        made.app.parser.transactions = list(txs)
    return made


def tcp(payload=b"", direction=0, **fields):
    """Make a TCP packet."""
    return packet(payload, direction, 6, 1234, 80, **fields)


def sids(detection):
    """Give the sids reported."""
    return [] if detection is None else [m.rule.sid for m in detection.matches if m.alert]


def feed(engine, stream, data, direction=0, offset=None, now=NOW, **fields):
    """Hand on a piece of a stream and inspect a packet of its direction."""
    if data:
        tail = stream.detect.tails[direction].end if stream.detect is not None else 0
        engine.stream_data(stream, Chunk(direction, tail if offset is None else offset, data))
    return sids(engine.inspect(tcp(b"", direction, **fields), stream, now))


def payload_matches(rule_options, payload):
    """Tell whether a UDP rule with these options matches a packet with this payload."""
    engine = detector(f"alert udp any any -> any any ({rule_options})")
    return sids(engine.inspect(packet(payload), None, NOW)) == [1]
