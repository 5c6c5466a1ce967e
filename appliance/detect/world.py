"""What compiled rules share: declarations of protocols, tables, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from appliance.detect.datasets import Datasets
from appliance.detect.headers import Interner
from appliance.detect.hosttable import HostTable
from appliance.detect.reputation import ReputationTable
from appliance.detect.transforms import Change, prepare
from appliance.detect.txtests import BufferKey
from appliance.model.app import BufferSpec, ValueSpec

if TYPE_CHECKING:
    from appliance.config.settings import DetectSettings
    from appliance.detect.resources import Resources

BufferSpecs = Mapping[str, BufferSpec | Sequence[BufferSpec]]
ValueSpecs = Mapping[str, ValueSpec | Sequence[ValueSpec]]

# Rule protocols that stand for several, when nobody says better.
_NAMES: dict[str, tuple[str, ...]] = {
    "http": ("http", "http1", "http2"),
    "http1": ("http", "http1"),
    "ikev2": ("ike",),
    "ssl": ("tls",),
}


def resolve_name(name: str) -> tuple[str, ...]:
    """Give the protocols that a rule's protocol name stands for."""
    return _NAMES.get(name, (name,))


def no_state(protocol: str, name: str) -> tuple[int, int] | None:  # noqa: ARG001 - for those who declare none
    """Know no steps of protocols."""
    return None


def no_frames(protocol: str) -> frozenset[str]:  # noqa: ARG001 - for those who declare none
    """Know no frames."""
    return frozenset()


class World:
    """Everything the builder of one rule takes from, and adds to, for all rules."""

    def __init__(
        self,
        settings: DetectSettings,
        buffers: BufferSpecs,
        values: ValueSpecs,
        resources: Resources,
        resolve: Callable[[str], tuple[str, ...]],
        states: Callable[[str, str], tuple[int, int] | None] = no_state,
        frames: Callable[[str], frozenset[str]] = no_frames,
    ) -> None:
        """Load the tables that the settings name."""
        self.settings = settings
        self.buffers = buffers
        self.values = values
        self.resources = resources
        self.resolve = resolve
        self.states = states
        self.frames = frames
        self.interner = Interner()
        self.keys: list[BufferKey] = []
        self._by_label: dict[str, BufferKey] = {}
        self._changes: dict[tuple[str, str], Change] = {}
        self.hosts = HostTable()
        self.datasets = Datasets(resources)
        declared = settings.datasets if isinstance(settings.datasets, dict) else {}
        for name, entry in declared.items():
            if not isinstance(entry, dict):
                continue  # defaults and limits stand among the declarations
            files = [str(entry.get(key) or entry.get("state", "")) for key in ("load", "save")]
            self.datasets.declare(name, str(entry.get("type", "string")), *files)
        self.missing: list[str] = []
        self.reputation = self._reputation()

    def _reputation(self) -> ReputationTable | None:
        """Read the reputation files; None when none are set."""
        settings = self.settings
        if not settings.reputation_categories:
            return None
        folder = f"{settings.reputation_dir}/" if settings.reputation_dir else ""
        names = [name if name.startswith("/") else folder + name for name in settings.reputation_files]
        texts = [self._text(name) for name in names]
        return ReputationTable(self._text(settings.reputation_categories), texts)

    def _text(self, name: str) -> str:
        """Read a file that the settings name; one that cannot be read is noted in ``missing``."""
        text = self.resources.text(name)
        if text is None:
            self.missing.append(name)
        return text or ""

    def specs(self, name: str) -> tuple[BufferSpec, ...]:
        """Give the declarations of a buffer."""
        found = self.buffers.get(name)
        if found is None:
            return ()
        return (found,) if isinstance(found, BufferSpec) else tuple(found)

    def value_specs(self, keyword: str) -> tuple[ValueSpec, ...]:
        """Give the declarations of a value keyword."""
        found = self.values.get(keyword)
        if found is None:
            return ()
        return (found,) if isinstance(found, ValueSpec) else tuple(found)

    def change(self, name: str, argument: str) -> Change:
        """Give a transform, prepared once for all rules.

        Raises:
            TransformError: there is none of that name and argument.
        """
        found = self._changes.get((name, argument))
        if found is None:
            found = self._changes[name, argument] = prepare(name, argument, self.settings)
        return found

    def key(
        self, name: str, transforms: tuple[tuple[str, str], ...], specs: Sequence[BufferSpec]
    ) -> BufferKey:
        """Give the key of a buffer with its transforms, the same for all rules that use it."""
        label = "|".join((name, *(f"{n}:{a}" for n, a in transforms)))
        found = self._by_label.get(label)
        if found is None:
            changes = tuple(self.change(n, a) for n, a in transforms)
            found = BufferKey(len(self.keys), name, label, changes, specs)
            self.keys.append(found)
            self._by_label[label] = found
        return found
