"""From the appliance's counters to metrics: one function for each part of the snapshot.

A snapshot is what ``docs/metrics.md`` describes: mappings, lists, numbers and text. Parts that are missing
or of another shape give no metrics and no error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from appliance.model.verdict import Reason, reason_words

Sample = tuple[str, tuple[str, ...], float]
Samples = Iterator[Sample]
MAX_APPLICATIONS = 128
MAX_OUTPUTS = 64
MAX_WORKERS = 256
MAX_PROVIDERS = 16
MAX_LABEL = 128
REASONS = {reason_words(one).replace(" ", "_"): one.value for one in Reason if one is not Reason.NONE}
KERNEL_PATHS = (
    "blocked", "settled", "bare_ack", "queued_closed", "queued_open", "limit_new", "limit_packets",
    "limit_group", "uninspected",
)  # fmt: skip
_DROP = "drop."
_OTHER = "other"


def part(found: Any, name: str) -> Mapping[str, Any]:
    """Give a mapping inside of another, an empty one when it is not there."""
    inner = found.get(name) if isinstance(found, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def items(found: Any, name: str) -> list[Mapping[str, Any]]:
    """Give the mappings of a list inside of a mapping."""
    inner = found.get(name) if isinstance(found, Mapping) else None
    return [one for one in inner if isinstance(one, Mapping)] if isinstance(inner, (list, tuple)) else []


def numbers(
    found: Mapping[str, Any], names: Iterable[tuple[str, str]], labels: tuple[str, ...] = ()
) -> Samples:
    """Give samples of those (key, metric) that hold a number."""
    for key, metric in names:
        value = found.get(key)
        if isinstance(value, (int, float)):
            yield metric, labels, float(value)


def parted(
    found: Mapping[str, Any], metric: str, keys: Mapping[str, str], labels: tuple[str, ...]
) -> Samples:
    """Give samples of one metric with several last labels: ``keys`` maps a key to its label."""
    for key, label in keys.items():
        value = found.get(key)
        if isinstance(value, (int, float)):
            yield metric, (*labels, label), float(value)


def text(value: Any) -> str:
    """Give the value of a label."""
    return str(value)[:MAX_LABEL]


_SIZES = {
    "quarantine": "eastwall_quarantined_interfaces",
    "unbound_ports": "eastwall_unbound_ports",
    "absent_interfaces": "eastwall_absent_interfaces",
    "held_interfaces": "eastwall_held_interfaces",
}


def appliance(snapshot: Mapping[str, Any], version: str) -> Samples:
    """Describe the appliance as a whole."""
    yield "eastwall_info", (version, text(snapshot.get("mode", "")), text(snapshot.get("datapath", ""))), 1.0
    names = (
        ("uptime", "eastwall_uptime_seconds"),
        ("epoch", "eastwall_policy_epoch"),
        ("applied", "eastwall_kernel_applied"),
    )
    yield from numbers(snapshot, names)
    yield from parted(
        part(snapshot, "rules"), "eastwall_rules", {"loaded": "loaded", "refused": "refused"}, ()
    )
    for key, metric in _SIZES.items():
        held = snapshot.get(key)
        if isinstance(held, (list, tuple)):
            yield metric, (), float(len(held))
    yield from _inventory(part(snapshot, "inventory"))
    yield from _moves(part(snapshot, "handoff"))


def _inventory(found: Mapping[str, Any]) -> Samples:
    providers = items(found, "providers")
    if not providers:
        return
    yield from numbers(found, [("machines", "eastwall_inventory_machines")])
    conflicts = found.get("conflicts")
    if isinstance(conflicts, (list, tuple)):
        yield "eastwall_inventory_conflicts", (), float(len(conflicts))
    kinds = ("appeared", "changed", "powered", "gone", "moved", "moving", "frozen", "dead")
    yield from parted(part(found, "events"), "eastwall_inventory_events_total", {k: k for k in kinds}, ())
    for one in providers[:MAX_PROVIDERS]:
        name = text(one.get("name", ""))
        yield "eastwall_provider_up", (name, text(one.get("type", ""))), float(one.get("connected") is True)
        names = [("machines", "eastwall_provider_machines"), ("frames", "eastwall_provider_frames_total")]
        yield from numbers(one, names, (name,))
        failures = {k: k for k in ("lost", "hangs", "refused")}
        yield from parted(one, "eastwall_provider_failures_total", failures, (name,))
        starts = one.get("starts")
        if isinstance(starts, int):
            yield "eastwall_provider_failures_total", (name, "starts"), float(max(0, starts - 1))


def _moves(found: Mapping[str, Any]) -> Samples:
    results = {"done": "done", "failed": "failed", "given": "given"}
    kinds = {"flows": "flows", "connections": "connections", "lost": "lost"}
    yield from parted(found, "eastwall_handoffs_total", results, ())
    yield from parted(found, "eastwall_handoff_entries_total", kinds, ())
    yield from numbers(found, [("seconds", "eastwall_handoff_seconds_total")])


_EVENTS = {
    "handoff.claimed": "claimed",
    "handoff.offered": "offered",
    "owner.conflict": "conflict",
    "owner.lost": "lost",
    "owner.unknown": "unknown",
}
_REFUSED = {name: name for name in ("garbage", "ignored", "stale", "old", "unreadable")} | {
    "cut off": "cut_off"
}
_STATES = (
    "claiming", "owner", "offering", "frozen", "left", "given", "given away", "expecting", "adopting",
    "taking", "waiting",
)  # fmt: skip


def cluster(snapshot: Mapping[str, Any]) -> Samples:
    """Describe what this host shares with others; nothing where it is alone."""
    found = part(snapshot, "cluster")
    names = (
        ("connected", "eastwall_cluster_connected"),
        ("connections", "eastwall_cluster_connections_total"),
        ("bundle", "eastwall_cluster_bundle"),
    )
    yield from numbers(found, names)
    if not found:
        return
    hosts = [bool(one.get("alive")) for one in items(found, "hosts")]
    yield "eastwall_cluster_hosts", ("alive",), float(sum(hosts))
    yield "eastwall_cluster_hosts", ("gone",), float(len(hosts) - sum(hosts))
    states = Counter(str(one.get("state")) for one in items(found, "interfaces"))
    for state in _STATES:
        yield "eastwall_cluster_interfaces", (state.replace(" ", "_"),), float(states[state])
    yield from parted(part(found, "events"), "eastwall_cluster_events_total", _EVENTS, ())
    sources = (part(found, "counts"), part(found, "driver"))
    for key, label in _REFUSED.items():
        values = [one.get(key) for one in sources]
        yield "eastwall_cluster_refused_total", (label,), float(sum(v for v in values if isinstance(v, int)))


_WORKER = (
    ("starts", "eastwall_worker_starts_total"),
    ("load", "eastwall_worker_overload_level"),
    ("memory", "eastwall_worker_memory_bytes"),
    ("flows", "eastwall_worker_flows"),
)
_QUEUE = (
    ("received", "eastwall_queue_packets_total"),
    ("bytes", "eastwall_queue_bytes_total"),
    ("verdicts", "eastwall_queue_verdicts_total"),
    ("waiting", "eastwall_queue_waiting_packets"),
)
_LOST = {"queue_drops": "queue", "user_drops": "socket"}
_ERRORS = {name: name for name in ("overruns", "malformed", "truncated", "oversized", "refused")}


def workers(snapshot: Mapping[str, Any]) -> Samples:
    """Describe every worker, its queue, its records and its engine."""
    for one in items(snapshot, "workers")[:MAX_WORKERS]:
        worker = (text(one.get("number", "")),)
        yield "eastwall_worker_up", (*worker, text(one.get("kind", ""))), float(bool(one.get("ready")))
        yield from numbers(one, _WORKER, worker)
        queue, records = part(one, "queue"), part(one, "records")
        yield from numbers(queue, _QUEUE, worker)
        yield from parted(queue, "eastwall_queue_lost_total", _LOST, worker)
        yield from parted(queue, "eastwall_queue_errors_total", _ERRORS, worker)
        yield from parted(records, "eastwall_worker_records_total", {"sent": "sent", "lost": "lost"}, worker)
        yield from numbers(records, [("pending", "eastwall_worker_records_pending_bytes")], worker)
        yield from engine(part(one, "engine"), worker)


_ENGINE = (
    ("decoder.pkts", "eastwall_packets_total"),
    ("decoder.bytes", "eastwall_bytes_total"),
    ("decoder.invalid", "eastwall_invalid_packets_total"),
    ("flow.memcap", "eastwall_flow_table_full_total"),
    ("tcp.sessions", "eastwall_tcp_sessions_total"),
    ("detect.alert", "eastwall_alerts_total"),
)
_VERDICTS = {f"ips.{name}": name for name in ("accepted", "blocked", "rejected")}
_DROPS = {f"ips.drop_reason.{name}": reason for name, reason in REASONS.items()}
_FLOWS = {f"flow.{name}": name for name in ("tcp", "udp", "icmpv4", "icmpv6")}
_TCP = {f"tcp.{name}": name for name in ("reassembly_gap", "midstream_pickups", "invalid_checksum")}
_FRAGMENTS = {"defrag.ipv4.fragments": "4", "defrag.ipv6.fragments": "6"}
_WITHHELD = {"detect.alerts_suppressed": "suppressed", "detect.alert_queue_overflow": "overflow"}
_APPLICATIONS = (
    ("app_layer.flow.", "eastwall_application_flows_total"),
    ("app_layer.tx.", "eastwall_transactions_total"),
)


def engine(counters: Mapping[str, Any], worker: tuple[str, ...]) -> Samples:
    """Give the counters of one engine, by the dotted names of its ``stats`` records."""
    yield from numbers(counters, _ENGINE, worker)
    yield from parted(counters, "eastwall_verdicts_total", _VERDICTS, worker)
    yield from parted(counters, "eastwall_drops_total", _DROPS, worker)
    yield from parted(counters, "eastwall_flows_total", _FLOWS, worker)
    yield from parted(counters, "eastwall_tcp_events_total", _TCP, worker)
    yield from parted(counters, "eastwall_fragments_total", _FRAGMENTS, worker)
    yield from parted(counters, "eastwall_alerts_withheld_total", _WITHHELD, worker)
    for prefix, metric in _APPLICATIONS:
        named = {name: name.removeprefix(prefix) for name in sorted(counters) if name.startswith(prefix)}
        yield from parted(counters, metric, dict(list(named.items())[:MAX_APPLICATIONS]), worker)


def kernel(snapshot: Mapping[str, Any], limit: int) -> Samples:
    """Give the kernel's counters; drops of at most ``limit`` ports by name, of the others together."""
    counters = part(snapshot, "kernel")
    for path in KERNEL_PATHS:
        yield from numbers(part(counters, path), _COUNTS, (path,))
    ports = sorted({_split(name)[0] for name in counters if name.startswith(_DROP)})
    shown = frozenset(ports[:limit])
    totals: dict[tuple[str, str], float] = {}
    for name in counters:
        packets = part(counters, name).get("packets")
        if name.startswith(_DROP) and isinstance(packets, (int, float)):
            port, reason = _split(name)
            key = (port if port in shown else _OTHER, reason)
            totals[key] = totals.get(key, 0.0) + packets
    for labels, count in totals.items():
        yield "eastwall_kernel_drops_total", labels, count


