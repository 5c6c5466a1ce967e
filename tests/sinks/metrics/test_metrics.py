"""Metrics: every one of the table from a full snapshot, none from nonsense, bounded labels, over HTTP."""

from __future__ import annotations

import errno
import json
import re
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from appliance.engine.counters import Counters
from appliance.model.verdict import Reason
from appliance.sinks.documents import MetricsDocument
from appliance.sinks.metrics import MetricsCollector, MetricsServer
from appliance.sinks.metrics.sections import MAX_APPLICATIONS
from appliance.sinks.metrics.table import METRICS, TABLE

DOCS = Path(__file__).resolve().parents[3] / "docs"
NOW = 1_767_323_045_500_000_000
ENGINE = {
    **dict.fromkeys(Counters().values, 3), "decoder.pkts": 10, "decoder.bytes": 1000, "ips.accepted": 7,
    "app_layer.flow.http": 4, "app_layer.tx.http": 5,
}  # fmt: skip
QUEUE = {
    "received": 10, "bytes": 900, "verdicts": 9, "waiting": 1, "queue_drops": 2, "user_drops": 3,
    "overruns": 1, "malformed": 0, "truncated": 0, "oversized": 0, "refused": 4,
}  # fmt: skip
SNAPSHOT = {
    "uptime": 5, "mode": "prevent", "epoch": 3, "datapath": "nft", "applied": True,
    "rules": {"loaded": 100, "refused": 2},
    "workers": [
        {
            "number": n, "kind": "queue", "queues": [n], "pid": 1, "starts": 1, "ready": True, "load": 0,
            "memory": 1 << 20, "flows": 7, "queue": QUEUE, "engine": ENGINE,
            "records": {"records": 5, "sent": 4, "lost": 1, "pending": 0},
        }
        for n in (0, 1)
    ],
    "kernel": {
        "settled": {"packets": 100, "bytes": 9000}, "drop.mac.vnet1": {"packets": 2, "bytes": 80},
        "drop.tag.eth0.100": {"packets": 1, "bytes": 60}, "something.new": {"packets": 1, "bytes": 1},
    },
    "interfaces": [
        {
            "name": "web-1/eth0", "vm": "web-1", "uuid": "uuid-1", "port": "vnet1", "policy": "web",
            "prevents": True, "fails": "closed", "packets_in": 5, "packets_out": 6, "bytes_in": 50,
            "bytes_out": 60,
            "drops": {"flow_drop": 3, "firewall": 2},
        },
    ],
    "unbound_ports": ["vnet9"], "absent_interfaces": [], "quarantine": [], "held_interfaces": [],
    "inventory": {
        "machines": 5, "conflicts": [["u", "w"]], "events": {"moved": 2, "appeared": 5},
        "providers": [
            {
                "name": "vc", "type": "vsphere", "connected": True, "machines": 5, "frames": 90, "starts": 3,
                "lost": 2, "hangs": 1, "refused": 0,
            }
        ],
    },
    "handoff": {"done": 1, "failed": 0, "given": 2, "flows": 3, "connections": 4, "lost": 0, "seconds": 0.5},
    "cluster": {
        "connected": True, "connections": 2, "bundle": 7, "hosts": [{"alive": True}, {"alive": False}],
        "interfaces": [{"state": "owner"}, {"state": "owner"}, {"state": "given away"}],
        "events": {"handoff.claimed": 2, "owner.lost": 1}, "counts": {"garbage": 3}, "driver": {"garbage": 1},
    },
    "reporter": {
        "received": 9, "received_bytes": 900, "invalid": 0, "empty": 0, "sources": 2,
        "outputs": {
            "/var/log/eve.json": {
                "type": "eve", "written": 9, "lost": 0, "buffered": 0, "rotated": 1, "connected": True,
            },
            "tls:logs:6514": {
                "type": "syslog", "written": 3, "lost": 1, "buffered": 2, "buffered_bytes": 300,
                "spool_bytes": 0,
                "shortened": 1, "connected": False, "connections": 2, "trouble": "Connection refused",
            },
        },
    },
}  # fmt: skip


def collected(snapshot, interfaces=1000):
    collector = MetricsCollector(interfaces)
    collector.publish(snapshot, NOW)
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def samples(snapshot, **given_):
    found = {}
    for family in text_string_to_metric_families(collected(snapshot, **given_)):
        for sample in family.samples:
            found[sample.name, tuple(map(sample.labels.get, METRICS[sample.name].labels))] = sample.value
    return found


