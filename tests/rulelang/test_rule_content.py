"""Contents, their modifiers, and the buffers they look at."""

from __future__ import annotations

import pytest

from appliance.rulelang.parse import parse_file
from appliance.rulelang.source import decode_rules
from appliance.rulelang.tree import Base64Decode, Buffer, ByteTest, Content, IsDataAt, Pcre, Transform


def shape(nodes) -> list[object]:
    """Buffers as "@name", transforms as "~name", contents as their pattern, the rest by type."""
    out: list[object] = []
    for node in nodes:
        match node:
            case Buffer(name=name):
                out.append(f"@{name}")
            case Transform(name=name):
                out.append(f"~{name}")
            case Content(pattern=pattern):
                out.append(pattern.decode("latin-1"))
            case _:
                out.append(type(node).__name__)
    return out


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("abc", b"abc"),
        ("|41 42|c", b"ABc"),
        ("|4142|", b"AB"),
        ("|41  42|", b"AB"),
        ("|4 1|", b"A"),
        ("a|0d 0A|b|00|", b"a\r\nb\0"),
        (r"a\;b\:c\"d\\e", b'a;b:c"d\\e'),
        ("é", "é".encode()),
        ("a||b", b"ab"),
    ],
)
def test_pattern_bytes(options, text, pattern) -> None:
    (node,) = options(f'content:"{text}";')
    assert node.pattern == pattern


@pytest.mark.parametrize(
    ("argument", "offset", "reason"),
    [
        ('"abc|4g|"', 6, "not a hex digit"),
        ('"abc|414|"', 5, "only one digit"),
        ('"abc|41"', 4, "never closed"),
        (r'"ab\xcd"', 4, "needs no backslash"),
        ('"ab"cd"', 3, "double quote"),
        ('""', 1, "empty"),
        ("abc", 0, "double quotes"),
        ('!  "|zz|"', 5, "not a hex digit"),
    ],
)
def test_bad_patterns_are_placed_exactly(read, argument, offset, reason) -> None:
    head = "alert tcp any any -> any any (content:"
    error = read(f"{head}{argument}; sid:1;)")
    assert reason in error.reason
    assert error.keyword == "content"
    assert error.position.column == len(head) + offset + 1


def test_unescaped_semicolon_is_explained(refusal) -> None:
    error = refusal('content:"a;b";')
    assert "\\;" in error.hint


def test_modifiers(options) -> None:
    (node,) = options('content:!"ab"; nocase; offset:3; depth:10; rawbytes;')
    assert node == Content(
        b"ab", negated=True, nocase=True, rawbytes=True, offset=3, depth=10, position=node.position
    )
    first, second = options('content:"a"; content:"b"; distance:-2; within:0x10; fast_pattern:0,1; endswith;')
    assert (second.distance, second.within, second.fast_pattern_chop, second.endswith) == (
        -2,
        16,
        (0, 1),
        True,
    )
    assert first.distance is None


