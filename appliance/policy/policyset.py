"""All policies of a site as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from appliance.policy.documents import BindingModel, PolicyModel, ScheduleModel


@dataclass(slots=True)
class PolicySet:
    """Policies, what they name, and the interfaces they are for.

    ``unknown`` is "allow", "deny" or a policy; ``default`` is "" where nothing is the default.
    """

    policies: dict[str, PolicyModel] = field(default_factory=dict)
    addresses: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    ports: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    macs: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    groups: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    schedules: dict[str, ScheduleModel] = field(default_factory=dict)
    bindings: list[BindingModel] = field(default_factory=list)
    default: str = ""
    unknown: str = "allow"
