"""All metrics there are. ``docs/metrics.md`` is the same table for users, held to this one by a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. The name of a counter ends in ``_total``."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


_APPLIANCE = (
    Metric("eastwall_info", "gauge", ("version", "mode", "datapath"), "Always 1."),
    Metric("eastwall_uptime_seconds", "gauge", (), "Time since the supervisor was started."),
    Metric("eastwall_published_timestamp_seconds", "gauge", (), "When the supervisor counted all this."),
    Metric("eastwall_policy_epoch", "gauge", (), "Rises with each change of policies."),
    Metric("eastwall_kernel_applied", "gauge", (), "1 when the kernel's rules are in place."),
    Metric("eastwall_rules", "gauge", ("state",), "Inspection rules: loaded, refused."),
    Metric("eastwall_quarantined_interfaces", "gauge", (), "Interfaces under quarantine."),
    Metric("eastwall_unbound_ports", "gauge", (), "Ports that no interface of the inventory is behind."),
    Metric("eastwall_absent_interfaces", "gauge", (), "Interfaces of the inventory without a port here."),
    Metric(
        "eastwall_held_interfaces", "gauge", (), "Interfaces that pass nothing here until a move is complete."
    ),
    Metric("eastwall_inventory_machines", "gauge", (), "Machines that hypervisors have told of."),
    Metric(
        "eastwall_inventory_conflicts",
        "gauge",
        (),
        "Contradictions between providers, and MACs that are claimed twice.",
    ),
    Metric(
        "eastwall_inventory_events_total",
        "counter",
        ("kind",),
        "What happened to machines: appeared, changed, powered, gone, moved, moving, frozen, dead.",
    ),
    Metric("eastwall_provider_up", "gauge", ("provider", "type"), "1 while the provider tells of changes."),
    Metric("eastwall_provider_machines", "gauge", ("provider",), "Machines that the provider has told of."),
    Metric(
        "eastwall_provider_frames_total", "counter", ("provider",), "Messages that the provider has sent."
    ),
    Metric(
        "eastwall_provider_failures_total",
        "counter",
        ("provider", "kind"),
        "What went wrong: lost, hangs, refused (messages that made no sense), starts beyond the first.",
    ),
    Metric(
        "eastwall_handoffs_total",
        "counter",
        ("result",),
        "Interfaces that moved: done, failed (policy in force, state lost), given.",
    ),
    Metric(
        "eastwall_handoff_seconds_total",
        "counter",
        (),
        "Time that taking in the state of moved interfaces took.",
    ),
    Metric(
        "eastwall_handoff_entries_total",
        "counter",
        ("kind",),
        "What came with moved interfaces: flows, connections, lost.",
    ),
)
_CLUSTER = (
    Metric("eastwall_cluster_connected", "gauge", (), "1 when what hosts share can be asked."),
    Metric("eastwall_cluster_connections_total", "counter", (), "Connections to servers."),
    Metric("eastwall_cluster_bundle", "gauge", (), "Number of the published policies in force; 0 for none."),
    Metric("eastwall_cluster_hosts", "gauge", ("state",), "Hosts: alive, gone."),
    Metric("eastwall_cluster_interfaces", "gauge", ("state",), "Interfaces by their state on this host."),
    Metric(
        "eastwall_cluster_events_total",
        "counter",
        ("event",),
        "claimed, offered, conflict, lost (its owner is silent), unknown (passes without the store).",
    ),
    Metric(
        "eastwall_cluster_refused_total",
        "counter",
        ("why",),
        "What came from others and was not applied: garbage, ignored, stale, old, unreadable, cut_off.",
    ),
)
_WORKERS = (
    Metric("eastwall_worker_up", "gauge", ("worker", "kind"), "1 when the worker inspects."),
    Metric("eastwall_worker_starts_total", "counter", ("worker",), "Times the worker was started."),
    Metric("eastwall_worker_overload_level", "gauge", ("worker",), "0: everything is inspected."),
    Metric("eastwall_worker_memory_bytes", "gauge", ("worker",), "Resident memory."),
    Metric("eastwall_worker_flows", "gauge", ("worker",), "Flows in the table."),
    Metric("eastwall_worker_records_total", "counter", ("worker", "result"), "Records: sent, lost."),
    Metric(
        "eastwall_worker_records_pending_bytes", "gauge", ("worker",), "Records that wait for the reporter."
    ),
    Metric("eastwall_queue_packets_total", "counter", ("worker",), "Packets taken from the kernel."),
    Metric("eastwall_queue_bytes_total", "counter", ("worker",), "Their bytes."),
    Metric("eastwall_queue_verdicts_total", "counter", ("worker",), "Verdicts given back to the kernel."),
    Metric("eastwall_queue_waiting_packets", "gauge", ("worker",), "Packets without a verdict."),
    Metric("eastwall_queue_lost_total", "counter", ("worker", "where"), "Packets the worker never saw."),
    Metric("eastwall_queue_errors_total", "counter", ("worker", "kind"), "Trouble with the queue."),
)
_ENGINE = (
    Metric("eastwall_packets_total", "counter", ("worker",), "Packets the engine judged."),
    Metric("eastwall_bytes_total", "counter", ("worker",), "Their bytes."),
    Metric("eastwall_verdicts_total", "counter", ("worker", "verdict"), "accepted, blocked, rejected."),
    Metric("eastwall_drops_total", "counter", ("worker", "reason"), "Packets not let through, by reason."),
    Metric("eastwall_flows_total", "counter", ("worker", "protocol"), "Flows begun."),
    Metric("eastwall_flow_table_full_total", "counter", ("worker",), "Flows refused by a full table."),
    Metric("eastwall_tcp_sessions_total", "counter", ("worker",), "TCP connections followed."),
    Metric("eastwall_tcp_events_total", "counter", ("worker", "event"), "Trouble with streams."),
    Metric("eastwall_fragments_total", "counter", ("worker", "version"), "IP fragments."),
    Metric("eastwall_invalid_packets_total", "counter", ("worker",), "Packets that could not be read."),
    Metric("eastwall_alerts_total", "counter", ("worker",), "Alerts."),
    Metric("eastwall_alerts_withheld_total", "counter", ("worker", "why"), "Alerts not written."),
    Metric("eastwall_application_flows_total", "counter", ("worker", "application"), "Flows recognised."),
    Metric("eastwall_transactions_total", "counter", ("worker", "application"), "Transactions parsed."),
)
_KERNEL = (
    Metric("eastwall_kernel_packets_total", "counter", ("path",), "Packets by their way through the kernel."),
    Metric("eastwall_kernel_bytes_total", "counter", ("path",), "Their bytes."),
    Metric(
        "eastwall_kernel_drops_total", "counter", ("port", "reason"), "Frames the kernel's guard dropped."
    ),
)
_INTERFACES = (
    Metric(
        "eastwall_interface_info",
        "gauge",
        ("vm", "interface", "port", "policy", "inspection", "fails"),
        "Always 1. What an interface is bound to.",
    ),
    Metric(
        "eastwall_interface_packets_total",
        "counter",
        ("vm", "interface", "direction"),
        "Packets judged, seen from the VM.",
    ),
    Metric("eastwall_interface_bytes_total", "counter", ("vm", "interface", "direction"), "Their bytes."),
    Metric(
        "eastwall_interface_drops_total", "counter", ("vm", "interface", "reason"), "Packets not let through."
    ),
    Metric("eastwall_interfaces", "gauge", (), "Interfaces protected here."),
    Metric("eastwall_interfaces_omitted", "gauge", (), "Interfaces beyond the limit, without metrics."),
)
_REPORTER = (
    Metric("eastwall_reporter_up", "gauge", (), "1 when the reporter answers."),
    Metric("eastwall_reporter_records_total", "counter", (), "Records received from workers."),
    Metric("eastwall_reporter_bytes_total", "counter", (), "Their bytes."),
    Metric("eastwall_reporter_invalid_total", "counter", (), "Lines that were no records."),
    Metric("eastwall_output_up", "gauge", ("output",), "1 when the output works."),
    Metric("eastwall_output_records_total", "counter", ("output", "result"), "written, lost, shortened."),
    Metric("eastwall_output_waiting_records", "gauge", ("output",), "Records that wait for the output."),
    Metric("eastwall_output_buffer_bytes", "gauge", ("output", "where"), "Messages held: memory, disk."),
    Metric("eastwall_output_connections_total", "counter", ("output",), "Connections to the receiver."),
    Metric("eastwall_output_rotations_total", "counter", ("output",), "Files put aside."),
)
TABLE = (*_APPLIANCE, *_CLUSTER, *_WORKERS, *_ENGINE, *_KERNEL, *_INTERFACES, *_REPORTER)
METRICS = {metric.name: metric for metric in TABLE}
