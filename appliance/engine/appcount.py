"""Counters of the application layer: flows, transactions and errors by protocol, ``app_layer.*``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.model.app import AppState, Parser
from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP
from appliance.protocols.detection import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appliance.engine.counters import Counters
    from appliance.protocols.spec import ProtocolSpec

_ERRORS = ("gap", "parser")


class AppCounters:
    """Counts what the application layer of each flow has come to since it was last looked at.

    A protocol that runs over both transports is counted for each: ``app_layer.flow.dns_udp``.
    """

    def __init__(self, counters: Counters, specs: Iterable[ProtocolSpec]) -> None:
        """Count into ``counters``; the names of all protocols are there from the beginning, at 0."""
        self._counters = counters
        self._names: dict[tuple[str, bool], str] = {}
        # Names of counters by protocol, put together once: of flows, and of transactions.
        self._flows_tcp: dict[str, str] = {}
        self._flows_udp: dict[str, str] = {}
        self._over_tcp: dict[str, str] = {}
        self._over_udp: dict[str, str] = {}
        for spec in specs:
            both = len(spec.transports) > 1
            for transport in spec.transports:
                name = f"{spec.name}_{transport}" if both else spec.name
                self._names[spec.name, transport == "tcp"] = name
                self._declare(name, parsed=spec.parser is not None)
        for transport in ("tcp", "udp"):
            self._names[FAILED, transport == "tcp"] = f"{FAILED}_{transport}"
            self._declare(f"{FAILED}_{transport}", parsed=False)

    def _declare(self, name: str, *, parsed: bool) -> None:
        self._counters.add(f"app_layer.flow.{name}", 0)
        if parsed:
            self._counters.add(f"app_layer.tx.{name}", 0)
            for kind in _ERRORS:
                self._counters.add(f"app_layer.error.{name}.{kind}", 0)

    def _name(self, protocol: str, flow: Flow) -> str:
        return self._names.get((protocol, flow.proto == PROTO_TCP), protocol)

    def update(self, flow: Flow, state: AppState) -> None:
        """Count what is new in a flow."""
        if state.proto != state.counted:
            state.counted = state.proto
            if state.proto:
                self._count_flow(flow, state.proto)
        if state.previous is not None:
            self._update_parser(flow, state.previous)
        if state.parser is not None:
            self._update_parser(flow, state.parser)

    def _count_flow(self, flow: Flow, protocol: str) -> None:
        names = self._flows_tcp if flow.proto == PROTO_TCP else self._flows_udp
        name = names.get(protocol)
        if name is None:
            name = names[protocol] = "app_layer.flow." + self._name(protocol, flow)
        self._counters.add(name)

    def _update_parser(self, flow: Flow, parser: Parser) -> None:
        new = parser.next_tx - parser.counted_tx
        if new > 0:
            parser.counted_tx = parser.next_tx
            names = self._over_tcp if flow.proto == PROTO_TCP else self._over_udp
            name = names.get(parser.name)
            if name is None:
                name = names[parser.name] = "app_layer.tx." + self._name(parser.name, flow)
            self._counters.add(name, new)
        if parser.failed and not parser.counted:
            parser.counted = True
            kind = parser.failure or "parser"
            self._counters.add(f"app_layer.error.{self._name(parser.name, flow)}.{kind}")
