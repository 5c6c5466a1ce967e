"""The policy documents, as ``docs/policy.md`` describes them to users."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from appliance.config.addresses import parse_mac
from appliance.config.validate import Strict
from appliance.firewall.rule import CARRIERS, FIRST_ETHERTYPE, SECTIONS
from appliance.policy import conditions as cond
from appliance.policy.times import Days, Duration, Hours, Zone

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\s]([^/]*[^/\s])?$")]
Count = Annotated[int, Field(ge=0, le=1 << 31)]
Threshold = Annotated[int, Field(ge=2, le=1024)]
ScanReaction = Literal["notice", "deny", "block"]
_PORT_PROTOCOLS = {6, 17, 132}
_ICMP_PROTOCOLS = {1, 58}
_IP_CONDITIONS = (
    "protocol",
    "source",
    "destination",
    "source_port",
    "destination_port",
    "tcp_flags",
    "icmp",
)


def _not_schedule(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _ethertype(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not FIRST_ETHERTYPE <= value <= 0xFFFF:
        message = f"{value!r} is not an ethertype (0x0600-0xffff)"
        raise ValueError(message)
    if value in CARRIERS:
        message = f"frames of type {value:#06x} carry other frames past inspection and are never let through"
        raise ValueError(message)
    return value


Ethertype = Annotated[int, BeforeValidator(_ethertype)]


class ScheduleUse(Strict):
    """A schedule by name, or all the time but this."""

    name: str = ""
    excluded: str = Field("", alias="not")


class RuleModel(Strict):
    """One firewall rule."""

    name: Name | None = None
    action: Literal["allow", "deny", "reject", "bypass", "log"]
    direction: Literal["in", "out", "both"] = "both"
    frame: cond.FrameCondition = cond.Condition((cond.FRAMES["ip"],))
    protocol: cond.ProtocolCondition = None
    source: cond.Addresses = None
    destination: cond.Addresses = None
    source_port: cond.PortCondition = None
    destination_port: cond.PortCondition = None
    source_mac: cond.MacCondition = None
    destination_mac: cond.MacCondition = None
    tcp_flags: cond.FlagCondition = None
    icmp: cond.IcmpCondition = None
    schedule: Annotated[ScheduleUse | None, BeforeValidator(_not_schedule)] = None
    enabled: bool = True
    log: bool = False
    comment: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        protocols = set(self.protocol.items) if self.protocol and not self.protocol.negated else set()
        if (self.source_port or self.destination_port) and not (protocols and protocols <= _PORT_PROTOCOLS):
            raise ValueError("ports need a protocol that has them: tcp, udp, sctp")
        if self.tcp_flags and protocols != {6}:
            raise ValueError("tcp_flags need protocol: tcp")
        if self.icmp and not (protocols and protocols <= _ICMP_PROTOCOLS):
            raise ValueError("icmp needs protocol: icmp or icmpv6")
        self._check_frame()
        return self

    def _check_frame(self) -> None:
        used = next((name for name in _IP_CONDITIONS if getattr(self, name) is not None), "")
        if not used or self.frame is None:
            return
        kinds = frozenset().union(*self.frame.items)
        if not self.frame.negated and not kinds & cond.FRAMES["ip"]:
            message = f"{used} is of IP packets, and frame names none"
            raise ValueError(message)


class FirewallModel(Strict):
    """Rules in the four sections."""

    emergency: tuple[RuleModel, ...] = ()
    infrastructure: tuple[RuleModel, ...] = ()
    application: tuple[RuleModel, ...] = ()
    default: tuple[RuleModel, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [rule.name for section in SECTIONS for rule in getattr(self, section) if rule.name]
        twice = sorted(name for name, uses in Counter(names).items() if uses > 1)
        if twice:
            message = f"rule names are used twice: {', '.join(twice)}"
            raise ValueError(message)
        return self


def _tracked(value: Any) -> Any:
    if isinstance(value, str) and value in {"all", "none"}:
        return None if value == "all" else ()
    return tuple(cond.protocol_item(one) for one in (value if isinstance(value, list) else [value]))


class StatefulModel(Strict):
    """Connection tracking and limits."""

    tracked: Annotated[Any, BeforeValidator(_tracked)] = None
    strict: bool = False
    connections: Count = 0
    half_open: Count = 0
    syn_rate: Count = 0
    syn_burst: Count = 0


class ProbeModel(Strict):
    """What to do about packets that only a scanner sends."""

    enabled: bool = True
    action: ScanReaction = "notice"
    block: Duration = 300 * 1_000_000_000


class SweepModel(ProbeModel):
    """When many targets in a short time are a sweep."""

    threshold: Threshold = 20
    window: Duration = 10 * 1_000_000_000


class ScanModel(Strict):
    """Scan detection by kind; a kind that is not mentioned is off."""

    enabled: bool = True
    port_sweep: SweepModel | None = None
    host_sweep: SweepModel | None = None
    null: ProbeModel | None = None
    fin: ProbeModel | None = None
    xmas: ProbeModel | None = None
    syn_fin: ProbeModel | None = None
    os_fingerprint: ProbeModel | None = None
    exempt: Annotated[cond.AddressList, Field(max_length=256)] = ()


class OverrideModel(Strict):
    """Changes to one inspection rule."""

    enabled: bool | None = None
    action: Literal["alert", "drop", "reject", "pass"] | None = None


class ApplicationsModel(Strict):
    """Application control."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class InspectionModel(Strict):
    """Deep inspection."""

    enabled: bool = True
    mode: Literal["detect", "prevent"] = "detect"
    rule_sets: tuple[str, ...] | None = None
    rules: dict[int, OverrideModel] = Field(default_factory=dict)
    applications: ApplicationsModel = ApplicationsModel()
    on_overload: Literal["bypass", "drop"] = "bypass"


