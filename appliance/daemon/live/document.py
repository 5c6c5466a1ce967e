"""The appliance file (``eastwall run -c appliance.yaml``), as ``docs/running.md`` describes it to users."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from appliance.config.units import Duration, Size
from appliance.config.validate import Strict
from appliance.handoff.document import ClusterDocument
from appliance.hypervisor.document import ProvidersDocument
from appliance.sinks.documents import MetricsDocument, OutputsDocument

MAX_BRIDGES = 15  # a conntrack zone has 16 bits: four for the bridge, twelve for the VLAN
MAX_WORKERS = 64


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Device = Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[^/\s]+$")]
Paths = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
Rate = Annotated[int, Field(ge=0, le=10_000_000)]


class BridgeDocument(Strict):
    """One bridge whose ports are protected. Ports that are no uplinks belong to VMs."""

    name: Device
    uplinks: tuple[Device, ...] = ()


class TapDocument(Strict):
    """A device whose traffic is looked at and never held: a mirror port, or a bridge port."""

    device: Device
    outgoing: bool = True


class QueueDocument(Strict):
    """The kernel's queues to the workers; there are two for each worker."""

    first: Annotated[int, Field(ge=0, le=65_000)] = 4100
    length: Annotated[int, Field(ge=64, le=1 << 20)] = 8192
    buffer: Size = 64 << 20
    reader: Literal["netlink", "library"] = "netlink"


class LimitsDocument(Strict):
    """What one VM interface may ask of the appliance; 0 is no limit."""

    new_connections: Rate = 5000
    burst: Rate = 10_000
    packets: Rate = 0


class OverloadDocument(Strict):
    """When a worker counts as overloaded: parts of its queue that are filled, in percent."""

    less_at: Annotated[int, Field(ge=1, le=100)] = 50
    none_at: Annotated[int, Field(ge=1, le=100)] = 80
    calm_for: Duration = 5_000_000_000

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.less_at >= self.none_at:
            raise ValueError("less_at has to be lower than none_at")
        return self


class ControlDocument(Strict):
    """Who may speak to the running appliance."""

    socket: str = "/run/eastwall/control.sock"
    group: str = ""


class ApplianceDocument(Strict):
    """The whole file."""

    mode: Literal["detect", "prevent"] = "prevent"
    bridges: Annotated[tuple[BridgeDocument, ...], Field(max_length=MAX_BRIDGES)] = ()
    taps: Annotated[tuple[TapDocument, ...], Field(max_length=16)] = ()
    policies: Paths = ()
    inventory: str = ""
    hypervisors: ProvidersDocument = ()
    rules: Paths = ()
    settings: str = ""
    workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] | None = None
    datapath: Literal["auto", "nft", "xtables"] = "auto"
    learn_ports: bool = True
    queues: QueueDocument = QueueDocument()
    limits: LimitsDocument = LimitsDocument()
    overload: OverloadDocument = OverloadDocument()
    user: str = "eastwall"
    state: str = "/var/lib/eastwall"
    cache: str = "/var/cache/eastwall"
    control: ControlDocument = ControlDocument()
    outputs: OutputsDocument = ()
    metrics: MetricsDocument | None = None
    cluster: ClusterDocument | None = None

    @model_validator(mode="after")
    def _has_traffic(self) -> Self:
        if not self.bridges and not self.taps:
            raise ValueError("names neither bridges nor taps, so there is nothing to protect")
        if self.bridges and not self.policies:
            raise ValueError("policies are required where bridges are protected")
        return self

    @model_validator(mode="after")
    def _devices_once(self) -> Self:
        names = [name for bridge in self.bridges for name in (bridge.name, *bridge.uplinks)]
        names += [tap.device for tap in self.taps]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"named twice: {', '.join(twice)}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        for name, value in (
            ("state", self.state),
            ("cache", self.cache),
            ("control.socket", self.control.socket),
        ):
            if not PurePosixPath(value).is_absolute():
                message = f"{name} has to be an absolute path"
                raise ValueError(message)
        return self
