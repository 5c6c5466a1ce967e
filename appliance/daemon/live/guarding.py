"""Keeps what speaks to others going: a mistake of ours there must not end who looks after the kernel."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable

_PAUSE = (1.0, 60.0)  # seconds before it begins anew: at first, at most

Note = Callable[..., None]


async def guarded(
    part: str, work: Callable[[], Awaitable[None]], note: Note, pause: tuple[float, float] = _PAUSE
) -> None:
    """Do ``work`` until it ends or is cancelled, and begin anew after an error that nobody has foreseen.

    The error is recorded as ``eastwall.failed``; its trace goes to standard error.
    """
    wait = pause[0]
    while True:
        try:
            await work()
        except Exception as error:  # whatever it is, everything else has to go on
            traceback.print_exc(file=sys.stderr)
            note("eastwall.failed", part=part, why=_said(error), again_in=wait)
        else:
            return
        await asyncio.sleep(wait)
        wait = min(wait * 2, pause[1])


def _said(error: BaseException) -> str:
    """Name an error, the first of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:200]
