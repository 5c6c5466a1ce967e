"""The process that brings records from workers to files and receivers; no packet waits for it."""

from appliance.daemon.reporter.process import ReporterError, ReporterProcess
from appliance.daemon.reporter.service import run_reporter

__all__ = ["ReporterError", "ReporterProcess", "run_reporter"]
