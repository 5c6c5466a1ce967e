"""What is done to a parser from outside, whatever it parses: transactions that wait in vain, frames."""

from __future__ import annotations

from appliance.model.app import COMPLETE, AppState, Parser


def finish(parser: Parser) -> None:
    """Complete what was begun after the end of a direction, in which there will be nothing to look at."""
    for tx in parser.transactions:
        for direction in (0, 1):
            if tx.id >= parser.after_end[direction] and not tx.skip[direction]:
                tx.progress[direction] = COMPLETE
                tx.skip[direction] = tx.updated = True


def close_oldest(parser: Parser, limit: int) -> None:
    """Complete the oldest transactions over the limit; those far over it are forgotten."""
    surplus = len(parser.transactions) - limit
    if surplus > limit:
        del parser.transactions[: surplus - limit]
        surplus = limit
    # Those closed the last time are not looked at again: the cost is that of the new ones.
    for at in range(surplus - 1, -1, -1):
        tx = parser.transactions[at]
        if tx.id <= parser.closed_tx:
            break
        if not tx.done:
            tx.progress[:] = [COMPLETE, COMPLETE]
            tx.updated = True
    parser.closed_tx = max(parser.closed_tx, parser.transactions[surplus - 1].id)


def note_stream(state: AppState, parser: Parser) -> None:
    """Note what the flow carries from here on as a frame of each direction."""
    for direction in (0, 1):
        held = len(state.probe[direction]) if state.probe is not None else 0
        parser.received[direction] = state.position[direction]
        parser.note_frame("stream", direction, held)


def blame(parser: Parser, cause: str) -> None:
    """Say what made a parser give up, if it has."""
    if parser.failed and not parser.failure:
        parser.failure = cause
