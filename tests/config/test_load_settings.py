"""Settings from all their sources: stock, ours, Suricata's, --set, options."""

# ruff: noqa: E501

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from appliance.config.load import LoadOptions, load_settings
from appliance.config.schema import _NOT_WRITTEN
from appliance.config.settings import (
    SECOND,
    DecodeSettings,
    DefragSettings,
    EveOutput,
    FlowSettings,
    Settings,
    StreamSettings,
)


def good(**options):
    settings, errors = load_settings(LoadOptions(**options))
    assert [str(e) for e in errors] == []
    return settings


def foreign(tmp_path, text, **options):
    path = tmp_path / "suricata.yaml"
    path.write_text("%YAML 1.1\n---\n" + text)
    return good(suricata_config=str(path), **options)


def test_stock_is_what_the_settings_classes_say():
    got = good()
    assert (got.decode, got.defrag, got.flow, got.stream) == (
        DecodeSettings(), DefragSettings(), FlowSettings(), StreamSettings(),
    )  # fmt: skip
    assert got.host_os == (("0.0.0.0/0", "windows"),)
    assert got.unused == ()
    (eve,) = got.eve
    assert {"alert", "anomaly", "http", "dns", "files", "stats", "flow", "doh2"} <= eve.types
    assert not eve.types & {"drop", "netflow", "frame", "arp", "pgsql"}
    assert {"modbus", "dnp3", "enip", "pgsql"} == got.app.disabled


def test_a_foreign_configuration_replaces_the_stock_one(tmp_path):
    got = foreign(tmp_path, "vars: {}\n")
    assert got.flow.tcp.new == 30 * SECOND
    assert (got.flow.tcp.established, got.flow.tcp.closed) == (300 * SECOND, 10 * SECOND)
    assert got.stream.depth == 0
    assert got.app.options("http")["libhtp"]["default-config"]["response-body-limit"] == 4096
    assert (
        got.app.options("http")["libhtp"]["default-config"]["response-body-minimal-inspect-size"] == 32 << 10
    )
    assert got.detect.address_vars == ()
    assert got.host_os == ()
    assert got.eve == ()
    assert foreign(tmp_path, "", simulate_ips=True).stream.midstream_policy == "ignore"


STREAM = {
    "stream.midstream=true": ("midstream", True),
    "stream.async-oneside=yes": ("async_oneside", True),
    "stream.inline=true": ("inline", True),
    "stream.inline=auto": ("inline", False),
    "stream.reassembly.depth=8kb": ("depth", 8192),
    "stream.reassembly.depth=0": ("depth", 0),
    "stream.reassembly.depth=50": ("depth", 50),
    "stream.reassembly.memcap=1 MiB": ("max_total", 1 << 20),
    "stream.bypass=1": ("bypass_after_depth", True),
    "stream.drop-invalid=no": ("drop_invalid", False),
    "stream.max-synack-queued=3": ("max_synacks", 3),
    "stream.reassembly.urgent.policy=gap": ("urgent", "gap"),
    "stream.midstream-policy=pass-flow": ("midstream_policy", "pass-flow"),
    "stream.reassembly.memcap-policy=drop-packet": ("reassembly_policy", "drop-packet"),
    "stream.max-held=2mb": ("max_held", 2 << 20),
}


@pytest.mark.parametrize(("text", "expected"), STREAM.items())
def test_set_of_stream(text, expected):
    assert good(sets=(text,)).stream == replace(StreamSettings(), **{expected[0]: expected[1]})


@pytest.mark.parametrize(
    ("sets", "prevent", "midstream", "flow"),
    [
        ((), False, "ignore", "ignore"),
        ((), True, "drop-flow", "drop-packet"),
        (("exception-policy=pass-flow",), True, "pass-flow", "pass-packet"),
        (("exception-policy=bypass",), False, "bypass", "ignore"),
        (("exception-policy=reject",), True, "reject", "reject"),
        (("stream.midstream=true",), True, "ignore", "drop-packet"),
        (("stream.midstream-policy=auto",), True, "drop-flow", "drop-packet"),
        (("exception-policy=ignore", "flow.memcap-policy=drop-flow"), True, "ignore", "drop-packet"),
    ],
)
def test_exception_policies(sets, prevent, midstream, flow):
    got = good(sets=sets, simulate_ips=prevent)
    assert (got.stream.midstream_policy, got.flow.memcap_policy) == (midstream, flow)


