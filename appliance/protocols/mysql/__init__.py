"""MySQL and MariaDB."""

from __future__ import annotations

from appliance.model.app import BufferSpec
from appliance.model.packet import TOSERVER
from appliance.protocols.mysql.parser import MysqlParser, probe_greeting, probe_login
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

SPEC = ProtocolSpec(
    "mysql",
    parser=MysqlParser,
    patterns=((), (Pattern(b"\0\x0a", offset=3, confirm=probe_greeting),)),
    probings=(Probing(probe_login, TOSERVER, ((3306, 3306),)),),
    buffers=(BufferSpec("mysql.query", ("mysql",), (TOSERVER,)),),
    log="mysql",
)
