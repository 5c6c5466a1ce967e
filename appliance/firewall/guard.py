"""Scan detection at the ends of a packet that opens something new."""

from __future__ import annotations

from appliance.config.settings import FirewallSettings
from appliance.firewall.bound import Scan, ScanAction
from appliance.firewall.end import End
from appliance.firewall.ends import denied, label_of
from appliance.firewall.judgement import EndJudgement
from appliance.firewall.limits import Tallies
from appliance.firewall.probes import probe_of
from appliance.firewall.rule import IN
from appliance.firewall.scan import Blocks, Recent, Sweeps
from appliance.firewall.subject import has_ports
from appliance.model.event import NoticeEvent
from appliance.model.packet import Packet
from appliance.model.verdict import Reason

_MAX_REPORTS = 4096


class ScanGuard:
    """Sees scans, reports them and keeps their sources out for a while."""

    def __init__(self, settings: FirewallSettings, tallies: Tallies) -> None:
        """Keep nothing but bounded tables; ``tallies`` number the interfaces."""
        self.sweeps = Sweeps(settings.max_scan_sources)
        self.blocks = Blocks(settings.max_scan_blocks)
        self._recent = Recent(_MAX_REPORTS, settings.notice_interval)
        self._tallies = tallies

    def adopt(self, old: ScanGuard) -> None:
        """Take over what ``old`` has seen; bounds stay those of this one for what comes."""
        self._tallies, self._recent = old._tallies, old._recent
        self.sweeps.adopt(old.sweeps)
        self.blocks.adopt(old.blocks)

    def block_list(self) -> list[tuple[tuple[str, str], bytes, int]]:
        """Give identity of the interface, source and end of each block."""
        names = self._tallies.identities()
        return [
            (names[number], source, until)
            for (number, source), until in self.blocks.items()
            if number in names
        ]

    def block(self, identity: tuple[str, str], source: bytes, until: int) -> bool:
        """Block a source at an interface; False when the interface is not known."""
        for number, known in self._tallies.identities().items():
            if known == identity:
                self.blocks.add(number, source, until)
                return True
        return False

    def blocked(self, ends: list[End], source: bytes, now: int) -> EndJudgement | None:
        """Give the judgement of an end that has ``source`` blocked."""
        if not len(self.blocks) or not source:
            return None
        for end in ends:
            number = self._number(end)
            if number and self.blocks.blocked(number, source, now):
                return denied(end, Reason.SCAN_BLOCK, "scan_detection/block")
        return None

    def inspect(
        self, packet: Packet, ends: list[End], sweeps: bool, now: int
    ) -> tuple[EndJudgement | None, tuple[NoticeEvent, ...]]:
        """Look for scans in a packet; ``sweeps`` tells whether it opens a flow and so counts."""
        if packet.ip_version == 0 or not any(end.scan for end in ends):
            return None, ()
        probe = probe_of(packet)
        judgement: EndJudgement | None = None
        notices: list[NoticeEvent] = []
        for end in ends:
            scan = end.scan
            if scan is None or _exempt(scan, packet.src):
                continue
            for kind in self._kinds(packet, end, scan, probe if end.direction == IN else "", sweeps, now):
                judgement = self._react(packet, end, kind, scan.kinds[kind], notices, now) or judgement
        return judgement, tuple(notices)

    def _kinds(self, packet: Packet, end: End, scan: Scan, probe: str, sweeps: bool, now: int) -> list[str]:
        kinds = [probe] if probe in scan.kinds else []
        if not sweeps:
            return kinds
        number, source = self._number(end), packet.src
        service = (packet.proto, packet.dport if has_ports(packet.proto) else packet.icmp_type)
        if end.direction == IN and has_ports(packet.proto):
            action = scan.kinds.get("port_sweep")
            if action and self.sweeps.touch((number, source), service, action, now):
                kinds.append("port_sweep")
        action = scan.kinds.get("host_sweep")
        # Sweeping in is seen only across interfaces, those of one segment.
        whose = -(packet.place >> 32) if end.direction == IN else number
        if action and self.sweeps.touch((whose, source, service), packet.dst, action, now):
            kinds.append("host_sweep")
        return kinds

    def _react(
        self, packet: Packet, end: End, kind: str, action: ScanAction, notices: list[NoticeEvent], now: int
    ) -> EndJudgement | None:
        number = self._number(end)
        if self._recent.is_news((number, kind, packet.src), now):
            details = {
                "interface": label_of(end.policy),
                "policy": end.policy.name,
                "blocked": action.block > 0,
            }
            notices.append(NoticeEvent(now, f"scan.{kind}", packet, details))
        if action.block and number:
            self.blocks.add(number, packet.src, now + action.block)
        return (
            denied(end, Reason.SCAN_BLOCK, f"scan_detection/{kind}") if action.deny or action.block else None
        )

    def _number(self, end: End) -> int:
        interface = end.interface
        return self._tallies.of(interface.index).number if interface is not None else 0


def _exempt(scan: Scan, source: bytes) -> bool:
    if not scan.exempt:
        return False
    version, number = 4 if len(source) == 4 else 6, int.from_bytes(source, "big")
    return any(one.version == version and one.base <= number <= one.last for one in scan.exempt)