def test_variables_reach_modifiers_and_later_options(options) -> None:
    nodes = options(
        'byte_extract:1,0,len; content:"a"; depth:len; isdataat:!len,relative; byte_test:len,>,len,1;'
    )
    assert nodes[1].depth == "len"
    assert nodes[2] == IsDataAt("len", True, True, position=nodes[2].position)
    assert nodes[3].nbytes == nodes[3].value == "len"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('content:"a"; http_uri;', ["@http.uri", "a"]),
        ('content:"a"; http_uri; content:"b";', ["@http.uri", "a", "@", "b"]),
        ('content:"a"; http_uri; nocase; content:"b"; distance:0; http_uri;', ["@http.uri", "a", "b"]),
        ('content:"a"; content:"b"; http_header; content:"c";', ["a", "@http.header", "b", "@", "c"]),
        ('uricontent:"a"; content:"b";', ["@http.uri", "a", "@", "b"]),
        ('content:"a"; http_cookie; isdataat:4,relative;', ["@http.cookie", "a", "IsDataAt"]),
        ('content:"a"; http_cookie; isdataat:4;', ["@http.cookie", "a", "@", "IsDataAt"]),
        ('content:"a"; http_uri; pcre:"/b/Ui"; pcre:"/c/";', ["@http.uri", "a", "Pcre", "@", "Pcre"]),
        ('http.uri; content:"a"; http.host; content:"b";', ["@http.uri", "a", "@http.host", "b"]),
        ('http.uri; content:"a"; pkt_data; content:"b"; http_host;', ["@http.uri", "a", "@http.host", "b"]),
        ('http.uri; content:"a"; pkt_data; content:"b";', ["@http.uri", "a", "@", "b"]),
        ('http.host; dotprefix; content:".a"; endswith;', ["@http.host", "~dotprefix", ".a"]),
        ('http.uri; to_md5; content:"a"; content:"b";', ["@http.uri", "~to_md5", "a", "b"]),
        (
            'http.uri; content:"a"; from_base64: offset 6, mode strict; content:"b";',
            ["@http.uri", "a", "@http.uri", "~from_base64", "b"],
        ),
        ('http.server; file.data; content:"a";', ["@file.data", "a"]),
        ('file_data; content:"a"; tls_sni; content:"b";', None),
        ('filename:"a"; content:"b";', ["@file.name", "a", "@", "b"]),
        ('http.uri; content:"a"; fileext:"exe"; content:"b";', ["@http.uri", "a", "@file.name", ".exe", "@http.uri", "b"]),  # noqa: E501
        ('content:"a"; http_uri; flow:to_server; content:"b"; http_uri;', ["@http.uri", "a", "FlowOption", "b"]),  # noqa: E501
        ('base64_decode:bytes 4,relative; base64_data; content:"a";', ["Base64Decode", "@base64_data", "a"]),
    ],
)  # fmt: skip
def test_buffers(read, body, expected) -> None:
    rule = read(f"alert tcp any any -> any any ({body} sid:1;)")
    if expected is None:
        assert "tls.sni is for dtls, tls" in rule.reason
    else:
        assert shape(rule.options) == expected


def test_old_names_become_present_day_names(options) -> None:
    table = {"file_data": "file.data", "dns_query": "dns.query", "tls_sni": "tls.sni", "ja3_hash": "ja3.hash",
             "dce_stub_data": "dcerpc.stub_data", "ssh_proto": "ssh.proto", "http_referer": "http.referer"}  # fmt: skip  # noqa: E501
    for old, new in table.items():
        assert options(f'{old}; content:"a";')[0].name == new


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("nocase;", "no content before it"),
        ("http_uri;", "no content before it"),
        ('pcre:"/a/"; depth:4;', "no content before it"),
        ('http.uri; content:"a"; http.host; depth:4;', "no content before it"),
        ('content:"a"; nocase; nocase;', "stands twice"),
        ('content:"a"; depth:4; depth:5;', "stands twice"),
        ('content:"a"; depth:4; within:5;', "contradict"),
        ('content:"a"; offset:4; distance:5;', "contradict"),
        ('content:"a"; startswith; depth:5;', "contradicts"),
        ('content:"abcd"; depth:3;', "depth 3 is less"),
        ('content:"abcd"; within:3;', "within 3 is less"),
        ('content:!"abcd"; offset:3; fast_pattern;', "negated"),
        ('content:!"abcd"; fast_pattern:only;', "negated"),
        ('content:"abcd"; offset:3; fast_pattern:only;', "fast_pattern:only"),
        ('content:"abcd"; fast_pattern:2,3;', "not inside the pattern"),
        ('content:"a"; fast_pattern; content:"b"; fast_pattern;', "two contents"),
        ('content:"abc"; replace:"ab";', "replace has 2 bytes"),
        ('content:"a"; http_uri; http_header;', "in buffer http.uri already"),
        ('http.uri; content:"a"; http_header;', "sticky buffer http.uri"),
        ('http.uri; pcre:"/a/H";', "names http.header"),
        ('pcre:"/a/UH";', "two buffers"),
        ('pcre:"/a/q";', "unknown pcre flag"),
        ('pcre:"a";', "begin with '/'"),
        ('pcre:"/a";', "end with '/'"),
        ("http.uri;", "nothing matches on it"),
        ("to_md5;", "follow a sticky buffer"),
        ('http.uri; to_md5; content:"a"; to_sha1; content:"b";', "follow a sticky buffer"),
        ("http.uri; to_md5;", "nothing matches on it"),
        ('http.uri; content:"a"; absent;', "directly"),
        ("bsize:4;", "sticky buffer"),
        ('content:"a"; depth:len;', "neither a number nor a variable"),
        ("file.data:to_client; absent;", "=>"),
        ("lua:script.lua;", "not supported"),
    ],
)
def test_conflicts(refusal, body, reason) -> None:
    assert reason in refusal(body).reason


