"""Rules in, ruleset out; a rule that cannot be used whole is not used at all."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from appliance.detect import files, packetkeys, resources, transforms
from appliance.detect.buffers import FILE_BUFFERS, PACKET_BUFFERS
from appliance.detect.build import ACTIONS, DESCRIPTIVE, RuleBuilder
from appliance.detect.errors import RefusedError
from appliance.detect.ordering import rank
from appliance.detect.ruleset import Ruleset
from appliance.detect.world import World, no_frames, no_state, resolve_name
from appliance.rulelang.tree import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from appliance.config.settings import DetectSettings
    from appliance.detect.hyperscan import PatternCache
    from appliance.detect.signature import Signature
    from appliance.detect.world import BufferSpecs, ValueSpecs
    from appliance.rulelang.tree import Rule

# Keywords of their own node kinds, by the names rules give them.
_OWN = frozenset(
    ("content", "pcre", "byte_test", "byte_jump", "byte_extract", "byte_math", "isdataat", "bsize",
     "urilen", "absent", "app-layer-state", "asn1", "base64_decode", "base64_data", "dataset",
     "datarep", "entropy", "flow", "frame", "flowbits", "flowint", "xbits", "hostbits", "threshold",
     "detection_filter", "tag", "filestore", "filemd5", "filesha1", "filesha256", "app-layer-protocol",
     "app-layer-event", "iprep", "geoip", "pkt_data", "depth", "offset", "distance", "within",
     "startswith", "endswith", "replace", "tls.store")
)  # fmt: skip
SUPPORTED: frozenset[str] = (
    _OWN | ACTIONS | DESCRIPTIVE | packetkeys.KEYWORDS | files.KEYWORDS
    | frozenset(PACKET_BUFFERS) | frozenset(FILE_BUFFERS) | transforms.names()
)  # fmt: skip


def supports(keyword: str) -> bool:
    """Tell whether detection itself knows a keyword; buffers and values of protocols come on top."""
    return keyword in SUPPORTED


def compile_rules(
    rules: Iterable[Rule],
    settings: DetectSettings,
    buffers: BufferSpecs,
    values: ValueSpecs,
    cache: PatternCache | None = None,
    *,
    files_and_tables: resources.Resources = resources.NONE,
    resolve: Callable[[str], tuple[str, ...]] = resolve_name,
    states: Callable[[str, str], tuple[int, int] | None] = no_state,
    frames: Callable[[str], frozenset[str]] = no_frames,
) -> tuple[Ruleset, list[RuleError]]:
    """Make a ruleset of parsed rules.

    Args:
        rules: what the rule parser made, in the order of the files.
        settings: bounds, names of files, action order.
        buffers: declarations of sticky buffers by name, one or several for each.
        values: declarations of comparing keywords by name.
        cache: where compiled patterns are kept between runs.
        files_and_tables: how files that rules name are read, and countries looked up.
        resolve: the protocols that a rule's protocol name stands for.
        states: direction and progress of a protocol's step by its name.
        frames: names of the frames that a protocol's parser finds.

    Returns:
        The ruleset, and an error for each rule that was refused.
    """
    world = World(settings, buffers, values, files_and_tables, resolve, states, frames)
    # Nothing made here is garbage: collecting meanwhile takes two thirds of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        signatures, errors = _build(rules, world)
        rank(signatures, settings.action_order)
        return Ruleset(signatures, world, cache), errors
    finally:
        if collecting:
            gc.enable()


def _build(rules: Iterable[Rule], world: World) -> tuple[list[Signature], list[RuleError]]:
    """Make a signature of each rule, or an error."""
    signatures: list[Signature] = []
    errors = []
    for rule in rules:
        try:
            signatures.append(RuleBuilder(len(signatures), rule, world).build())
        except RefusedError as error:
            place = error.position or rule.position
            errors.append(RuleError(place, error.keyword, error.reason, error.hint, rule.sid))
    return signatures, errors
