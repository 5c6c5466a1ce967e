"""The typed tree of a rule: what it says, and where in the file it says so.

One dataclass for each kind of option. The parser makes them, detection compiles them; neither
looks at text again. Source: Suricata manual, chapter "Suricata Rules".
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a rule file; line and column count from 1."""

    file: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class RuleError:
    """Why a rule was refused. ``keyword`` names the option, "" when it is the header or the form."""

    position: Position
    keyword: str
    reason: str
    hint: str = ""
    sid: int = 0


# A number or the name of a byte_extract / byte_math variable.
Number = int | str


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Resolved addresses: (version, first, last) integer ranges; ``any`` is both versions in full."""

    ranges: tuple[tuple[int, int, int], ...] = ()
    any: bool = False


@dataclass(frozen=True, slots=True)
class PortSet:
    """Resolved ports as inclusive ranges, sorted and disjoint."""

    ranges: tuple[tuple[int, int], ...] = ()
    any: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all options."""

    position: Position = field(repr=False, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Buffer(Node):
    """Select a sticky buffer by its present-day name ("http.uri"); "" is the payload/stream.

    ``direction`` ("to_server", "to_client") is set by ``file.data:to_client`` in ``=>`` rules.
    """

    name: str
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Transform(Node):
    """Change the selected buffer before matching: ``to_md5``, ``dotprefix``, ``xor`` ..."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Content(Node):
    """A ``content`` with all its modifiers. ``buffer`` is set by the legacy content modifiers."""

    pattern: bytes
    negated: bool = False
    nocase: bool = False
    rawbytes: bool = False
    depth: Number | None = None
    offset: Number | None = None
    distance: Number | None = None
    within: Number | None = None
    startswith: bool = False
    endswith: bool = False
    fast_pattern: bool = False
    fast_pattern_only: bool = False
    fast_pattern_chop: tuple[int, int] | None = None  # (offset, length)
    replace: bytes | None = None


@dataclass(frozen=True, slots=True)
class Pcre(Node):
    """A regular expression.

    ``flags`` are letters imsxAEG (G: ungreedy) and Suricata's O (no match limit) and B (raw);
    ``relative`` is R; ``captures`` name the variables of ``pkt:``/``flow:``/``alert:`` groups in order,
    with that prefix.
    """

    pattern: bytes
    flags: str = ""
    relative: bool = False
    negated: bool = False
    captures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ByteTest(Node):
    """``byte_test``: compare ``nbytes`` at ``offset`` with ``value``; ``operator``: < > = <= >= & ^."""

    nbytes: Number
    operator: str
    value: Number
    offset: Number
    negated: bool = False
    relative: bool = False
    endian: str = "big"  # "little", or "dce"
    string: str = ""  # "hex", "dec", "oct"; "" is binary
    bitmask: int | None = None


@dataclass(frozen=True, slots=True)
class ByteJump(Node):
    """``byte_jump``: read a number and move the cursor by it."""

    nbytes: Number
    offset: Number
    relative: bool = False
    multiplier: int = 1
    endian: str = "big"
    string: str = ""
    align: bool = False
    from_beginning: bool = False
    from_end: bool = False
    post_offset: Number = 0
    bitmask: int | None = None


@dataclass(frozen=True, slots=True)
class ByteExtract(Node):
    """``byte_extract``: read a number into a variable."""

    nbytes: int
    offset: Number
    name: str
    relative: bool = False
    multiplier: int = 1
    endian: str = "big"
    string: str = ""
    align: int = 0
    bitmask: int | None = None


@dataclass(frozen=True, slots=True)
class ByteMath(Node):
    """``byte_math``: read a number, combine it with ``rvalue``, store the result."""

    nbytes: Number
    offset: Number
    operator: str  # + - * / << >>
    rvalue: Number
    result: str
    relative: bool = False
    endian: str = "big"
    string: str = ""
    bitmask: int | None = None


@dataclass(frozen=True, slots=True)
class IsDataAt(Node):
    """``isdataat``: is there data at this offset."""

    offset: Number
    relative: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IntMatch(Node):
    """Any keyword that compares an unsigned number: ``dsize``, ``ttl``, ``urilen``, ``bsize`` ...

    ``operator``: "=", "!=", "<", "<=", ">", ">=", "range" (``low`` < x < ``high``, exclusive),
    "!range", "&", "!&", "&=" (x & low == high), "&!=" . Inclusive forms are brought to these.
    """

    keyword: str
    operator: str
    low: int
    high: int = 0
    extra: str = ""  # a keyword's further argument, as written (urilen's "raw")


@dataclass(frozen=True, slots=True)
class FlowOption(Node):
    """``flow``. Direction is "", "to_server" or "to_client"."""

    direction: str = ""
    established: bool | None = None  # False: not_established
    stateless: bool = False
    only_stream: bool | None = None  # False: no_stream
    only_frag: bool | None = None  # False: no_frag


@dataclass(frozen=True, slots=True)
class Bits(Node):
    """``flowbits``, ``xbits`` and ``hostbits``. ``names`` are alternatives joined by ``|``."""

    kind: str  # "flowbits", "xbits", "hostbits"
    command: str  # set, unset, toggle, isset, isnotset, noalert
    names: tuple[str, ...] = ()
    track: str = ""  # ip_src, ip_dst, ip_pair, tx / src, dst, both
    expire: int = 0  # seconds


@dataclass(frozen=True, slots=True)
class FlowInt(Node):
    """``flowint``: name, modifier (+ - = < > <= >= == != isset notset), value or another variable."""

    name: str
    modifier: str
    value: Number = 0


@dataclass(frozen=True, slots=True)
class Threshold(Node):
    """``threshold``, ``detection_filter`` and rate filters."""

    kind: str  # limit, threshold, both, backoff, detection_filter
    track: str  # by_src, by_dst, by_rule, by_both, by_flow
    count: int
    seconds: int
    multiplier: int = 0


@dataclass(frozen=True, slots=True)
class TcpFlags(Node):
    """``tcp.flags``: modifier "" (exact), "+", "*", "!"; ``ignore`` are the masked flags."""

    flags: int
    modifier: str = ""
    ignore: int = 0


@dataclass(frozen=True, slots=True)
class FragBits(Node):
    """``fragbits``: M=1, D=2, R=4; modifier as for flags."""

    bits: int
    modifier: str = ""


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


@dataclass(frozen=True, slots=True)
class Text(Node):
    """Any other keyword with its argument as written, already checked.

    For instance ``ipopts``, ``app-layer-event``, ``decode-event``, ``stream-event``. Blanks around
    commas are gone, names without case are lower case.
    """

    keyword: str
    argument: str = ""
    negated: bool = False


Option = (
    Buffer
    | Transform
    | Content
    | Pcre
    | ByteTest
    | ByteJump
    | ByteExtract
    | ByteMath
    | IsDataAt
    | IntMatch
    | FlowOption
    | Bits
    | FlowInt
    | Threshold
    | TcpFlags
    | FragBits
    | IntSet
    | Frame
    | Absent
    | Base64Decode
    | StreamSize
    | IpProto
    | Rpc
    | AppProtocol
    | AppState
    | Tag
    | Filestore
    | FileHash
    | Dataset
    | Datarep
    | Iprep
    | GeoIp
    | Entropy
    | ConfigOption
    | Modbus
    | Text
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``options`` keep the order written, without the descriptive ones lifted out here.

    ``protocol`` is lower case ("tcp", "tcp-pkt", "http"); ``hook`` is what follows it after a colon
    ("http1:request_headers" gives "request_headers").
    """

    position: Position
    text: str
    action: str  # alert, drop, reject, rejectsrc, rejectdst, rejectboth, pass, config
    protocol: str
    source: AddressSet
    source_ports: PortSet
    direction: str  # "->", "<>", "=>"
    destination: AddressSet
    destination_ports: PortSet
    options: tuple[Option, ...]
    hook: str = ""
    sid: int = 0
    gid: int = 1
    rev: int = 0
    msg: str = ""
    classtype: str = ""
    category: str = ""  # the classtype's description
    priority: int = 3
    references: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    noalert: bool = False
    bypass: bool = False
    prefilter: str = ""  # keyword that the ``prefilter`` option follows
    target: str = ""  # "src_ip", "dest_ip"
