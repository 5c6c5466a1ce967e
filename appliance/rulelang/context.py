"""What rules are read against: variables, classifications, the version claimed, and what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from appliance.config.settings import DetectSettings
from appliance.rulelang.addresses import AddressResolver, PortResolver
from appliance.rulelang.classification import DEFAULT_CLASSIFICATIONS
from appliance.rulelang.references import DEFAULT_REFERENCES
from appliance.rulelang.tree import AddressSet, PortSet, Position, Rule, RuleError

COMPATIBLE = (8, 0, 8)  # the release of Suricata that ``requires`` is answered for
FEATURES = frozenset(
    {"ja3", "ja4", "hyperscan", "pcre2", "geoip", "magic", "filestore", "brotli", "nss", "rust"}
)

Classifications = Mapping[str, tuple[str, int]]


class RuleContext:
    """Everything besides its text that decides what a rule means.

    ``classifications`` maps a class type to (description, priority), ``references`` a reference type to
    its URL prefix. Headers and variable expressions are resolved once and kept, so share one context
    among files.
    """

    def __init__(
        self,
        address_vars: Iterable[tuple[str, str]] = (),
        port_vars: Iterable[tuple[str, str]] = (),
        classifications: Classifications = DEFAULT_CLASSIFICATIONS,
        references: Mapping[str, str] = DEFAULT_REFERENCES,
        version: tuple[int, int, int] = COMPATIBLE,
        features: frozenset[str] = FEATURES,
    ) -> None:
        """Take variables as (name, expression) pairs, as ``DetectSettings`` has them."""
        self.classifications = MappingProxyType(dict(classifications))
        self.references = MappingProxyType(dict(references))
        self.version = version
        self.features = features
        self._addresses = AddressResolver(dict(address_vars))
        self._ports = PortResolver(dict(port_vars))
        self.headers: dict[str, object] = {}  # header text -> Header; belongs to ``header.parse_header``

    @classmethod
    def from_settings(
        cls,
        settings: DetectSettings,
        classifications: Classifications = DEFAULT_CLASSIFICATIONS,
        references: Mapping[str, str] = DEFAULT_REFERENCES,
        without: frozenset[str] = frozenset(),
    ) -> RuleContext:
        """Make the context that detection settings describe, ``without`` features that are switched off."""
        features = FEATURES - without
        return cls(settings.address_vars, settings.port_vars, classifications, references, features=features)

    def addresses(self, text: str) -> AddressSet:
        """Resolve an address expression.

        Raises:
            Refused: it cannot be resolved.
        """
        return self._addresses.resolve(text)

    def ports(self, text: str) -> PortSet:
        """Resolve a port expression.

        Raises:
            Refused: it cannot be resolved.
        """
        return self._ports.resolve(text)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule that is sound but not for us: its ``requires`` is not met."""

    position: Position
    sid: int
    reason: str


@dataclass(slots=True)
class ParseResult:
    """What became of the rules of one or more files."""

    rules: list[Rule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
