"""Applications that are named without being parsed, and what only looks like them."""

from __future__ import annotations

import pytest

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP
from appliance.protocols import registry
from appliance.protocols.session import AppLayer

CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
HELLO = b"\x05\x02\x00\x02"
MONGO = (36).to_bytes(4, "little") + bytes(8) + (2013).to_bytes(4, "little") + bytes(20)


@pytest.mark.parametrize(
    ("name", "port", "direction", "said"),
    [
        ("ajp", 8009, 0, b"\x12\x34\x00\x10\x02\x02\x00\x08HTTP/1.1"),
        ("amqp", 4000, 0, b"AMQP\0\0\x09\x01"),
        ("git", 9418, 0, b"0033git-upload-pack /project.git\0host=myserver.com\0"),
        ("memcached", 11211, 0, b"get key\r\n"),
        ("mongodb", 27017, 0, MONGO),
        ("rsync", 873, 1, b"@RSYNCD: 31.0\n"),
        ("rtsp", 554, 0, b"DESCRIBE rtsp://cam/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("socks", 1080, 0, HELLO),
        ("x11", 6000, 0, b"l\0\x0b\0\0\0\0\0\0\0\0\0"),
        ("xmpp", 5222, 0, b"<stream:stream xmlns='jabber:client' to='x'>"),
        ("", 1081, 0, HELLO[:2]),
        ("failed", 27018, 0, MONGO),
    ],
)
def test_recognised(name, port, direction, said):
    flow, layer = Flow(PROTO_TCP, CLIENT, SERVER, 40_000, port), AppLayer(AppSettings())
    layer.data(flow, Chunk(direction, 0, said), 1)
    layer.data(flow, Chunk(1 - direction, 0, b"\x00\x99\x88\x77" * 8), 1)
    assert flow.app_proto == name if name else flow.app_proto in {"", "failed"}


def test_policies_can_name_more_than_forty_applications():
    assert len(registry.ALL) > 50
