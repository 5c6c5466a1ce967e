"""What Prometheus is told: a closed table of metrics, filled from plain counters."""

from appliance.sinks.metrics.collector import MetricsCollector
from appliance.sinks.metrics.server import MetricsServer

__all__ = ["MetricsCollector", "MetricsServer"]