def test_a_full_snapshot_gives_every_metric_with_its_labels():
    seen = set()
    for family in text_string_to_metric_families(collected(SNAPSHOT)):
        for sample in family.samples:
            metric = METRICS[sample.name]
            assert set(sample.labels) == set(metric.labels)
            assert family.type == metric.kind
            seen.add(sample.name)
    assert seen == set(METRICS)


def test_values():
    found = samples(SNAPSHOT)
    assert found["eastwall_published_timestamp_seconds", ()] == 1_767_323_045.5
    assert found["eastwall_verdicts_total", ("1", "accepted")] == 7
    assert found["eastwall_queue_lost_total", ("0", "queue")] == 2
    assert found["eastwall_provider_up", ("vc", "vsphere")] == 1
    assert found["eastwall_provider_failures_total", ("vc", "starts")] == 2
    assert found["eastwall_inventory_events_total", ("moved",)] == 2
    assert found["eastwall_queue_lost_total", ("0", "socket")] == 3
    assert found["eastwall_kernel_packets_total", ("settled",)] == 100
    assert found["eastwall_kernel_drops_total", ("vnet1", "mac")] == 2
    assert found["eastwall_kernel_drops_total", ("eth0.100", "tag")] == 1
    assert found["eastwall_interface_drops_total", ("uuid-1", "web-1/eth0", "flow_denied")] == 3
    assert found["eastwall_interface_bytes_total", ("uuid-1", "web-1/eth0", "out")] == 60
    assert found["eastwall_output_up", ("tls:logs:6514",)] == 0
    assert found["eastwall_output_records_total", ("tls:logs:6514", "lost")] == 1
    assert found["eastwall_output_buffer_bytes", ("tls:logs:6514", "memory")] == 300
    assert found["eastwall_unbound_ports", ()] == 1
    assert found["eastwall_cluster_interfaces", ("owner",)] == 2
    assert found["eastwall_cluster_interfaces", ("given_away",)] == 1
    assert found["eastwall_cluster_hosts", ("gone",)] == 1
    assert found["eastwall_cluster_refused_total", ("garbage",)] == 4


def test_a_host_that_is_alone_has_no_metrics_of_a_cluster():
    found = samples(SNAPSHOT | {"cluster": None})
    assert not any(name.startswith("eastwall_cluster") for name, _ in found)


def test_every_drop_reason_has_its_label():
    reasons = {labels[1] for name, labels in samples(SNAPSHOT) if name == "eastwall_drops_total"}
    assert reasons == {reason.value for reason in Reason if reason is not Reason.NONE}


def test_a_reporter_that_does_not_answer_is_down():
    assert samples({"reporter": {"error": "does not answer"}})["eastwall_reporter_up", ()] == 0


def test_before_anything_is_published():
    registry = CollectorRegistry()
    registry.register(MetricsCollector(10))
    assert generate_latest(registry) == b""


def test_labels_are_bounded():
    many = {
        "interfaces": [{"name": f"vm-{n:05d}/eth0", "uuid": str(n), "packets_in": 1} for n in range(500)],
        "kernel": {f"drop.mac.vnet{n:05d}": {"packets": 1, "bytes": 1} for n in range(500)},
        "workers": [{"number": 0, "engine": {f"app_layer.tx.a{n}": 1 for n in range(1000)}}],
        "reporter": {"outputs": {"x" * 5000: {"written": 1}}},
    }
    found = samples(many, interfaces=100)
    count = {}
    for name, _ in found:
        count[name] = count.get(name, 0) + 1
    assert count["eastwall_interface_info"] == count["eastwall_interface_packets_total"] == 100
    assert found["eastwall_interfaces_omitted", ()] == 400
    assert count["eastwall_kernel_drops_total"] == 101
    assert found["eastwall_kernel_drops_total", ("other", "mac")] == 400
    assert count["eastwall_transactions_total"] == MAX_APPLICATIONS
    assert found["eastwall_output_records_total", ("x" * 128, "written")] == 1
    many["interfaces"].reverse()
    assert samples(many, interfaces=100) == found


