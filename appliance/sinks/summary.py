"""What a replay comes to: counted while it runs, printed at its end, or given as JSON.

Every table is bounded: the busiest talkers are kept by the space-saving algorithm (Metwally et al.,
2005), other tables stop taking new names and count the rest as "others".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from appliance.model.event import AlertEvent, AnomalyEvent, DropEvent, Event, FlowEvent, NoticeEvent
from appliance.model.flow import Flow
from appliance.model.identity import VmInterface
from appliance.model.verdict import Decision, Verdict
from appliance.sinks.text import ip_text

if TYPE_CHECKING:
    from appliance.capture.base import CaptureProblem

KeyT = TypeVar("KeyT")
_LIMIT = 1000
_TOP = 10
_OTHERS = "others"


class Heavy(Generic[KeyT]):
    """The keys with the largest sums, approximately, in bounded memory.

    When full, the smallest key gives way and its sum is inherited: sums are never too small.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        """Keep at most ``limit`` keys."""
        self._limit = limit
        self._sums: dict[KeyT, int] = {}

    def add(self, key: KeyT, amount: int) -> None:
        """Add to the sum of a key."""
        if key in self._sums or len(self._sums) < self._limit:
            self._sums[key] = self._sums.get(key, 0) + amount
            return
        smallest = min(self._sums, key=self._sums.__getitem__)
        self._sums[key] = self._sums.pop(smallest) + amount

    def top(self, count: int) -> list[tuple[KeyT, int]]:
        """Give the ``count`` largest, largest first."""
        return sorted(self._sums.items(), key=lambda item: (-item[1], str(item[0])))[:count]


