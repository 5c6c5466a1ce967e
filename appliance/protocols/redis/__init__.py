"""Redis."""

from __future__ import annotations

from appliance.model.app import BufferSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.redis.parser import RedisParser, probe, probe_reply
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

SPEC = ProtocolSpec(
    "redis",
    parser=RedisParser,
    patterns=((Pattern(b"*", confirm=probe),), ()),
    probings=(Probing(probe_reply, TOCLIENT, ((6379, 6379),)),),
    buffers=(BufferSpec("redis.command", ("redis",), (TOSERVER,)),),
    first=(TOSERVER,),
    log="redis",
)
