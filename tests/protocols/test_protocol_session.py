import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import F_MIDSTREAM, F_SWAPPED, Flow
from appliance.model.packet import Packet
from appliance.protocols import registry
from appliance.protocols.detection import FAILED, UNKNOWN, Detector, match_pattern
from appliance.protocols.session import ONE_SIDED_LIMIT, AppLayer
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

REQUEST = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def flow(proto=6, sport=80):
    return Flow(proto, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, sport)


def feed(layer, where, *pieces):
    for direction, data in pieces:
        layer.data(where, Chunk(direction, 0, data), 1)


@pytest.mark.parametrize(
    ("pattern", "data", "answer"),
    [
        (Pattern(b"SSH-"), b"SSH-2.0", PROBE_YES),
        (Pattern(b"SSH-"), b"SS", PROBE_MAYBE),
        (Pattern(b"SSH-"), b"SX", PROBE_NO),
        (Pattern(b"get ", nocase=True), b"GeT /", PROBE_YES),
        (Pattern(b"ab", offset=2), b"xxab", PROBE_YES),
        (Pattern(b"ab", offset=2), b"xab", PROBE_NO),
        (Pattern(b"ab", depth=6), b"xxxxab", PROBE_YES),
        (Pattern(b"ab", depth=6), b"xxxxxab", PROBE_NO),
        (Pattern(b"\x16\x13", mask=b"\xff\xf0"), b"\x16\x0f", PROBE_NO),
        (Pattern(b"\x16\x00", mask=b"\xff\xf0"), b"\x16\x0f", PROBE_YES),
        (Pattern(b"a", confirm=lambda d: PROBE_NO), b"abc", PROBE_NO),
    ],
)
def test_patterns(pattern, data, answer):
    assert match_pattern(pattern, data) == answer


def test_probing_goes_by_port():
    spec = ProtocolSpec(
        "x", probings=(Probing(lambda d: PROBE_YES if d[0] == 1 else PROBE_NO, 0, ((5, 6),)),)
    )
    detector = Detector([spec], "tcp")
    assert detector.recognise(0, b"\1", 5, 9) == "x"
    assert detector.recognise(0, b"\1", 9, 6) == "x"
    assert detector.recognise(0, b"\1", 7, 9) == FAILED
    assert detector.recognise(1, b"\1", 5, 9) == FAILED
    assert detector.recognise(0, b"", 5, 9) == UNKNOWN


def test_http_on_any_port():
    layer, where = AppLayer(AppSettings()), flow(sport=31337)
    feed(layer, where, (0, REQUEST[:2]), (0, REQUEST[2:]), (1, RESPONSE[:3]), (1, RESPONSE[3:]))
    assert where.app_proto == "http"
    assert where.app.events == []
    assert where.app.parser.transactions[0].log()["status"] == 200


def test_directions_that_differ():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, REQUEST), (1, b"SSH-2.0-x\r\n"))
    assert (where.app_proto, where.app.tc) == ("http", "ssh")
    assert where.app.events == ["applayer_mismatch_protocol_both_directions"]


def test_only_one_direction():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, REQUEST), (1, b"<html>"))
    assert (where.app_proto, where.app.tc) == ("http", "failed")
    assert where.app.events == ["applayer_detect_protocol_only_one_direction"]


def test_unknown_request_is_kept_for_the_parser_that_the_response_names():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, b"FROB /x HTTP/1.1\r\nHost: h\r\n\r\n"), (1, RESPONSE))
    assert where.app.parser.transactions[0].log()["http_method"] == "FROB"


def test_neither_direction_known():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, b"\x99" * 64), (1, b"\x99" * 64))
    assert where.app_proto == FAILED
    feed(layer, where, (0, REQUEST))
    assert where.app_proto == FAILED