class Capped:
    """Counts by name for at most ``limit`` names; what comes later counts as "others"."""

    def __init__(self, limit: int = _LIMIT) -> None:
        """Keep at most ``limit`` names and "others"."""
        self._limit = limit
        self.counts: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        known = name in self.counts or len(self.counts) < self._limit
        name = name if known else _OTHERS
        self.counts[name] = self.counts.get(name, 0) + amount

    def ordered(self) -> list[tuple[str, int]]:
        """Give all counts, largest first."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))


@dataclass(slots=True)
class AlertCount:
    """How often one rule matched, and how often it blocked."""

    gid: int
    sid: int
    msg: str
    allowed: int = 0
    blocked: int = 0


@dataclass(slots=True)
class InterfaceCount:
    """What one VM interface sent, received and had refused; bytes are of whole frames."""

    flows: int = 0
    sent: int = 0
    received: int = 0
    drops: int = 0
    alerts: int = 0


class Summary:
    """Collects counters of a replay from frames, decisions and events."""

    def __init__(self, *, ignored_rules: int = 0, limit: int = _LIMIT) -> None:
        """Start at nothing; ``ignored_rules`` is how many rules could not be used."""
        self.packets = 0
        self.bytes = 0
        self.flows = 0
        self.first = -1
        self.last = -1
        self.ignored_rules = ignored_rules
        self.problems: list[CaptureProblem] = []
        self.verdicts = dict.fromkeys(Verdict, 0)
        self.reasons = Capped(limit)
        self.applications = Capped(limit)
        self.anomalies = Capped(limit)
        self.notices = Capped(limit)
        self.talkers: Heavy[tuple[bytes, bytes]] = Heavy(limit)
        self._limit = limit
        self._alerts: dict[tuple[int, int], AlertCount] = {}
        self._other_alerts = AlertCount(0, 0, _OTHERS)
        self._interfaces: dict[str, InterfaceCount] = {}

    def frame(self, wirelen: int, now: int, decision: Decision) -> None:
        """Count a frame and what was decided about it."""
        self.packets += 1
        self.bytes += wirelen
        self.first = now if self.first < 0 else min(self.first, now)
        self.last = max(self.last, now)
        self.verdicts[decision.verdict] += 1
        if decision.verdict > Verdict.ACCEPT:
            self.reasons.add(decision.reason.value)

    def event(self, event: Event) -> None:
        """Count an event."""
        match event:
            case AlertEvent():
                self._alert(event)
            case DropEvent():
                self._drop(event)
            case FlowEvent():
                self._flow(event.flow)
            case AnomalyEvent():
                self.anomalies.add(f"{event.kind}: {event.name}")
            case NoticeEvent():
                self.notices.add(event.name)
            case _:
                pass

    def _alert(self, event: AlertEvent) -> None:
        key = (event.rule.gid, event.rule.sid)
        count = self._alerts.get(key)
        if count is None:
            count = self._other_alerts
            if len(self._alerts) < self._limit:
                count = self._alerts[key] = AlertCount(*key, event.rule.msg)
        if event.action == "blocked":
            count.blocked += 1
        else:
            count.allowed += 1
        for end in {event.packet.src_if, event.packet.dst_if}:
            if end is not None:
                self._interface(end).alerts += 1

    def _drop(self, event: DropEvent) -> None:
        for end in {event.packet.src_if, event.packet.dst_if}:
            if end is not None:
                self._interface(end).drops += 1

    def _flow(self, flow: Flow) -> None:
        self.flows += 1
        self.applications.add(flow.app_proto or "unknown")
        self.talkers.add((flow.client, flow.server), flow.bytes_ts + flow.bytes_tc)
        for end, sent, received in (
            (flow.client_if, flow.bytes_ts, flow.bytes_tc),
            (flow.server_if, flow.bytes_tc, flow.bytes_ts),
        ):
            if end is not None:
                count = self._interface(end)
                count.flows += 1
                count.sent += sent
                count.received += received

    def _interface(self, end: VmInterface) -> InterfaceCount:
        name = end.label
        if name not in self._interfaces and len(self._interfaces) >= self._limit:
            name = _OTHERS
        return self._interfaces.setdefault(name, InterfaceCount())

    def alerts(self) -> list[AlertCount]:
        """Give the alerts of all rules, most frequent first."""
        counts = sorted(self._alerts.values(), key=lambda c: (-(c.allowed + c.blocked), c.gid, c.sid))
        other = self._other_alerts
        return [*counts, other] if other.allowed + other.blocked else counts

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain values; times are nanoseconds since the epoch."""
        return {
            "packets": self.packets,
            "bytes": self.bytes,
            "flows": self.flows,
            "first": max(self.first, 0),
            "last": max(self.last, 0),
            "verdicts": {verdict.name.lower(): count for verdict, count in self.verdicts.items()},
            "drop_reasons": dict(self.reasons.ordered()),
            "alerts": [
                {"gid": c.gid, "sid": c.sid, "msg": c.msg, "allowed": c.allowed, "blocked": c.blocked}
                for c in self.alerts()
            ],
            "applications": dict(self.applications.ordered()),
            "talkers": [
                {"client": ip_text(pair[0]), "server": ip_text(pair[1]), "bytes": size}
                for pair, size in self.talkers.top(_TOP)
            ],
            "interfaces": {
                name: {
                    "flows": c.flows,
                    "bytes_sent": c.sent,
                    "bytes_received": c.received,
                    "drops": c.drops,
                    "alerts": c.alerts,
                }
                for name, c in sorted(self._interfaces.items())
            },
            "anomalies": dict(self.anomalies.ordered()),
            "notices": dict(self.notices.ordered()),
            "capture_problems": [{"path": p.path, "offset": p.offset, "what": p.what} for p in self.problems],
            "ignored_rules": self.ignored_rules,
        }

    def render(self, console: Console) -> None:
        """Print all tables that have something in them."""
        seconds = max(self.last - self.first, 0) / 1e9
        console.print(
            f"{self.packets:,} packets, {self.bytes:,} bytes, {self.flows:,} flows in {seconds:,.3f} s"
        )
        _print(console, "Verdicts", ("verdict", "packets"), self._verdict_rows())
        _print(console, "Alerts", ("rule", "message", "allowed", "blocked"), self._alert_rows())
        _print(console, "Applications", ("application", "flows"), self.applications.ordered()[:_TOP])
        talkers = [(ip_text(a), ip_text(b), size) for (a, b), size in self.talkers.top(_TOP)]
        _print(console, "Top talkers", ("client", "server", "bytes"), talkers)
        machines = [
            (name, c.flows, c.sent, c.received, c.drops, c.alerts)
            for name, c in sorted(self._interfaces.items())
        ]
        heads = ("interface", "flows", "bytes sent", "bytes received", "drops", "alerts")
        _print(console, "VM interfaces", heads, machines)
        _print(console, "Anomalies", ("anomaly", "count"), self.anomalies.ordered()[:_TOP])
        _print(console, "Notices", ("notice", "count"), self.notices.ordered()[:_TOP])
        problems = [(p.path, p.offset, p.what) for p in self.problems[:_TOP]]
        _print(console, "Capture problems", ("file", "offset", "problem"), problems)
        if self.ignored_rules:
            console.print(f"{self.ignored_rules:,} rules were not used: see `eastwall check`")

    def _verdict_rows(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = [(v.name.lower(), n) for v, n in self.verdicts.items() if n]
        return rows + [(f"  {name.replace('_', ' ')}", n) for name, n in self.reasons.ordered()]

    def _alert_rows(self) -> list[tuple[Any, ...]]:
        return [(f"{c.gid}:{c.sid}", c.msg, c.allowed, c.blocked) for c in self.alerts()]


def _print(console: Console, title: str, heads: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Print a table unless it is empty; numbers are set to the right."""
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if isinstance(rows[0][number], int) else "left")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in row))
    console.print(table)
