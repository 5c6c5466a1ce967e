"""Which transaction a rule without conditions on transactions was about, for its alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.model.packet import PROTO_UDP

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.detect.result import Match
    from appliance.detect.ruleset import Ruleset
    from appliance.model.app import Transaction

# Transactions of one flow whose alerts are counted.
_KEPT = 64


def guess(found: list[Match], ctx: Context, ruleset: Ruleset, *, streams: bool, limit: int) -> None:
    """Name the oldest transaction that rules have not seen to its end in the direction of the packet.

    A datagram is its transaction's. Of a stream that is a guess, which is made where ``streams`` asks for
    it, and said; each transaction is named so in at most ``limit`` alerts.
    """
    flow = ctx.flow
    parser = flow.app.parser if flow is not None and flow.app is not None else None
    if parser is None:
        return
    datagram = flow.proto == PROTO_UDP
    if not (datagram or streams):
        return
    open_ones = [tx for tx in parser.transactions if not tx.skip[ctx.direction]]
    for match in found:
        if match.tx is not None or not open_ones:
            continue
        if datagram:
            if ruleset.signatures[match.index].protocols is not None:
                match.tx = open_ones[0]
        elif (match.source == "stream" or len(parser.transactions) == 1) and _named(open_ones[0], ctx, limit):
            match.tx = open_ones[0]
            match.context["guessed"] = True


def _named(tx: Transaction, ctx: Context, limit: int) -> bool:
    """Count how often a transaction was named; False when that was often enough."""
    state = ctx.flow.detect
    counts = state.guessed = state.guessed or {}
    count = counts.get(tx.id, 0)
    if count >= limit:
        return False
    if len(counts) >= _KEPT:
        counts.clear()
    counts[tx.id] = count + 1
    return True