_COUNTS = (("packets", "eastwall_kernel_packets_total"), ("bytes", "eastwall_kernel_bytes_total"))


def _split(name: str) -> tuple[str, str]:
    """Part ``drop.REASON.PORT``; a port's name may have dots itself."""
    reason, _, port = name.removeprefix(_DROP).partition(".")
    return text(port), text(reason)


def interfaces(snapshot: Mapping[str, Any], limit: int) -> Samples:
    """Describe at most ``limit`` interfaces, always the same ones: in the order of their labels."""
    found = sorted(items(snapshot, "interfaces"), key=_identity)
    yield "eastwall_interfaces", (), float(len(found))
    yield "eastwall_interfaces_omitted", (), float(max(len(found) - limit, 0))
    for one in found[:limit]:
        identity = _identity(one)
        bound = (text(one.get("port", "")), text(one.get("policy", "")))
        modes = ("prevent" if one.get("prevents") else "detect", text(one.get("fails", "")))
        yield "eastwall_interface_info", (*identity, *bound, *modes), 1.0
        for metric, keys in _DIRECTIONS.items():
            yield from parted(one, metric, keys, identity)
        yield from parted(part(one, "drops"), "eastwall_interface_drops_total", _INTERFACE_DROPS, identity)


_DIRECTIONS = {
    "eastwall_interface_packets_total": {"packets_in": "in", "packets_out": "out"},
    "eastwall_interface_bytes_total": {"bytes_in": "in", "bytes_out": "out"},
}
_INTERFACE_DROPS = {**REASONS, **{reason: reason for reason in REASONS.values()}}


