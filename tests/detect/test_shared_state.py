"""Flowbits, flowint, xbits, thresholds, reputation, datasets: what rules keep and look up."""

import hashlib

import pytest
from detect_world import CLIENT, NOW, SECOND, SETTINGS, ToyTx, detector, flow, packet, refused, sids, tcp

from appliance.config.settings import DetectSettings
from appliance.daemon.filecache import FileCache
from appliance.detect.hosttable import HostTable
from appliance.detect.resources import Resources
from appliance.detect.threshold import CounterTable
from appliance.rulelang.context import RuleContext
from appliance.rulelang.thresholds import parse_thresholds

ANY = "udp any any -> any any"


def run(engine, payloads, stream=None, step=0):
    """Sids for each payload in turn, ``step`` seconds apart."""
    return [
        sids(engine.inspect(packet(data), stream, NOW + n * step * SECOND)) for n, data in enumerate(payloads)
    ]


def test_flowbits_setter_runs_before_reader():
    engine = detector(
        f'alert {ANY} (content:"b"; flowbits:isset,one; priority:1;)',
        f'alert {ANY} (content:"a"; flowbits:isset,two; flowbits:set,three; priority:1;)',
        f'alert {ANY} (content:"a"; flowbits:set,one; flowbits:set,two; flowbits:noalert; priority:4;)',
        f'alert {ANY} (content:"a"; flowbits:isset,three;)',
        f'alert {ANY} (content:"c"; flowbits:isset,none|three; flowbits:unset,three;)',
    )
    assert run(engine, [b"b", b"a", b"b", b"c", b"c"], flow(17)) == [[], [2, 4], [1], [5], []]


def test_flowbits_need_a_flow():
    engine = detector(f'alert {ANY} (content:"a"; flowbits:isnotset,one;)')
    assert run(engine, [b"a"]) == [[]]
    assert run(engine, [b"a"], flow(17)) == [[1]]


def test_flowint_counts():
    engine = detector(
        f'alert {ANY} (content:"a"; flowint:n,+,1; flowint:n,<,3; noalert;)',
        f'alert {ANY} (content:"a"; flowint:n,notset; flowint:n,=,0; noalert;)',
        f'alert {ANY} (content:"b"; flowint:n,>=,2;)',
    )
    assert run(engine, [b"b", b"a", b"b", b"a", b"a", b"b"], flow(17))[-1] == [3]


def test_xbits_expire():
    engine = detector(
        f'alert {ANY} (content:"a"; xbits:set,bad,track ip_src,expire 10; noalert;)',
        f'alert {ANY} (content:"b"; xbits:isset,bad,track ip_src;)',
    )
    assert run(engine, [b"a", b"b"]) == [[], [2]]
    assert sids(engine.inspect(packet(b"b"), None, NOW + 11 * SECOND)) == []
    assert sids(engine.inspect(packet(b"b", 1), None, NOW)) == []


def test_host_table_is_bounded():
    table = HostTable(limit=2, names_limit=1)
    for host in (b"a", b"b", b"c"):
        table.set(host, "x", NOW, NOW + 1)
    assert (len(table), table.evicted, table.isset(b"a", "x", NOW)) == (2, 1, False)
    table.set(b"c", "y", NOW, NOW + 1)
    assert not table.isset(b"c", "y", NOW)
    assert table.evicted == 2


# Hits one second apart; which of them alert.
THRESHOLDS = [
    ("threshold:type limit,track by_src,count 2,seconds 5;", "110001100"),
    ("threshold:type threshold,track by_src,count 3,seconds 60;", "001001001"),
    ("threshold:type both,track by_src,count 2,seconds 5;", "010000100"),
    ("threshold:type backoff,track by_flow,count 1,multiplier 2;", "110100010"),
    ("detection_filter:track by_src,count 3,seconds 60;", "000111111"),
    ("threshold:type limit,track by_rule,count 1,seconds 100;", "100000000"),
]


@pytest.mark.parametrize(("options", "expected"), THRESHOLDS)
def test_thresholds(options, expected):
    engine = detector(f'alert {ANY} (content:"a"; {options})')
    found = run(engine, [b"a"] * len(expected), flow(17), step=1)
    assert "".join("1" if hit else "0" for hit in found) == expected


def test_threshold_tracks_sources_apart():
    engine = detector(f'alert {ANY} (content:"a"; threshold:type limit,track by_src,count 1,seconds 60;)')
    assert run(engine, [b"a", b"a"]) == [[1], []]
    assert sids(engine.inspect(packet(b"a", src=b"\1\2\3\4"), None, NOW)) == [1]


