"""Rule files, and the files that rules refer to, read and compiled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config.errors import ConfigError
from appliance.config.settings import Settings
from appliance.daemon.filecache import FileCache
from appliance.daemon.memory import without_collecting
from appliance.daemon.resources import open_resources, read_text
from appliance.daemon.rulecache import RuleReader
from appliance.detect.compiler import compile_rules
from appliance.detect.ruleset import Ruleset
from appliance.detect.signature import Kind, Signature
from appliance.protocols import registry
from appliance.rulelang.classification import DEFAULT_CLASSIFICATIONS, parse_classifications
from appliance.rulelang.context import ParseResult, RuleContext
from appliance.rulelang.parse import merge
from appliance.rulelang.references import DEFAULT_REFERENCES, parse_references
from appliance.rulelang.source import decode_rules
from appliance.rulelang.thresholds import ThresholdConfig, parse_thresholds
from appliance.rulelang.tree import RuleError

MAX_FILE = 256 << 20
SUFFIX = ".rules"


@dataclass(frozen=True, slots=True)
class Costly:
    """A rule that is looked at more often than others, and why."""

    line: int
    sid: int
    why: str


@dataclass(slots=True)
class LoadedFile:
    """What became of one rule file; ``costly`` are rules that cost more than most, the worst first."""

    path: str
    loaded: int = 0
    skipped: int = 0
    refused: list[RuleError] = field(default_factory=list)
    costly: list[Costly] = field(default_factory=list)


@dataclass(slots=True)
class LoadedRules:
    """All rules, ready to judge. ``unreadable`` keeps an engine from being made, ``refused`` does not."""

    ruleset: Ruleset | None = None
    files: list[LoadedFile] = field(default_factory=list)
    refused: list[RuleError] = field(default_factory=list)
    thresholds: ThresholdConfig | None = None
    unreadable: list[ConfigError] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)

    @property
    def loaded(self) -> int:
        """Number of rules in force."""
        return len(self.ruleset) if self.ruleset is not None else 0


def load_rules(paths: Iterable[Path], settings: Settings, cache: Path | None) -> LoadedRules:
    """Read and compile all rules; a rule that is refused does not keep the others from loading."""
    with without_collecting():
        return _load(paths, settings, FileCache(cache) if cache is not None else None)


def _load(paths: Iterable[Path], settings: Settings, cache: FileCache | None) -> LoadedRules:
    found = LoadedRules()
    context = _context(settings, found)
    reader = RuleReader(context, settings.detect, cache)
    results: list[ParseResult] = []
    for path in _files(paths, found):
        text = _read(path, found)
        if text is not None:
            results.append(reader.read(text, str(path)))
            found.files.append(LoadedFile(str(path), skipped=len(results[-1].skipped)))
    parsed = merge(results)
    resources, problems = open_resources(settings.detect)
    found.unreadable += problems
    found.ruleset, errors = compile_rules(
        parsed.rules,
        settings.detect,
        registry.buffers(),
        registry.values(),
        cache,
        files_and_tables=resources,
        resolve=registry.resolve,
        states=registry.state,
        frames=registry.frames,
    )
    found.refused += parsed.errors + errors
    missing = found.ruleset.world.missing
    found.unreadable += [ConfigError(name, 0, 0, "", "cannot be read") for name in missing]
    _count(found)
    return found


def _switched_off(settings: Settings) -> frozenset[str]:
    """Name the features that rules may require and that the settings have switched off."""
    options = settings.app.options("tls")
    values = {name: options.get(f"{name}-fingerprints") for name in ("ja3", "ja4")}
    return frozenset(name for name, value in values.items() if str(value).lower() in {"no", "false", "off"})


def _context(settings: Settings, found: LoadedRules) -> RuleContext:
    """Read the classification, reference and threshold files that the settings name."""
    detect = settings.detect
    classes, references = dict(DEFAULT_CLASSIFICATIONS), dict(DEFAULT_REFERENCES)
    if detect.classification_file and (text := _read(Path(detect.classification_file), found)) is not None:
        own, errors = parse_classifications(text, detect.classification_file)
        classes.update(own)
        found.refused += errors
    if detect.reference_file and (text := _read(Path(detect.reference_file), found)) is not None:
        prefixes, errors = parse_references(text, detect.reference_file)
        references.update(prefixes)
        found.refused += errors
    found.references = references
    context = RuleContext.from_settings(detect, classes, references, _switched_off(settings))
    if detect.threshold_file and (text := _read(Path(detect.threshold_file), found)) is not None:
        found.thresholds = parse_thresholds(text, detect.threshold_file, context)
        found.refused += found.thresholds.errors
    return context


def _files(paths: Iterable[Path], found: LoadedRules) -> list[Path]:
    """Expand folders; a folder without rule files is an error, since nothing would be inspected."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*" + SUFFIX))
            if not inside:
                found.unreadable.append(ConfigError(str(path), 0, 0, "", f"no {SUFFIX} files in this folder"))
            files += inside
        elif "*" in path.name and not path.exists():
            files += sorted(path.parent.glob(path.name)) or [path]
        else:
            files.append(path)
    return files


def _read(path: Path, found: LoadedRules) -> str | None:
    data, error = read_text(path, MAX_FILE)
    if error is not None:
        found.unreadable.append(error)
    return None if data is None else decode_rules(data)


def _count(found: LoadedRules) -> None:
    """Share what was loaded and refused among the files."""
    by_path = {one.path: one for one in found.files}
    for signature in found.ruleset.signatures if found.ruleset is not None else ():
        one = by_path.get(signature.rule.position.file)
        if one is not None:
            one.loaded += 1
            _note_cost(signature, one)
    for error in found.refused:
        one = by_path.get(error.position.file)
        if one is not None:
            one.refused.append(error)
    for one in found.files:
        one.costly.sort(key=lambda costly: (_COSTS.index(costly.why), costly.line))
        one.refused.sort(key=lambda error: error.position.line)


_EVERY_PACKET = "no pattern to look for: evaluated for every packet that its header fits"
_EVERY_TRANSACTION = "no pattern to look for: evaluated for every transaction"
_SHORT = "its pattern is only one or two bytes long: often found by chance"
_COSTS = (_EVERY_PACKET, _EVERY_TRANSACTION, _SHORT)
_SHORT_PATTERN = 2


def _note_cost(signature: Signature, one: LoadedFile) -> None:
    """Note a rule that no pattern, or only a short one, keeps from being evaluated."""
    why = ""
    if signature.fast is not None:
        why = _SHORT if len(signature.fast.pattern) <= _SHORT_PATTERN else ""
    elif signature.kind in {Kind.PACKET, Kind.STREAM}:
        why = _EVERY_PACKET
    elif signature.kind is Kind.APP and not signature.events:
        why = _EVERY_TRANSACTION
    if why:
        one.costly.append(Costly(signature.rule.position.line, signature.rule.sid, why))
