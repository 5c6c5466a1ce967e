"""Every parser against long runs of small messages: cost and memory stay in proportion to the bytes."""

import sys

import pytest

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.protocols import registry
from appliance.protocols.session import AppLayer

PARSED = sorted(name for name, spec in registry.ALL.items() if spec.parser is not None)
LIMIT = 256  # transactions of a flow
CALLS_AT_ONCE = 64  # per byte, when all comes in one piece
CALLS_IN_BYTES = 120  # per byte, when each comes by itself
ANY = (
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b"A",
    b"a\n",
    b"a: b\r\n",
    b"\x30\x02\x02\x01",
    b"\x30\x80",
    b"\x82\0",
    b"\1\0\0\0",
    b"\0\0\0\1",
    b"\0\4abcd",
)
_SMB1 = b"\0\0\0\x23\xffSMB%c" + bytes(4) + b"%c" + bytes(22) + b"\0\0\0"
_SMB2 = b"\0\0\0\x49\xfeSMB\x40\0" + bytes(6) + b"%c\0" + bytes(2) + b"%c" + bytes(47) + bytes(9)
# Smallest messages of protocols that need more than luck to be spoken.
OWN = {
    "http": (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"1\r\na\r\n"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0", b"\0\0\1\1\5\0\0\0\1\x82"),
    "dns": (b"\0\x0c\x12\x34\1\0\0\0\0\0\0\0\0\0", b"\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1"),
    "tls": (b"\x16\3\1\0\4\1\0\0\0", b"\x15\3\1\0\2\1\0", b"\x16\3\3\0\1\1"),
    "ssh": (b"SSH-2.0-x\r\n", b"\0\0\0\4\2\x14\0\0"),
    "smb": tuple(
        form % (command, flag) for form in (_SMB1, _SMB2) for command in (0, 5, 0x0B, 0x73) for flag in (0, 1)
    ),
    "dcerpc": (b"\5\0\0\3\x10\0\0\0\x18\0\0\0\1\0\0\0" + bytes(8),),
    "smtp": (b"EHLO x\r\n", b"250-x\r\n", b"MAIL FROM:<a>\r\n", b"DATA\r\n.\r\n"),
    "ftp": (b"USER x\r\n", b"220-x\r\n", b"PORT 1,2,3,4,5,6\r\n"),
    "pop3": (b"RETR 1\r\n", b"+OK\r\n.\r\n"),
    "mqtt": (b"\xc0\0", b"\x30\3\0\1a"),
    "websocket": (b"\x81\0", b"\x82\x80\0\0\0\0"),
    "ldap": (b"\x30\5\2\1\1\x42\0",),
    "rfb": (b"RFB 003.008\n", b"\1\1"),
    "modbus": (b"\0\1\0\0\0\2\1\7",),
    "sip": (b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"),
    "pgsql": (b"Q\0\0\0\5\0", b"Z\0\0\0\5I"),
    "nfs": (b"\x80\0\0\x28\0\0\0\1\0\0\0\0\0\0\0\2\0\1\x86\xa3\0\0\0\3" + bytes(20),),
    "enip": (b"\4\0\0\0" + bytes(20),),
    "dnp3": (b"\5\x64\5\xc4\1\0\2\0\0\0",),
    "krb5": (b"\0\0\0\4\x6a\2\x30\0",),
    "rdp": (b"\3\0\0\7\2\xf0\x80",),
}
OWN["doh2"] = OWN["http2"]
OWN["mdns"] = OWN["llmnr"] = OWN["dns"]


class Calls:
    """Counts calls of functions, of Python and of C."""

    def __init__(self):
        self.count = 0

    def __call__(self, frame, event, argument):
        self.count += event in {"call", "c_call"}


def play(name, direction, pieces):
    """Feed a flow that goes by ``name``; give it and the calls that it took."""
    spec = registry.ALL[name]
    layer = AppLayer(AppSettings(enabled=frozenset(PARSED), max_transactions=LIMIT))
    stream = "tcp" in spec.transports
    flow = Flow(6 if stream else 17, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 40001)
    layer.expect(flow, name, None, 1)
    calls = Calls()
    packets = [datagram(direction, piece) for piece in pieces]
    chunks = [Chunk(direction, 0, piece) for piece in pieces]
    sys.setprofile(calls)
    try:
        for chunk, packet in zip(chunks, packets, strict=True):
            if stream:
                layer.data(flow, chunk, 1)
            else:
                layer.datagram(packet, flow, 1)
    finally:
        sys.setprofile(None)
    return flow, calls.count


def datagram(direction, data):
    packet = Packet(data, 101, 1, 1)
    packet.payload_len = len(data)
    packet.direction = direction
    return packet


def check(flow):
    for parser in (flow.app.parser, flow.app.previous):
        if parser is not None:
            assert len(parser.transactions) <= 2 * LIMIT
            for tx in parser.transactions[:50]:
                tx.records({})


def repeated(seed, size):
    return (seed * (size // len(seed) + 1))[:size]


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("name", PARSED)
def test_many_small_messages_at_once(name, direction):
    size = 4096
    for seed in (*OWN.get(name, ()), *ANY):
        flow, calls = play(name, direction, [repeated(seed, size)])
        assert calls <= CALLS_AT_ONCE * size, seed
        check(flow)


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("name", PARSED)
def test_byte_by_byte_costs_the_same_at_any_length(name, direction):
    for seed in (*OWN.get(name, ()), *ANY):
        cost = []
        for size in (192, 768):
            data = repeated(seed, size)
            flow, calls = play(name, direction, [data[at : at + 1] for at in range(size)])
            cost.append(calls / size)
            check(flow)
        assert cost[-1] <= CALLS_IN_BYTES, seed
        assert cost[-1] <= 2 * cost[0] + 10, seed
