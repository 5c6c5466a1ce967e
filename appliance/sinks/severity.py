"""How grave a record is, for syslog (RFC 5424 section 6.2.1) and for CEF (0 to 10)."""

from __future__ import annotations

from typing import Any

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
)  # fmt: skip
CRITICAL, ERROR, WARNING, NOTICE, INFORMATIONAL = 2, 3, 4, 5, 6
_LEAST_ALERT = 4
# Severity of an alert's rule (1 is the gravest) -> syslog and CEF.
_ALERTS = {1: (CRITICAL, 9), 2: (ERROR, 7), 3: (WARNING, 5), _LEAST_ALERT: (NOTICE, 3)}
_KINDS = {"drop": (WARNING, 5), "anomaly": (NOTICE, 3), "eastwall": (NOTICE, 4)}
_PROTECTION = (WARNING, 7)
_REFUSED = (WARNING, 5)
_LOGGED = (INFORMATIONAL, 1)
_OTHER = (INFORMATIONAL, 1)


def severities(fields: dict[str, Any]) -> tuple[int, int]:
    """Give the severities of a parsed record in syslog (0 is the gravest) and in CEF (10 is the gravest)."""
    kind = fields.get("event_type")
    if kind == "alert":
        return _ALERTS[_rule_severity(fields.get("alert"))]
    if kind == "eastwall":
        return _notice(fields.get("eastwall"))
    return _KINDS.get(kind, _OTHER) if isinstance(kind, str) else _OTHER


def _rule_severity(alert: Any) -> int:
    given = alert.get("severity") if isinstance(alert, dict) else None
    return min(max(given, 1), _LEAST_ALERT) if isinstance(given, int) else _LEAST_ALERT


def _notice(body: Any) -> tuple[int, int]:
    event = str(body.get("event", "")) if isinstance(body, dict) else ""
    if event.startswith(("spoofed_", "scan.")):
        return _PROTECTION
    if event == "firewall":
        return _LOGGED if body.get("verdict") in {"accept", "bypass"} else _REFUSED
    return _REFUSED if event == "application_denied" else _KINDS["eastwall"]
