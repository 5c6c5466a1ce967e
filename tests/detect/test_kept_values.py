"""Sets that outlive a run, and values that captures and entropy leave on the flow."""

import base64
import json

import pytest
from detect_world import NOW, ToyTx, detector, flow, packet, sids, tcp

from appliance.config.settings import DetectSettings
from appliance.daemon.state import save_datasets
from appliance.detect.resources import Resources


def engine_of(body, **files):
    return detector(body, resources=Resources(text=lambda name: files.get(name.partition(".")[0])))


DOMAINS = base64.b64encode(b".evil.com").decode()


@pytest.mark.parametrize(
    ("host", "expected"),
    [(b"www.evil.com", [1]), (b"evil.com", [1]), (b"notevil.com", []), (b"evil.com.org", []), (b".", [])],
)
def test_a_listed_domain_stands_for_all_below(host, expected):
    engine = engine_of(
        "alert http any any -> any any "
        "(http.host; dotprefix; dataset:isset,d,type string,match subdomain,load domains.lst;)",
        domains=DOMAINS,
    )
    assert sids(engine.inspect(tcp(), flow(6, "http", [ToyTx(http__host=host)]), NOW)) == expected


def test_objects_without_the_value_do_not_spoil_the_others():
    text = json.dumps([{"host": {"name": "a.b", "zone": "b"}, "year": 1}, {"host": {}}, 7, "x"])
    engine = engine_of(
        "alert http any any -> any any (http.host; dataset:isset,d,type string,load hosts.json,format json,"
        "value_key host.name,context_key bad,remove_key;)",
        hosts=text,
    )
    found = engine.inspect(tcp(), flow(6, "http", [ToyTx(http__host=b"a.b")]), NOW)
    assert found.matches[0].context["bad"] == {"host": {"zone": "b"}, "year": 1}


@pytest.mark.parametrize(
    ("kind", "buffer", "payload", "line"),
    [
        ("ip", "ip.src;", b"", "10.0.0.1"),
        ("ipv4", "ip.dst;", b"", "192.168.0.2"),
        ("string", "udp.hdr;", b"", base64.b64encode(bytes(8)).decode()),
    ],
)
def test_changed_sets_are_written_and_read_again(tmp_path, kind, buffer, payload, line):
    body = f"alert udp any any -> any any ({buffer} dataset:set,s,type {kind},state s.lst;)"
    engine = engine_of(body)
    settings = DetectSettings(data_dir=str(tmp_path))
    assert save_datasets(engine.ruleset, settings) == []
    assert not list(tmp_path.iterdir())
    assert sids(engine.inspect(packet(payload), None, NOW)) == [1]
    assert save_datasets(engine.ruleset, settings) == []
    text = (tmp_path / "s.lst").read_text()
    assert text == line + "\n"
    assert sids(engine_of(body, s=text).inspect(packet(payload), None, NOW)) == []


def test_sets_stay_inside_of_the_data_folder(tmp_path):
    engine = engine_of("alert udp any any -> any any (ip.src; dataset:set,s,type ip,save s.lst;)")
    engine.ruleset.world.datasets.sets["s"].save = "../s.lst"
    engine.inspect(packet(), None, NOW)
    errors = save_datasets(engine.ruleset, DetectSettings(data_dir=str(tmp_path / "data")))
    assert [error.message for error in errors] == ["is outside of the data folder"]
    assert not (tmp_path / "s.lst").exists()


def test_captures_go_where_their_names_say():
    engine = detector('alert udp any any -> any any (pcre:"/(a+)(b+)(c+)/, flow:one, pkt:two, alert:three";)')
    stream = flow(17)
    (match,) = engine.inspect(packet(b"aabbcc"), stream, NOW).matches
    assert stream.vars == {"flowvars": [{"one": "aa"}]}
    assert match.context == {"pktvars": [{"two": "bb"}], "three": "cc"}


def test_entropy_is_noted_under_its_buffer():
    engine = detector("alert http any any -> any any (http.host; entropy:value >= 1;)")
    stream = flow(6, "http", [ToyTx(http__host=b"abab")])
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1]
    assert stream.vars == {"entropy": {"http_host": 1.0}}