def _identity(one: Mapping[str, Any]) -> tuple[str, str]:
    return text(one.get("uuid", "")), text(one.get("name", ""))


_REPORTER = (
    ("received", "eastwall_reporter_records_total"),
    ("received_bytes", "eastwall_reporter_bytes_total"),
    ("invalid", "eastwall_reporter_invalid_total"),
)
_OUTPUT = (
    ("connected", "eastwall_output_up"),
    ("buffered", "eastwall_output_waiting_records"),
    ("connections", "eastwall_output_connections_total"),
    ("rotated", "eastwall_output_rotations_total"),
)
_RESULTS = {name: name for name in ("written", "lost", "shortened")}
_BUFFERS = {"buffered_bytes": "memory", "spool_bytes": "disk"}


def reporter(snapshot: Mapping[str, Any]) -> Samples:
    """Describe the reporter and its outputs."""
    found = part(snapshot, "reporter")
    yield "eastwall_reporter_up", (), float("received" in found)
    yield from numbers(found, _REPORTER)
    outputs = part(found, "outputs")
    for label in sorted(outputs)[:MAX_OUTPUTS]:
        one, output = part(outputs, label), (text(label),)
        yield from numbers(one, _OUTPUT, output)
        yield from parted(one, "eastwall_output_records_total", _RESULTS, output)
        yield from parted(one, "eastwall_output_buffer_bytes", _BUFFERS, output)