def test_much_from_one_side_only():
    layer, where = AppLayer(AppSettings()), flow()
    for _ in range(ONE_SIDED_LIMIT // 1000 + 1):
        feed(layer, where, (0, b"\x99" * 1000))
    assert where.app_proto == FAILED
    assert where.app.events == ["applayer_proto_detection_skipped"]


def test_server_first_where_the_client_has_to_begin():
    layer, where = AppLayer(AppSettings()), flow(sport=3389)
    feed(layer, where, (1, b"\3\0\0\x13\x0e\xd0\0\0\x124\0\2\0\x08\0\2\0\0\0"))
    assert where.app_proto == FAILED
    assert where.app.events == ["applayer_wrong_direction_first_data"]


def test_disabled_protocol_is_not_recognised():
    layer, where = AppLayer(AppSettings(disabled=frozenset({"http"}))), flow()
    feed(layer, where, (0, REQUEST), (1, RESPONSE))
    assert where.app_proto == FAILED


def test_unwanted_protocol_is_named_but_not_parsed():
    layer, where = AppLayer(AppSettings(), frozenset({"dns"})), flow()
    feed(layer, where, (0, REQUEST), (1, RESPONSE))
    assert where.app_proto == "http"
    assert where.app.parser is None


def test_tunnel_is_recognised_anew():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n"))
    assert (where.app_proto, where.app.orig) == ("", "http")
    assert len(where.app.previous.transactions) == 1
    feed(layer, where, (0, REQUEST), (1, RESPONSE))
    assert where.app_proto == "http"
    assert where.app.parser.transactions[0].id == 0


def test_tunnels_in_tunnels_are_bounded():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n" * 3000))
    feed(layer, where, (1, b"HTTP/1.1 200 OK\r\n\r\n" * 3000))
    assert where.app.changes == 8


def test_live_transactions_are_bounded():
    layer, where = AppLayer(AppSettings(max_transactions=10)), flow()
    feed(layer, where, (0, REQUEST * 100))
    open_ = [tx for tx in where.app.parser.transactions if not tx.done]
    assert len(open_) <= 10
    assert len(where.app.parser.transactions) <= 20


def test_gap_reaches_the_parser():
    layer, where = AppLayer(AppSettings()), flow()
    feed(layer, where, (0, REQUEST), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabcde"))
    layer.data(where, Chunk(1, 0, b"", gap=10), 1)
    feed(layer, where, (1, b"vwxyz" + RESPONSE))
    tx = where.app.parser.transactions[0]
    assert tx.files[0].size == 20
    assert (tx.files[0].gaps, tx.files[0].state) == (True, "TRUNCATED")


def test_expected_flow_starts_with_its_parser():
    layer, where = AppLayer(AppSettings()), flow()
    layer.expect(where, "http", None)
    feed(layer, where, (0, b"FROB / HTTP/1.1\r\n\r\n"))
    assert where.app_proto == "http"
    assert len(where.app.parser.transactions) == 1


def test_stun_datagram():
    layer, where = AppLayer(AppSettings()), flow(17, 3478)
    payload = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    packet = Packet(payload, 101, 1, 1)
    packet.payload_len = len(payload)
    layer.datagram(packet, where, 1)
    assert where.app_proto == "stun"


def test_registry_is_consistent():
    assert registry.resolve("http1") == ("http",)
    for name, specs in registry.buffers().items():
        assert all(spec.name == name for spec in specs)
    for spec in registry.ALL.values():
        for item in (*spec.buffers, *spec.values):
            assert spec.name in item.protocols


STEP = st.tuples(
    st.integers(0, 3),
    st.integers(0, 1),
    st.sampled_from([REQUEST, RESPONSE, b"SSH-"]) | st.binary(max_size=64),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([21, 22, 25, 53, 80, 443, 445, 3389]), st.lists(STEP, max_size=10))
def test_nothing_raises(port, steps):
    layer, where = _SHARED, flow(sport=port)
    for kind, direction, data in steps:
        if kind == 3:
            layer.data(where, Chunk(direction, 0, b"", gap=len(data) + 1), 1)
        elif kind == 2:
            layer.end(where, direction, 1)
        else:
            feed(layer, where, (direction, data))
    layer.end(where, 0, 1)
    layer.end(where, 1, 1)


_SHARED = AppLayer(AppSettings())


def turning(where):
    layer = AppLayer(AppSettings())
    turned = []

    def turn(one):
        one.client, one.server, one.cport, one.sport = one.server, one.client, one.sport, one.cport
        one.flags ^= F_SWAPPED
        turned.append(one)

    layer.turn = turn
    return layer, where, turned


@pytest.mark.parametrize(
    ("flags", "data", "turns"),
    [
        (F_MIDSTREAM, RESPONSE, True),
        (F_MIDSTREAM, REQUEST, False),
        (F_MIDSTREAM, b"\x99" * 64, False),
        (0, RESPONSE, False),
    ],
)
def test_a_connection_met_midway_is_turned_by_what_a_server_says(flags, data, turns):
    layer, where, turned = turning(Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 40001))
    where.flags = flags
    feed(layer, where, (0, data))
    assert bool(turned) is turns
    if turns:
        assert where.app_proto == "http"
        assert where.app.fed == [0, len(RESPONSE)]


@pytest.mark.parametrize("answer", [True, False])
def test_datagrams_that_begin_with_an_answer(answer):
    query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\1a\2de\0\0\1\0\1"
    data = query[:2] + b"\x81\x80" + query[4:] if answer else query
    layer, where, turned = turning(Flow(17, b"\x0a\0\0\1", b"\x0a\0\0\2", 53, 53))
    packet = Packet(data, 101, 1, 1)
    packet.payload_len = len(data)
    layer.datagram(packet, where, 1)
    assert bool(turned) is answer
    assert where.app_proto == "dns"