def test_counters_are_bounded():
    table = CounterTable(2)
    for key in "abc":
        table.get(key, NOW)
    assert (len(table), table.evicted) == (2, 1)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("suppress gen_id 1, sig_id 1", [[], []]),
        ("suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8", [[], []]),
        ("suppress gen_id 1, sig_id 1, track by_dst, ip 10.0.0.0/8", [[1], [1]]),
        ("suppress gen_id 1, sig_id 2", [[1], [1]]),
        ("threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60", [[1], []]),
        ("event_filter gen_id 0, sig_id 0, type limit, track by_src, count 1, seconds 60", [[1], []]),
    ],
)
def test_threshold_file(line, expected):
    config = parse_thresholds(line, "t", RuleContext())
    assert not config.errors
    engine = detector(f'alert {ANY} (content:"a";)', thresholds=config)
    assert run(engine, [b"a", b"a"]) == expected


def test_rate_filter_changes_the_action_for_a_while():
    text = "rate_filter gen_id 1, sig_id 1, track by_src, count 2, seconds 10, new_action drop, timeout 5"
    config = parse_thresholds(text, "t", RuleContext())
    engine = detector(f'alert {ANY} (content:"a";)', thresholds=config)
    times = (0, 1, 2, 3, 9)
    verdicts = [engine.inspect(packet(b"a"), None, NOW + t * SECOND, True).verdict for t in times]
    assert verdicts == ["", "", "drop", "drop", ""]


FILES = {
    "list.csv": "aGVsbG8=\n",
    "rep.csv": "10.0.0.1,5\n",
    "cats": "1,BadHosts,Known bad\n",
    "bad.list": "10.0.0.0/24,1,50\n10.0.0.9,1,2\n",
}
RESOURCES = Resources(FILES.get, lambda address: "CH" if address == CLIENT else None)


@pytest.mark.parametrize(
    ("options", "payload", "expected"),
    [
        ("geoip:src,CH;", b"", [1]),
        ("geoip:dst,CH;", b"", []),
        ("iprep:src,BadHosts,>,40;", b"", [1]),
        ("iprep:src,BadHosts,>,60;", b"", []),
        ("iprep:any,BadHosts,isset;", b"", [1]),
    ],
)
def test_lookups(options, payload, expected):
    settings = DetectSettings(reputation_categories="cats", reputation_files=("bad.list",))
    engine = detector(f"alert {ANY} ({options})", settings=settings, resources=RESOURCES)
    assert sids(engine.inspect(packet(payload), None, NOW)) == expected


@pytest.mark.parametrize(
    ("command", "value", "expected"),
    [
        ("isset", b"hello", [1]),
        ("isset", b"hallo", []),
        ("isnotset", b"hallo", [1]),
        ("unset", b"hello", [1]),
    ],
)
def test_datasets(command, value, expected):
    options = f"dns.query; dataset:{command},d,type string,load list.csv;"
    engine = detector(f"alert dns any any -> any any ({options})", resources=RESOURCES)
    stream = flow(17, "dns", [ToyTx(dns__query=[value])])
    assert sids(engine.inspect(packet(), stream, NOW)) == expected


def test_dataset_set_matches_what_is_new():
    engine = detector(f"alert {ANY} (ip.src; dataset:set,seen,type ipv4;)")
    assert run(engine, [b"a", b"b"]) == [[1], []]


def test_missing_list_refuses_the_rule():
    rule = "alert dns any any -> any any (dns.query; dataset:isset,d,type string,load none.csv;)"
    assert refused(rule, resources=RESOURCES) == ["dataset"]


FIELD_CASES = [
    ("ttl:<10;", {"ttl": 9}, True),
    ("ttl:<10;", {"ttl": 10}, False),
    ("id:7;", {"ip_id": 7}, True),
    ("tos:8;", {"tos": 8}, True),
    ("sameip;", {"dst": CLIENT}, True),
    ("sameip;", {}, False),
    ("ipopts:rr;", {"ip_opts": (7,)}, True),
    ("ipopts:any;", {}, False),
    ("fragbits:D;", {"dont_frag": True}, True),
    ("fragbits:M;", {"dont_frag": True}, False),
    ("fragbits:+D;", {"dont_frag": True, "more_frags": True}, True),
    ("fragoffset:2;", {"frag_off": 16}, True),
    ("fragoffset:>2;", {"frag_off": 16}, False),
    ("decode-event:ipv4.opt_unknown;", {"anomalies": ["ipv4.opt_invalid"]}, True),
    ("udpv4-csum:invalid;", {"csum": 2}, True),
    ("udpv4-csum:valid;", {"csum": 2}, False),
    ("ipv4-csum:valid;", {"csum": 2}, True),
    ("ip_proto:17;", {}, True),
    ("ip_proto:!17;", {}, False),
    ("vlan.id:5;", {"vlans": (5, 6)}, True),
    ("vlan.id:7;", {"vlans": (5, 6)}, False),
    ("vlan.layers:2;", {"vlans": (5, 6)}, True),
    ("decode-event:ipv4.opt_pad_required;", {"anomalies": ["ipv4.opt_pad_required"]}, True),
    ("decode-event:ipv4.opt_pad_required;", {}, False),
]


