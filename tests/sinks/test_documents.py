"""The sections outputs and metrics: what they accept, and where an error is said to be."""

from __future__ import annotations

import pytest

from appliance.config.document import parse_document
from appliance.config.load import LoadOptions, load_settings
from appliance.config.validate import Strict, validate
from appliance.sinks.documents import (
    MetricsDocument,
    OutputsDocument,
)
from appliance.sinks.kinds import KINDS, event_type_of, event_types


class Top(Strict):
    outputs: OutputsDocument = ()
    metrics: MetricsDocument | None = None


def read(text):
    document, errors = parse_document(text.encode(), "eastwall.yaml")
    assert not errors
    return validate(Top, document)


def test_a_full_document():
    top, errors = read("""
outputs:
  - type: eve
    file: /var/log/eastwall/eve.json
    types: [alert, files]
    rotate: {size: 100MB, every: 1d, keep: 10, compress: true}
  - type: syslog
    transport: tls
    host: logs.example.org
    ca: /etc/eastwall/ca.pem
    certificate: /etc/eastwall/me.pem
    key: /etc/eastwall/me.key
    format: cef
    events: [alert, drop]
    buffer: {memory: 16MB, disk: 1GB, folder: /var/spool/eastwall}
  - {type: cef, file: /var/log/eastwall/cef.log}
metrics: {address: "::1", port: 9100, allow: [10.0.0.0/8]}
""")
    assert not errors
    eve, syslog, cef = top.outputs
    assert (eve.rotate.size, eve.rotate.every) == (100 << 20, 86_400 * 10**9)
    assert (syslog.address, syslog.limit) == (("logs.example.org", 6514), 8192)
    assert syslog.label == "tls:logs.example.org:6514"
    assert syslog.buffer.disk == 1 << 30
    assert cef.events == ("alert", "drop", "eastwall")
    assert str(top.metrics.address) == "::1"


def test_what_is_left_out():
    top, _ = read("outputs: [{type: syslog, transport: unix}]\nmetrics: {}")
    assert top.outputs[0].address == ("/dev/log", 0)
    assert str(top.metrics.address) == "127.0.0.1"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("{type: eve, file: eve.json}", "outputs.0.file: must be a path that begins with /"),
        ("{type: eve, file: /a, types: [alrt]}", "outputs.0.types: unknown: alrt (known: alert,"),
        ("{type: eve, file: /a, rotate: {keep: 3}}", "outputs.0.rotate: size or every must say"),
        ("{type: eve, file: /a, rotate: {size: much}}", "outputs.0.rotate.size: must be a size such as"),
        ("{type: eve, file: /a, rotate: {every: often}}", "outputs.0.rotate.every: must be a time such as"),
        ("{type: syslog, transport: tcp, hst: a}", "outputs.0.hst: unknown key (did you mean 'host'?)"),
        ("{type: cef, file: /a, event: [drop]}", "outputs.0.event: unknown key (did you mean 'events'?)"),
        ("{type: cef, file: /a, events: [dns]}", "outputs.0.events: unknown: dns"),
        ("{type: cefs, file: /a}", "outputs.0: its type must be one of 'eve', 'syslog', 'cef'"),
        ("{file: /a}", "outputs.0: does not say of which type it is"),
        ("{type: syslog, transport: tcp}", "host is required with transport: tcp"),
        ("{type: syslog, transport: unix, host: a}", "transport: unix has a path, no host"),
        ("{type: syslog, transport: tcp, host: a, ca: /b}", "ca: only with transport: tls"),
        ("{type: syslog, transport: tls, host: a, key: /b}", "certificate and key belong together"),
        ("{type: syslog, transport: udp, host: a, format: cef, events: [dns]}", "unknown: dns"),
        ("{type: syslog, transport: udp, host: a, size: 70000}", "a datagram holds at most"),
        ("{type: syslog, transport: udp, host: a, buffer: {disk: 1GB}}", "disk and folder belong together"),
        ("{type: syslog, transport: udp, host: a, facility: local9}", "outputs.0.facility: Input should be"),
        ("{type: eve, file: /a}, {type: cef, file: /a}", "two outputs have the same file: /a"),
    ],
)
def test_errors_name_the_place(output, said):
    top, errors = read(f"metrics: {{}}\noutputs: [{output}]")
    assert top is None
    assert str(errors[0]).startswith("eastwall.yaml:2: outputs")
    assert said in str(errors[0])


def test_durations_and_sizes_survive_being_passed_on():
    top, _ = read("outputs: [{type: eve, file: /a, rotate: {every: 1d, size: 1MB}}]")
    assert Top.model_validate(top.model_dump(mode="json")) == top


def test_every_type_of_the_settings_is_known():
    settings, _ = load_settings(LoadOptions())
    for output in settings.eve:
        assert output.types <= KINDS.keys()


def test_event_types():
    assert event_types(("alert", "files", "ftp")) == {"alert", "packet", "fileinfo", "ftp", "ftp_data"}
    assert event_type_of(b'{"timestamp":"x","event_type":"dns","a":1}\n') == b"dns"
    assert event_type_of(b'{"a":"\\"event_type\\":\\"dns\\"","event_type":"tls"}') == b"tls"
    assert event_type_of(b'{"event_type":"' + b"x" * 100) == b""
    assert event_type_of(b"") == b""
