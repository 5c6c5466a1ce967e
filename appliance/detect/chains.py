"""From the options on one buffer to the chain of steps that inspects it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.asn1 import Asn1Step
from appliance.detect.bytesteps import (
    ByteExtractStep,
    ByteJumpStep,
    ByteMathStep,
    ByteTestStep,
    IsDataAtStep,
    SizeStep,
)
from appliance.detect.content import ContentStep
from appliance.detect.decode64 import Base64Step
from appliance.detect.entropy import EntropyStep
from appliance.detect.errors import RefusedError
from appliance.detect.lookups import DatarepStep, DatasetStep
from appliance.detect.regex import PcreStep, RegexError
from appliance.rulelang import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.config.settings import DetectSettings
    from appliance.detect.datasets import Datasets
    from appliance.detect.steps import Step

# Steps of one buffer; each costs a level of recursion.
CHAIN_LIMIT = 128
NODES = (
    tree.Content,
    tree.Pcre,
    tree.ByteTest,
    tree.ByteJump,
    tree.ByteExtract,
    tree.ByteMath,
    tree.IsDataAt,
    tree.Base64Decode,
    tree.Dataset,
    tree.Datarep,
    tree.Entropy,
)
_BYTE_STEPS: dict[type, Any] = {
    tree.Content: ContentStep,
    tree.ByteTest: ByteTestStep,
    tree.ByteJump: ByteJumpStep,
    tree.ByteExtract: ByteExtractStep,
    tree.ByteMath: ByteMathStep,
    tree.IsDataAt: IsDataAtStep,
}
_VARIABLES = ("nbytes", "offset", "depth", "distance", "within", "value", "rvalue", "post_offset")


class ChainBuilder:
    """Builds the chains of one rule; variables are shared by all its buffers."""

    def __init__(self, settings: DetectSettings, datasets: Datasets) -> None:
        """Start without variables."""
        self.settings = settings
        self.datasets = datasets
        self.names: dict[str, int] = {}
        self.buffer = ""  # whose chain is being built

    def declare(self, options: Sequence[Any]) -> None:
        """Give each variable of the rule its index."""
        for node in options:
            name = getattr(node, "result", None) if isinstance(node, tree.ByteMath) else None
            if isinstance(node, tree.ByteExtract):
                name = node.name
            if name is not None:
                self.names.setdefault(name, len(self.names))

    def build(self, nodes: Sequence[Any]) -> list[Step]:
        """Make the chain and mark the steps that later ones refer to.

        Raises:
            RefusedError: a step is not possible.
        """
        if len(nodes) > CHAIN_LIMIT:
            raise RefusedError(
                "content", f"more than {CHAIN_LIMIT} conditions on one buffer", nodes[0].position
            )
        steps = [self._step(node) for node in nodes]
        _mark_retries(steps)
        return steps

    def _step(self, node: Any) -> Step:
        """Make one step."""
        self._check_variables(node)
        maker = _BYTE_STEPS.get(type(node))
        if maker is not None:
            step: Step = maker(node, self.names)
            return step
        if isinstance(node, tree.Pcre):
            return self._pcre(node)
        if isinstance(node, tree.Dataset):
            return DatasetStep(node, self.datasets)
        if isinstance(node, tree.Datarep):
            return DatarepStep(node, self.datasets)
        if isinstance(node, tree.Entropy):
            return EntropyStep(node, self.buffer)
        return Asn1Step(node) if isinstance(node, tree.Text) else SizeStep(node)

    def base64(self, node: tree.Base64Decode, nodes: Sequence[Any]) -> Step:
        """Make the step that decodes and inspects what was decoded with ``nodes``."""
        return Base64Step(node, self.names, self.build(nodes))

    def _pcre(self, node: tree.Pcre) -> Step:
        try:
            return PcreStep(node, self.settings)
        except RegexError as error:
            raise RefusedError("pcre", str(error), node.position) from error

    def _check_variables(self, node: Any) -> None:
        """Refuse names that nothing defines."""
        for field in _VARIABLES:
            value = getattr(node, field, None)
            if isinstance(value, str) and value not in self.names:
                raise RefusedError(type(node).__name__.lower(), f"unknown variable {value}", node.position)


def _mark_retries(steps: list[Step]) -> None:
    """A content or pcre is tried again when a relative step follows before the next that moves the cursor.

    Not so where a content without an end to its window comes next: from a later place it could only find
    some of the places that were tried already.
    """
    relative = open_ended = False
    for step in reversed(steps):
        step.retry = relative and not open_ended
        open_ended = isinstance(step, ContentStep) and step.open_ended
        starts = isinstance(step, ContentStep | PcreStep) and not step.negated
        relative = step.relative or (relative and not starts)