@pytest.mark.parametrize(("options", "fields", "expected"), FIELD_CASES)
def test_packet_fields(options, fields, expected):
    engine = detector(f"alert ip any any -> any any ({options})")
    assert (sids(engine.inspect(packet(**fields), None, NOW)) == [1]) is expected


TCP_CASES = [
    ("flags:S;", {"tcp_flags": 2}, True),
    ("flags:S;", {"tcp_flags": 18}, False),
    ("flags:S+;", {"tcp_flags": 18}, True),
    ("flags:*SF;", {"tcp_flags": 1}, True),
    ("flags:S,12;", {"tcp_flags": 194}, True),
    ("seq:5;", {"seq": 5}, True),
    ("ack:5;", {"ack": 6}, False),
    ("window:100;", {"window": 100}, True),
    ("tcp.mss:<500;", {"mss": 400}, True),
    ("tcp.mss:<500;", {}, False),
    ("flow:established;", {}, True),
    ("flow:not_established;", {}, False),
    ("flow:to_client;", {}, False),
    ("stream-event:pkt_invalid_ack;", {}, True),
    ("flow.pkts_toserver:>2;", {}, True),
    ("stream_size:client,>,10;", {}, True),
    ("stream_size:server,>,10;", {}, False),
]


@pytest.mark.parametrize(("options", "fields", "expected"), TCP_CASES)
def test_tcp_fields(options, fields, expected):
    engine, stream = detector(f"alert tcp any any -> any any ({options})"), flow()
    stream.pkts_ts = 3
    stream.tcp.client.next_seq = 50
    found = engine.inspect(tcp(**fields), stream, NOW, False, ["pkt_invalid_ack"])
    assert (sids(found) == [1]) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("udp 10.0.0.1 1234 -> 192.168.0.0/16 53", True),
        ("udp 10.0.0.2 any -> any any", False),
        ("udp ![10.0.0.0/8] any -> any any", False),
        ("udp any any -> any [1:52,54]", False),
        ("udp 192.168.0.2 53 <> 10.0.0.1 1234", True),
        ("udp 192.168.0.2 53 -> 10.0.0.1 1234", False),
        ("tcp any any -> any any", False),
        ("ip any any -> any any", True),
        ("ipv6 any any -> any any", False),
    ],
)
def test_headers(header, expected):
    engine = detector(f"alert {header} (ttl:0;)")
    assert (sids(engine.inspect(packet(), None, NOW)) == [1]) is expected


def test_header_buffers():
    engine = detector('alert udp any any -> any any (udp.hdr; content:"|00 35|"; offset:2; depth:2;)')
    frame = bytes(34) + b"\x04\xd2\x00\x35\0\x08\0\0"
    assert sids(engine.inspect(packet(frame=frame), None, NOW)) == [1]


def test_cache_survives_damage(tmp_path):
    cache = FileCache(tmp_path / "patterns", max_bytes=200)
    cache.store("k", b"data")
    assert cache.load("k") == b"data"
    assert (tmp_path / "patterns").stat().st_mode & 0o777 == 0o700
    (tmp_path / "patterns" / "k.hs").write_bytes(b"EWHS1\n" + hashlib.sha256(b"x").digest() + b"y")
    assert cache.load("k") is None
    for name in "abc":
        cache.store(name, bytes(100))
    assert sum(p.stat().st_size for p in (tmp_path / "patterns").iterdir()) <= 200


def test_cached_rules_match_the_same(tmp_path):
    cache = FileCache(tmp_path)
    from detect_world import compiled

    from appliance.detect.detector import Detector

    for _ in range(2):
        engine = Detector(compiled(f'alert {ANY} (content:"pattern";)', cache=cache), SETTINGS)
        assert run(engine, [b"a pattern"]) == [[1]]
    assert len(list(tmp_path.glob("*.hs"))) > 0
