"""The collector that prometheus-client asks at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from appliance.sinks.metrics import sections
from appliance.sinks.metrics.table import METRICS, TABLE

_SECOND = 1_000_000_000


class MetricsCollector(Collector):
    """Gives the metrics of the snapshot that was published last; none before the first.

    A scrape asks nobody, so it costs neither the supervisor nor a worker anything, however many scrape.
    """

    def __init__(self, interfaces: int) -> None:
        """Give metrics of at most ``interfaces`` interfaces and ports each."""
        self._interfaces = interfaces
        self._version = version("eastwall")
        self._published: tuple[Mapping[str, Any], int] | None = None

    def publish(self, snapshot: Mapping[str, Any], now: int) -> None:
        """Take counters, which must not change any more, read at ``now`` (ns since the epoch)."""
        self._published = (snapshot, now)

    @override
    def collect(self) -> Iterable[Metric]:
        """Give all metrics that have samples, in the order of the table."""
        published = self._published
        if published is None:
            return
        snapshot, now = published
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for name, labels, value in self._samples(snapshot, now):
            if (name, labels) not in seen:  # a label twice makes Prometheus refuse all of it
                seen.add((name, labels))
                _family(families, name).add_metric(labels, value)
        yield from (families[metric.name] for metric in TABLE if metric.name in families)

    def _samples(self, snapshot: Mapping[str, Any], now: int) -> sections.Samples:
        yield "eastwall_published_timestamp_seconds", (), now / _SECOND
        yield from sections.appliance(snapshot, self._version)
        yield from sections.cluster(snapshot)
        yield from sections.workers(snapshot)
        yield from sections.kernel(snapshot, self._interfaces)
        yield from sections.interfaces(snapshot, self._interfaces)
        yield from sections.reporter(snapshot)


def _family(
    families: dict[str, CounterMetricFamily | GaugeMetricFamily], name: str
) -> CounterMetricFamily | GaugeMetricFamily:
    """Give the family of a metric, made when it is first asked for."""
    family = families.get(name)
    if family is None:
        metric = METRICS[name]
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = families[name] = kind(name, metric.help, labels=metric.labels)
    return family
