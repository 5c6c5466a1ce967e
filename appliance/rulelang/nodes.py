"""Nodes of the rule tree for options about applications, files, lists and the wider state.

Import them from :mod:`tree`, which has all nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.rulelang.node import Node, Number


@dataclass(frozen=True, slots=True)
class IntSet(Node):
    """A number keyword with a list of alternatives (``dcerpc.opnum:1,5-7``): inclusive ranges, sorted."""

    keyword: str
    ranges: tuple[tuple[int, int], ...]
    negated: bool = False
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Frame(Node):
    """Select a frame as the buffer of what follows; ``name`` has no protocol ("smtp.data": "data")."""

    protocol: str  # "" when the rule's own protocol is meant
    name: str


@dataclass(frozen=True, slots=True)
class Absent(Node):
    """``absent``: the selected buffer is not there; with ``or_else`` or the other matches on it hold."""

    or_else: bool = False


@dataclass(frozen=True, slots=True)
class Base64Decode(Node):
    """``base64_decode``: fill the ``base64_data`` buffer. ``nbytes`` 0 is all that is left."""

    nbytes: Number = 0
    offset: Number = 0
    relative: bool = False


@dataclass(frozen=True, slots=True)
class StreamSize(Node):
    """``stream_size``: bytes seen of ``direction`` (client, server, both, either)."""

    direction: str
    operator: str  # < > = != <= >=
    size: int


@dataclass(frozen=True, slots=True)
class IpProto(Node):
    """``ip_proto``: number of the protocol above IP; ``operator``: = != < >."""

    operator: str
    number: int


@dataclass(frozen=True, slots=True)
class Rpc(Node):
    """``rpc``: SunRPC call; None stands for any (``*``)."""

    program: int
    version: int | None = None
    procedure: int | None = None


@dataclass(frozen=True, slots=True)
class AppProtocol(Node):
    """``app-layer-protocol``. ``name`` may be "failed" or "unknown".

    ``mode``: "" (the direction of the packet), "final", "either", "to_server", "to_client", "original".
    """

    name: str
    negated: bool = False
    mode: str = ""


@dataclass(frozen=True, slots=True)
class AppState(Node):
    """``app-layer-state``: how far a transaction is (``<client_hello_done``); operator: "=" "<" ">" ."""

    name: str
    operator: str = "="


@dataclass(frozen=True, slots=True)
class Tag(Node):
    """``tag``: log more packets after the alert. ``metric``: packets, seconds, bytes."""

    kind: str  # session, host
    count: int = 0
    metric: str = ""
    direction: str = ""  # src, dst (host only)


@dataclass(frozen=True, slots=True)
class Filestore(Node):
    """``filestore``. ``direction``: "" (the rule's), to_server, to_client, both; scope: file, tx, flow."""

    direction: str = ""
    scope: str = "file"


@dataclass(frozen=True, slots=True)
class FileHash(Node):
    """``filemd5``, ``filesha1``, ``filesha256``: the hash is in the list at ``path``."""

    algorithm: str  # md5, sha1, sha256
    path: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Dataset(Node):
    """``dataset``: look up (or add) the selected buffer's value.

    ``type``: string, md5, sha256, ipv4, ip. ``format``: "csv" (plain list), "json", "ndjson"; the keys
    belong to the JSON formats. Sizes are bytes, 0 is the default.
    """

    command: str  # set, unset, isset, isnotset
    name: str
    type: str = ""
    load: str = ""
    save: str = ""
    memcap: int = 0
    hashsize: int = 0
    format: str = "csv"
    context_key: str = ""
    value_key: str = ""
    array_key: str = ""
    remove_key: bool = False
    match: str = ""  # "subdomain": a listed domain stands for all below it


@dataclass(frozen=True, slots=True)
class Datarep(Node):
    """``datarep``: compare the reputation stored for the selected buffer's value."""

    name: str
    operator: str  # < > = (and <= >= !=)
    value: int
    type: str = ""
    load: str = ""
    memcap: int = 0
    hashsize: int = 0


@dataclass(frozen=True, slots=True)
class Iprep(Node):
    """``iprep``: reputation of an address. ``operator`` is a comparison, "isset" or "isnotset"."""

    direction: str  # any, src, dst, both
    category: str
    operator: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class GeoIp(Node):
    """``geoip``: country codes; ``direction``: any, src, dst, both."""

    countries: tuple[str, ...]
    direction: str = "any"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Entropy(Node):
    """``entropy``: Shannon entropy (bits for each byte) of a piece of the selected buffer.

    ``operator`` as in :class:`IntMatch` ("range" is inclusive here); ``nbytes`` 0 is all.
    """

    operator: str
    low: float
    high: float = 0.0
    nbytes: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ConfigOption(Node):
    """``config``: change a setting for what matched: ``config: logging disable, type tx, scope tx``."""

    setting: str
    value: str
    type: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Modbus(Node):
    """``modbus``. Value tests are (operator, low, high) with operators of :class:`IntMatch`."""

    function: int | None = None
    subfunction: int | None = None
    category: str = ""  # assigned, unassigned, public, user, reserved, all
    negated: bool = False
    unit: tuple[str, int, int] | None = None
    access: str = ""  # read, write
    access_type: str = ""  # discretes, coils, input, holding
    address: tuple[str, int, int] | None = None
    value: tuple[str, int, int] | None = None