def test_direction_of_a_buffer_in_transaction_rules(options) -> None:
    nodes = options(
        'http.method; content:"G"; file.data:to_client; content:"x";', "alert http any any => any any"
    )
    assert (nodes[2].name, nodes[2].direction) == ("file.data", "to_client")


def test_bytes_survive_bad_encoding(context) -> None:
    data = (
        b'\xef\xbb\xbfalert tcp any any -> any any (msg:"\xff"; content:"\xe9\xff|41|\xc3\xa9"; sid:1;)\r\n'
    )
    (rule,) = parse_file(decode_rules(data), "x.rules", context).rules
    assert rule.options[0].pattern == b"\xe9\xffA\xc3\xa9"


@pytest.mark.parametrize(
    ("argument", "node"),
    [
        ('"/a/"', Pcre(b"a", position=None)),
        ('!"/a/iR"', Pcre(b"a", "i", relative=True, negated=True, position=None)),
        (r'"/a\;b\"/smi"', Pcre(rb"a\;b\"", "smi", position=None)),
        ('"/(a)(b)/, pkt:one, flow:two"', Pcre(b"(a)(b)", captures=("pkt:one", "flow:two"), position=None)),
        ("/a/b/i", Pcre(b"a/b", "i", position=None)),
    ],
)
def test_pcre(options, argument, node) -> None:
    assert options(f"pcre:{argument};") == (node,)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("byte_test:4,>,1024,0;", ByteTest(4, ">", 1024, 0, position=None)),
        ("byte_test:1,!&,128,6,relative;", ByteTest(1, "&", 128, 6, True, True, position=None)),
        ("byte_test:2,!=,0x10,-4,little;", ByteTest(2, "=", 16, -4, True, endian="little", position=None)),
        ("byte_test:3,=,55,0,string,dec;", ByteTest(3, "=", 55, 0, string="dec", position=None)),
        ("byte_test:1,=,0x9,0, bitmask 0xf8;", ByteTest(1, "=", 9, 0, bitmask=0xF8, position=None)),
        ("base64_decode;", Base64Decode(position=None)),
    ],
)
def test_byte_options(options, text, node) -> None:
    assert options(text) == (node,)


@pytest.mark.parametrize(
    "text",
    [
        "byte_test:9,>,1,0;",
        "byte_test:1,>,1;",
        "byte_test:1,~,1,0;",
        "byte_test:1,>,1,0,hex;",
        "byte_test:1,>,1,0,string,hex,dec;",
        "byte_test:1,>,1,0,little,big;",
        "byte_jump:1,0,from_beginning,from_end;",
        "byte_jump:1,0,aling;",
        "byte_extract:1,0,1abc;",
        "byte_extract:1,0,a,align 3;",
        "byte_math:bytes 1,offset 0,oper +,rvalue 2;",
        "byte_math:bytes 1,offset 0,oper /,rvalue 0,result r;",
        "byte_math:bytes 1,offset 0,oper %,rvalue 1,result r;",
        "isdataat:x;",
        "isdataat:4,relatve;",
    ],
)
def test_bad_byte_options(refusal, text) -> None:
    assert refusal(text).keyword == text.partition(":")[0]


def test_byte_math_and_jump(options) -> None:
    math, jump = options(
        "byte_math:bytes 2, offset 1, oper <<, rvalue 2, result r, endian little, string hex;"
        "byte_jump:2,0,relative,multiplier 2,align,post_offset -26,from_end;"
    )
    assert (math.nbytes, math.operator, math.result, math.endian, math.string) == (
        2,
        "<<",
        "r",
        "little",
        "hex",
    )
    assert (jump.relative, jump.multiplier, jump.align, jump.post_offset, jump.from_end) == (
        True,
        2,
        True,
        -26,
        True,
    )