def test_two_of_the_same_name_do_not_break_the_page():
    twice = {"interfaces": [{"name": "a/b", "uuid": "1", "packets_in": n} for n in (1, 2)]}
    assert samples(twice)["eastwall_interface_packets_total", ("1", "a/b", "in")] == 1


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 1 << 70) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(SNAPSHOT, ODD)), st.sampled_from(sorted(SNAPSHOT)), ODD
)
def test_nonsense_gives_a_page_all_the_same(odd, key, value):
    for snapshot in (odd, {**SNAPSHOT, key: value}, {**SNAPSHOT, "workers": [odd], "interfaces": [odd]}):
        assert "eastwall_info" in collected(snapshot)


def test_the_page_lists_exactly_what_there_is():
    page = (DOCS / "metrics.md").read_text()
    rows = re.findall(r"^\| `(eastwall_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [
        (one.name, one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help) for one in TABLE
    ]


def references(text):
    """Give the metrics that an expression names, with the labels it picks or groups by."""
    for name, selector in re.findall(r"\b(eastwall_\w+)(?:\{([^}]*)\})?", text):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector))


def expressions():
    board = json.loads((DOCS / "grafana" / "eastwall.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"], ""
    for annotation in board["annotations"]["list"]:
        yield annotation["expr"], ""
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "metrics.md").read_text(), re.DOTALL)
    alerts = next(found for found in map(yaml.safe_load, blocks) if "groups" in found)
    for alert in alerts["groups"][0]["rules"]:
        yield alert["expr"], ""


GIVEN = {"instance", "job"}  # labels that Prometheus adds


@pytest.mark.parametrize(("expression", "legend"), list(expressions()))
def test_dashboard_and_alerts_name_metrics_that_exist(expression, legend):
    named = list(references(expression))
    assert named
    known = set(GIVEN)
    for name, labels in named:
        assert name in METRICS
        known |= set(METRICS[name].labels)
        assert labels <= known
    grouped = re.findall(r"\bby \(([^)]*)\)", expression)
    for group in grouped:
        assert {label.strip() for label in group.split(",")} <= known
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    kept = {label.strip() for group in grouped for label in group.split(",")}
    assert shown <= (kept if grouped else known)
    counters = [name for name, _ in named if METRICS[name].kind == "counter"]
    assert all(re.search(rf"(rate|increase)\({name}\b", expression) for name in counters)


def test_the_dashboard_shows_every_kind_of_thing():
    named = {name for expression, _ in expressions() for name, _ in references(expression)}
    assert len(named) >= 40
    board = json.loads((DOCS / "grafana" / "eastwall.json").read_text())
    identities = [panel["id"] for panel in board["panels"]]
    assert len(set(identities)) == len(identities)


def listening(**changed):
    document = MetricsDocument(**changed).model_copy(update={"port": 0})
    return MetricsServer(document)


@pytest.fixture
def served():
    made = []

    def make(**changed):
        made.append(listening(**changed))
        made[-1].publish(SNAPSHOT, NOW)
        return made[-1]

    yield make
    for server in made:
        server.close()


def fetch(server, host="127.0.0.1"):
    with urllib.request.urlopen(f"http://{host}:{server.port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_over_http(served):
    server = served()
    assert fetch(server) == collected(SNAPSHOT)
    server.publish({"epoch": 4}, NOW)
    assert "eastwall_policy_epoch 4.0" in fetch(server)


def test_over_ipv6(served):
    assert "eastwall_info" in fetch(served(address="::1"), "[::1]")


def test_clients_of_other_networks_are_hung_up_on(served):
    assert "eastwall_info" in fetch(served(allow=("192.0.2.0/24", "127.0.0.0/8")))
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        fetch(served(allow=("192.0.2.0/24",)))


def until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_more_requests_at_once_than_allowed_are_hung_up_on(served):
    server = served(requests=2)
    slots = server._server.slots
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
    assert until(lambda: slots._value == 0)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        fetch(server)
    for one in idle:
        one.close()
    assert until(lambda: slots._value == 2)
    assert "eastwall_info" in fetch(server)


def test_garbage_from_a_client_is_its_own_trouble(served):
    server = served()
    for garbage in (
        b"\0" * 100_000,
        b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
        b"POST / HTTP/1.0\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            try:  # it may hang up at any of these
                client.sendall(garbage)
                client.shutdown(socket.SHUT_WR)
                client.recv(10_000)
            except OSError as gone:
                if not isinstance(gone, ConnectionError) and gone.errno != errno.ENOTCONN:
                    raise
    assert "eastwall_info" in fetch(server)


def test_an_address_that_cannot_be_had():
    with pytest.raises(OSError, match="assign"):
        listening(address="192.0.2.1")