def test_modes():
    assert good().mode == "detect"
    assert good(simulate_ips=True).mode == "prevent"
    assert good(simulate_ips=True).stream.inline is True
    assert good(mode="prevent").prevent
    assert not good(mode="detect", simulate_ips=True).prevent


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "auto"),
        ({"checksums": "none"}, "none"),
        ({"sets": ("stream.checksum-validation=no",)}, "mark"),
        ({"sets": ("pcap-file.checksum-checks=no",)}, "none"),
        ({"sets": ("pcap-file.checksum-checks=yes",)}, "all"),
        ({"sets": ("stream.checksum-validation=no",), "checksums": "all"}, "all"),
    ],
)
def test_checksums(options, expected):
    assert good(**options).decode.checksums == expected


def test_decoder_ports_and_tunnels(tmp_path):
    text = """
vars: {port-groups: {VXLAN_PORTS: "[4789, 8472]"}}
decoder:
  vxlan: {enabled: true, ports: $VXLAN_PORTS}
  geneve: {enabled: no}
  teredo: {ports: [1, 2]}
  erspan: {typeI: {enabled: true}}
  recursion-level: {use-for-tracking: false}
vlan: {use-for-tracking: false}
"""
    got = foreign(tmp_path, text)
    assert (got.decode.vxlan_ports, got.decode.geneve_ports, got.decode.teredo_ports) == (
        (4789, 8472),
        (),
        (1, 2),
    )
    assert got.decode.erspan1
    assert (got.flow.depth_in_key, got.flow.vlan_in_key, got.defrag.vlan_in_key) == (False, False, False)


def test_protocols(tmp_path):
    text = """
app-layer:
  error-policy: reject
  protocols:
    dnp3: {enabled: yes, detection-ports: {dp: 20000}}
    http: {enabled: no}
    ikev2: {enabled: detection-only}
    dns: {udp: {enabled: no, detection-ports: {dp: [53, 5353]}}}
    tls: {encrypt-handling: full, ja3-fingerprints: yes}
    mqtt: {max-msg-length: 1mb}
"""
    got = foreign(tmp_path, text, sets=("app-layer.protocols.tls.ja4-fingerprints=no",)).app
    assert got.enabled == {"dnp3"}
    assert got.disabled == {"http", "dns/udp"}
    assert got.detection_only == {"ike"}
    assert got.error_policy == "reject"
    assert got.options("dns") == {"udp": {"detection-ports": {"dp": "53,5353"}}}
    assert got.options("tls") == {
        "encryption-handling": "full",
        "ja3-fingerprints": True,
        "ja4-fingerprints": False,
    }
    assert got.options("mqtt") == {"max-msg-length": 1 << 20}


EVE = """
outputs:
  - fast: {enabled: yes}
  - eve-log:
      enabled: yes
      community-id: yes
      community-id-seed: 7
      types:
        - alert: {payload: yes, payload-buffer-size: 4kb, xff: {enabled: yes, header: X-Real}}
        - drop: {enabled: no}
        - files: {force-hash: [sha256, md5], force-magic: yes}
        - http
        - stats:
  - eve-log: {enabled: yes, filename: two.json, types: [dns]}
  - eve-log: {enabled: no, filename: three.json}
  - eve-log: {enabled: yes, filetype: syslog, types: [dns]}
  - file-store: {version: 2, enabled: yes, force-filestore: yes, stream-depth: 1mb}
stats: {enabled: yes, decoder-events: false}
"""


def test_eve_outputs(tmp_path):
    got = foreign(tmp_path, EVE)
    one, two = got.eve
    assert (one.filename, one.community_id, one.community_seed, one.metadata) == ("eve.json", True, 7, True)
    assert one.types == {"alert", "files", "http", "stats"}
    assert one.options["alert"] == {
        "payload": True, "payload-buffer-size": 4096, "xff": {"enabled": True, "header": "X-Real"},
    }  # fmt: skip
    assert one.options["stats"] == {"decoder-events": False}
    assert (two.filename, two.types) == ("two.json", {"dns"})
    assert got.app.force_hashes == {"sha256", "md5"}
    assert got.app.force_magic
    assert got.file_store.enabled
    assert "outputs.4.eve-log.filetype" in got.unused
    assert "outputs.0.fast.enabled" in got.unused


def test_set_reaches_into_lists():
    assert "frame" in good(sets=("outputs.1.eve-log.types.1.frame.enabled=yes",)).eve[0].types
    anomaly = good(sets=("outputs.1.eve-log.types.2.anomaly.types.stream=yes",)).eve[0].options["anomaly"]
    assert anomaly["types"] == {"applayer": True, "decode": False, "stream": True}