class GuardModel(Strict):
    """What an interface may send at layer 2 beyond its own addresses."""

    dhcp_server: bool = False
    router: bool = False
    ethertypes: tuple[Ethertype, ...] = ()


class PolicyModel(Strict):
    """One policy. Keys that are not set come from the policies it inherits."""

    name: Name
    description: str = ""
    inherits: tuple[str, ...] = ()
    default_action: Literal["allow", "deny", "reject"] = "deny"
    firewall: FirewallModel = FirewallModel()
    stateful: StatefulModel = StatefulModel()
    scan_detection: ScanModel = ScanModel()
    inspection: InspectionModel = InspectionModel()
    guard: GuardModel = GuardModel()
    spoof_protection: bool = True
    fail: Literal["open", "closed"] = "closed"


class ScheduleModel(Strict):
    """Times of the week."""

    days: Days = tuple(range(7))
    hours: Hours = ((0, 1440),)
    timezone: Zone = UTC


class ListsModel(Strict):
    """Named lists by kind."""

    addresses: dict[str, cond.AddressList] = Field(default_factory=dict)
    ports: dict[str, cond.PortList] = Field(default_factory=dict)
    macs: dict[str, cond.MacList] = Field(default_factory=dict)


class BindingModel(Strict):
    """Which interfaces a policy is for: all keys that are given have to match."""

    policy: str
    uuid: str | None = None
    mac: str | None = None
    name: str | None = None
    tag: str | None = None
    network: str | None = None
    interface: str | None = None

    @field_validator("mac")
    @classmethod
    def _plain_mac(cls, value: str | None) -> str | None:
        return parse_mac(value).hex() if value is not None else None

    @field_validator("uuid")
    @classmethod
    def _plain_uuid(cls, value: str | None) -> str | None:
        return str(uuid.UUID(value)) if value is not None else None

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if self.model_fields_set == {"policy"}:
            raise ValueError("a binding names what it is for; use `default` for everything else")
        return self


class PolicyFile(Strict):
    """One file of policies."""

    policies: tuple[PolicyModel, ...] = ()
    lists: ListsModel = ListsModel()
    groups: dict[str, cond.AddressList] = Field(default_factory=dict)
    schedules: dict[str, ScheduleModel] = Field(default_factory=dict)
    bindings: tuple[BindingModel, ...] = ()
    default: str | None = None
    unknown: str | None = None
