"""MQTT: packets of all types and versions, exchanges, what goes wrong in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.model.app import COMPLETE
from appliance.protocols.mqtt import SPEC
from appliance.protocols.mqtt.log import limited, size
from appliance.protocols.mqtt.parser import MqttParser, probe, probe_connect
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def word(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes = b"") -> bytes:
    length, out = len(body), bytearray([first])
    while True:
        out.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(out) + body


def connect(version: int, props: bytes = b"") -> bytes:
    name = b"MQIsdp" if version == 3 else b"MQTT"
    extra = packet(0, props)[1:] if version == 5 else b""
    body = word(name) + bytes([version, 0xC6]) + b"\0\x3c" + extra + word(b"id")
    body += (b"\0" if version == 5 else b"") + word(b"will/t") + word(b"will m")
    return packet(0x10, body + word(b"user") + word(b"secret"))


CONNACK = packet(0x20, b"\1\0")
CONNACK5 = packet(0x20, b"\0\x86\3\x22\0\x0a")
SUBSCRIBE = packet(0x82, b"\0\1" + word(b"a/#") + b"\1" + word(b"b") + b"\2")
SUBACK = packet(0x90, b"\0\1\1\x80")
UNSUBSCRIBE5 = packet(0xA2, b"\0\2\0" + word(b"a") + word(b"b"))
UNSUBACK5 = packet(0xB0, b"\0\2\0\0\x11")
PUBLISH2 = packet(0x3D, word(b"t") + b"\0\7" + b"payload")
TURNS = [
    (0, connect(4)),
    (1, CONNACK),
    (0, SUBSCRIBE + PUBLISH2),
    (1, SUBACK + packet(0x50, b"\0\7")),
    (0, packet(0x62, b"\0\7") + packet(0xC0)),
    (1, packet(0x70, b"\0\7") + packet(0xD0) + packet(0x30, word(b"t") + b"x" * 300)),
    (0, packet(0xE0)),
]
TURNS5 = [
    (0, connect(5, b"\x21\0\x14" + b"\x26" + word(b"k") + word(b"v"))),
    (1, CONNACK5),
    (0, UNSUBSCRIBE5),
    (1, UNSUBACK5),
    (0, packet(0x32, word(b"t") + b"\0\x09\0" + b"m")),
    (1, packet(0x40, b"\0\x09\x10") + packet(0xF0, b"\x18\3\x15\0\0") + packet(0xE0, b"\x8e\0")),
]


def test_an_exchange_is_one_transaction():
    mqtt = play(MqttParser, TURNS)
    assert [sorted(tx.log()) for tx in mqtt.transactions] == [
        ["connack", "connect"],
        ["suback", "subscribe"],
        ["pubcomp", "publish", "pubrec", "pubrel"],
        ["pingreq"],
        ["pingresp"],
        ["publish"],
        ["disconnect"],
    ]
    assert all(tx.done and not tx.events for tx in mqtt.transactions)
    first, subscribe, publish = mqtt.transactions[:3]
    wanted = {
        "clientid": b"id",
        "username": b"user",
        "password": b"secret",
        "willtopic": b"will/t",
        "willmessage": b"will m",
        "protocol_string": b"MQTT",
    }
    assert {name: first.buffer(f"mqtt.connect.{name}", 0) for name in wanted} == wanted
    assert first.value("mqtt.connect.flags") == 0xC6
    assert first.value("mqtt.connack.session_present") is True
    assert subscribe.buffer("mqtt.subscribe.topic", 0) == [b"a/#", b"b"]
    assert subscribe.buffer("mqtt.unsubscribe.topic", 0) is None
    assert subscribe.value("mqtt.reason_code") == [1, 0x80]
    assert publish.value("mqtt.type") == [3, 5, 6, 7]
    assert publish.value("mqtt.flags") == [3, 0, 0, 0]
    assert publish.value("mqtt.qos") == [2, 0, 1, 0]
    assert publish.buffer("mqtt.publish.message", 0) == b"payload"


def test_version_5():
    mqtt = play(MqttParser, TURNS5)
    logs = [tx.log() for tx in mqtt.transactions]
    assert logs[0]["connect"]["properties"] == {"receive_maximum": 20, "k": "v"}
    assert logs[0]["connack"]["properties"] == {"topic_alias_maximum": 10}
    assert mqtt.transactions[0].value("mqtt.reason_code") == [0x86]
    assert logs[1]["unsubscribe"]["topics"] == ["a", "b"]
    assert logs[1]["unsuback"]["reason_codes"] == [0, 0x11]
    assert logs[2]["puback"]["reason_code"] == 0x10
    assert logs[3]["auth"]["properties"] == {"authentication_method": ""}
    assert logs[4]["disconnect"]["reason_code"] == 0x8E
    assert mqtt.transactions[4].value("mqtt.protocol_version") == 5


@pytest.mark.parametrize(
    ("turns", "events"),
    [
        ([(1, CONNACK)], ["missing_connect"]),
        ([(0, connect(4)), (0, connect(4))], ["double_connect"]),
        ([(0, packet(0xC0))], ["unintroduced_message"]),
        ([(1, packet(0x40, b"\0\1"))], ["missing_publish", "unintroduced_message"]),
        ([(1, SUBACK)], ["missing_subscribe", "unintroduced_message"]),
        ([(1, UNSUBACK5)], ["missing_unsubscribe", "unintroduced_message"]),
        ([(0, packet(0x36, word(b"t")))], ["unintroduced_message", "invalid_qos_level"]),
        ([(0, packet(0x32, word(b"t")))], ["unintroduced_message", "missing_msg_id"]),
        ([(0, packet(0x00))], ["unintroduced_message", "unassigned_msg_type"]),
        ([(0, packet(0x30, b"\0\x09x"))], ["malformed_traffic"]),
        ([(0, b"\x30\xff\xff\xff\xff\1")], ["malformed_traffic"]),
    ],
)
def test_events(turns, events):
    assert play(MqttParser, turns).transactions[-1].events == events


def test_answers_come_from_the_other_end():
    mqtt = play(MqttParser, [*TURNS[:2], (0, packet(0x32, word(b"t") + b"\0\1")), (0, packet(0x40, b"\0\1"))])
    assert mqtt.transactions[-1].events == ["missing_publish"]
    assert mqtt.transactions[1].progress[0] < COMPLETE


def test_big_packets_are_passed_over():
    big = packet(0x32, word(b"t") + b"\0\1" + bytes(1000))
    mqtt = play(MqttParser, [*TURNS[:2], (0, big), *TURNS[2:4]], options={"max-msg-length": 500})
    assert mqtt.transactions[1].log() == {
        "publish": {"qos": 1, "retain": False, "dup": False, "truncated": True, "skipped_length": len(big)}
    }
    assert "suback" in mqtt.transactions[2].log()


def test_waiting_exchanges_are_bounded():
    publishes = [(0, packet(0x32, word(b"t") + i.to_bytes(2, "big"))) for i in range(30)]
    mqtt = play(MqttParser, [*TURNS[:2], *publishes], options={"max-tx": 10})
    waiting = [tx for tx in mqtt.transactions if not tx.done]
    assert len(waiting) == 10
    assert mqtt.transactions[1].events == ["too_many_transactions"]


def test_limits_of_the_log():
    (tx,) = play(MqttParser, [(0, SUBSCRIBE)]).transactions
    (body,) = tx.records({"string-log-limit": 3})
    assert body["subscribe"]["topics"] == [{"topic": "a/#", "qos": 1}]
    assert limited(b"topicY", 4) == "topi[truncated 2 additional bytes]"
    assert [size(x, 7) for x in (10, "1kb", "2 MB", None, "x", True, -1)] == [10, 1024, 2 << 20, 7, 7, 7, 7]
    (tx,) = play(MqttParser, [(0, connect(4))]).transactions
    assert "password" not in tx.records({"passwords": False})[0]["connect"]


@pytest.mark.parametrize(
    ("data", "any_packet", "beginning"),
    [
        (connect(3), PROBE_YES, PROBE_YES),
        (connect(4)[:6], PROBE_YES, PROBE_MAYBE),
        (CONNACK, PROBE_YES, PROBE_NO),
        (b"\x10", PROBE_MAYBE, PROBE_MAYBE),
        (b"\0\0", PROBE_NO, PROBE_NO),
        (b"\x36\2", PROBE_NO, PROBE_NO),
        (b"\x10\xff\xff\xff\xff", PROBE_NO, PROBE_NO),
    ],
)
def test_recognition(data, any_packet, beginning):
    assert (probe(data), probe_connect(data)) == (any_packet, beginning)


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    for turns in (TURNS, TURNS5):
        assert picture(play(MqttParser, cut(turns, sizes))) == picture(play(MqttParser, turns))


@given(hurt(TURNS5))
def test_no_bytes_raise(turns):
    mqtt = play(MqttParser, turns)
    mqtt.gap(0, 5)
    mqtt.end(0)
    exercise(mqtt, SPEC)