def test_files_are_beside_the_configuration_or_where_they_were_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "threshold.config").write_text("")
    (tmp_path / "here.config").write_text("")
    text = """
threshold-file: threshold.config
classification-file: here.config
reputation-files: [a.list, /abs/b.list]
default-reputation-path: rep
host-os-policy: {windows: [10.0.0.0/8], old-linux: "[1.2.3.0/24, 1.2.4.0/24]", bsd: []}
defrag: {memcap: 1mb, host-config: [{dmz: {timeout: 30, address: [192.168.1.0/24]}}]}
"""
    got = foreign(
        tmp_path / "sub", text, cwd=str(tmp_path), sets=("reference-config-file=r.config",), data_dir="d"
    )
    assert got.detect.threshold_file == str(tmp_path / "sub" / "threshold.config")
    assert got.detect.classification_file == str(tmp_path / "here.config")
    assert got.detect.reference_file == str(tmp_path / "r.config")
    assert got.detect.data_dir == str(tmp_path / "d")
    assert got.detect.reputation_files == (str(tmp_path / "sub" / "rep" / "a.list"), "/abs/b.list")
    assert got.host_os == (
        ("10.0.0.0/8", "windows"),
        ("1.2.3.0/24", "old-linux"),
        ("1.2.4.0/24", "old-linux"),
    )
    assert got.defrag.host_timeouts == (("192.168.1.0/24", 30 * SECOND),)


def test_includes_and_redefinitions(tmp_path):
    (tmp_path / "part.yaml").write_text("stream: {midstream: yes}\npacket_alert_max: 3\n")
    (tmp_path / "vars.yaml").write_text("address-groups: {HOME_NET: [10.0.0.0/8, 1.2.3.4], MY_NET: any}\n")
    (tmp_path / "more.yaml").write_text("packet-alert-max: 9\n")
    text = "stream: {midstream: no}\ninclude: part.yaml\nvars: !include vars.yaml\n"
    got = foreign(tmp_path, text)
    assert got.stream.midstream
    assert got.detect.packet_alert_max == 3
    assert got.detect.address_vars == (("HOME_NET", "[10.0.0.0/8,1.2.3.4]"), ("MY_NET", "any"))
    assert foreign(tmp_path, text, includes=(str(tmp_path / "more.yaml"),)).detect.packet_alert_max == 9


def test_unused_keys_are_reported(tmp_path):
    assert foreign(tmp_path, "mpm-algo: hs\naf-packet: [{interface: eth0}]\n").unused == (
        "mpm-algo",
        "af-packet.0.interface",
    )
    assert good(sets=("no.such.key=1",)).unused == ("no.such.key",)


OURS = """
mode: prevent
decode: {max-depth: 3, vxlan-ports: [1, 2]}
flow: {max-flows: 10, tcp: {new: 5s, established: 2h}}
stream: {depth: 2 MiB, midstream-policy: bypass}
detect: {address-vars: {HOME_NET: 10.0.0.0/8}, port-vars: {HTTP_PORTS: 80}, action-order: [drop, pass, reject, alert]}
app: {disabled: [ftp], force-hashes: [md5]}
eve: [{filename: a.json, types: [alert], options: {alert: {payload: true}}}]
host-os: {10.0.0.0/8: linux}
"""


def test_our_own_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(OURS)
    got = good(settings_file=str(path), sets=("flow.max-flows=20", "packet-alert-max=4"))
    assert got.prevent
    assert got.stream.inline  # "auto" follows the mode
    assert (got.decode.max_depth, got.decode.vxlan_ports) == (3, (1, 2))
    assert got.flow.max_flows == 20
    assert (got.flow.tcp.new, got.flow.tcp.established, got.flow.tcp.closed) == (
        5 * SECOND,
        7200 * SECOND,
        60 * SECOND,
    )
    assert got.stream.midstream_policy == "bypass"
    assert got.detect.packet_alert_max == 4
    assert got.detect.address_vars == (("HOME_NET", "10.0.0.0/8"),)
    assert got.detect.port_vars == (("HTTP_PORTS", "80"),)
    assert got.eve[0].options == {"alert": {"payload": True}}
    assert got.host_os == (("10.0.0.0/8", "linux"),)
    again = good(settings_file=str(path), sets=("stream.midstream-policy=pass-flow",))
    assert again.stream.midstream_policy == "pass-flow"


def test_the_manual_has_every_field_and_its_example_loads(tmp_path):
    manual = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    example = manual.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "s.yaml").write_text(example)
    assert good(settings_file=str(tmp_path / "s.yaml")).flow.tcp.new == 60 * SECOND
    settings = Settings()
    for section in (
        settings,
        settings.decode,
        settings.defrag,
        settings.flow,
        settings.stream,
        settings.detect,
        settings.app,
        settings.firewall,
        settings.file_store,
        EveOutput(),
    ):
        for item in fields(section):
            assert item.name in _NOT_WRITTEN or f"`{item.name.replace('_', '-')}`" in manual, item.name


@pytest.mark.shared
def test_all_shared_configurations_load(shared):
    found = sorted((shared / "suricata-verify" / "tests").rglob("suricata.yaml"))
    assert len(found) > 100
    for path in found:
        good(suricata_config=str(path))
