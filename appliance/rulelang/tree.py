"""The typed tree of a rule: what it says, and where in the file it says so.

One dataclass for each kind of option. The parser makes them, detection compiles them; neither
looks at text again. Source: Suricata manual, chapter "Suricata Rules".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.rulelang.node import Node, Number, Position
from appliance.rulelang.nodes import (
    Absent,
    AppProtocol,
    AppState,
    Base64Decode,
    ConfigOption,
    Datarep,
    Dataset,
    Entropy,
    FileHash,
    Filestore,
    Frame,
    GeoIp,
    IntSet,
    IpProto,
    Iprep,
    Modbus,
    Rpc,
    StreamSize,
    Tag,
)

__all__ = [
    "Absent",
    "AddressSet",
    "AppProtocol",
    "AppState",
    "Base64Decode",
    "Bits",
    "Buffer",
    "ByteExtract",
    "ByteJump",
    "ByteMath",
    "ByteTest",
    "ConfigOption",
    "Content",
    "Datarep",
    "Dataset",
    "Entropy",
    "FileHash",
    "Filestore",
    "FlowInt",
    "FlowOption",
    "FragBits",
    "Frame",
    "GeoIp",
    "IntMatch",
    "IntSet",
    "IpProto",
    "Iprep",
    "IsDataAt",
    "Modbus",
    "Node",
    "Number",
    "Option",
    "Pcre",
    "PortSet",
    "Position",
    "Rpc",
    "Rule",
    "RuleError",
    "StreamSize",
    "Tag",
    "TcpFlags",
    "Text",
    "Threshold",
    "Transform",
]


@dataclass(frozen=True, slots=True)
class RuleError:
    """Why a rule was refused. ``keyword`` names the option, "" when it is the header or the form."""

    position: Position
    keyword: str
    reason: str
    hint: str = ""
    sid: int = 0


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Resolved addresses: (version, first, last) integer ranges; ``any`` is both versions in full.

    ``negated``: written with a "!" somewhere, which changes how often a rule on addresses alone matches.
    """

    ranges: tuple[tuple[int, int, int], ...] = ()
    any: bool = False
    negated: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class PortSet:
    """Resolved ports as inclusive ranges, sorted and disjoint."""

    ranges: tuple[tuple[int, int], ...] = ()
    any: bool = False


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
    alert: bool = False  # the option ``alert``: a ``pass`` rule is reported too
