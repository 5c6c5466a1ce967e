"""From matches to alerts and a verdict: order, thresholds, limits, actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.ordering import action_class
from appliance.detect.result import Detection, Match
from appliance.detect.tags import Tags
from appliance.detect.threshold import ALERT, NOTHING
from appliance.model.flow import F_ALERTED, F_DROPPED, F_PASSED, F_REJECTED

if TYPE_CHECKING:
    from appliance.config.settings import DetectSettings
    from appliance.detect.context import Context
    from appliance.detect.result import Filter
    from appliance.detect.ruleset import Ruleset
    from appliance.detect.signature import Signature
    from appliance.detect.threshold import Thresholds
    from appliance.rulelang.tree import ConfigOption


class Finisher:
    """Decides what the matches of one packet mean."""

    def __init__(self, settings: DetectSettings, thresholds: Thresholds) -> None:
        """Take over limits and thresholds."""
        self._settings = settings
        self._thresholds = thresholds
        self.tags = Tags()

    def finish(
        self, found: list[Match], ctx: Context, inline: bool, allowed: Filter | None, ruleset: Ruleset
    ) -> Detection:
        """Sort the matches, apply thresholds and actions, and cut at the limit."""
        signatures = ruleset.signatures
        found.sort(key=lambda match: (signatures[match.index].rank, match.tx.id if match.tx else -1))
        detection = Detection([])
        for match in found:
            signature = signatures[match.index]
            answer, action = self._thresholds.apply(signature, ctx)
            if answer == NOTHING:
                continue
            match.action = (allowed.action(match.index) if allowed is not None else "") or action
            match.alert = answer == ALERT and _reported(signature, match.action)
            if signature.tags and answer == ALERT:
                self.tags.start(signature.tags, ctx)
            for setting in signature.settings:
                _configure(setting, match)
            self._act(signature, match, detection, ctx, inline)
            self._report(match, detection)
            if match.action == "pass" and not detection.discarded:
                break
        detection.replaces = ctx.replaces
        if ctx.flow is not None and any(match.alert for match in detection.matches):
            ctx.flow.flags |= F_ALERTED
        return detection

    def _report(self, match: Match, detection: Detection) -> None:
        """Add a match to the report while there is room."""
        reported = sum(1 for other in detection.matches if other.alert)
        if match.alert and reported >= self._settings.packet_alert_max:
            detection.discarded += 1
            match.alert = False
            return
        detection.matches.append(match)

    def _act(
        self, signature: Signature, match: Match, detection: Detection, ctx: Context, inline: bool
    ) -> None:
        """Carry the action of a match over to the verdict; the first that decides stays."""
        if signature.rule.bypass:
            detection.bypass = True
        action = action_class(match.action)
        if action not in {"pass", "drop", "reject"} or detection.verdict:
            return
        detection.verdict = action
        detection.by = match
        if ctx.flow is not None and _concerns_flow(signature, match):
            detection.scope = "flow"
            self._end(ctx, action, inline)

    def _end(self, ctx: Context, action: str, inline: bool) -> None:
        """End inspection of the flow."""
        flow = ctx.flow
        if action == "pass":
            flow.flags |= F_PASSED
        elif inline:
            flow.flags |= F_DROPPED | (F_REJECTED if action == "reject" else 0)
        if flow.detect is not None:
            flow.detect.ended = True


def _configure(setting: ConfigOption, match: Match) -> None:
    """Carry out ``config``: a transaction is not to be logged."""
    if setting.setting == "logging" and setting.value == "disable" and match.tx is not None:
        match.tx.logged = 1


def _reported(signature: Signature, action: str) -> bool:
    """Tell whether a match is shown: not with ``noalert``; ``pass`` and ``config`` only with ``alert``."""
    if action in {"pass", "config"}:
        return signature.rule.alert
    return not signature.rule.noalert


def _concerns_flow(signature: Signature, match: Match) -> bool:
    """Tell whether the action is for the whole flow."""
    if signature.scope == "stream":
        return match.source == "stream"
    return signature.scope == "flow"
