"""Everything that is fuzzed, by name: application protocols and the readers of the core."""

from __future__ import annotations

from pathlib import Path

import fuzz_application
import fuzz_core
from fuzz_session import SAVED, Session, saved, write

from appliance.protocols.session import AppLayer

TARGETS = (*fuzz_application.PARSED, *fuzz_core.CORE)
_LAYER = AppLayer(fuzz_application.SETTINGS)


def seeds(target: str) -> list[Session]:
    """Give what damage starts from: the saved inputs of a target, failures of the past among them."""
    return list(saved(target).values())


def attempt(target: str, session: Session, *, forget: bool = False) -> int:
    """Play a session to a target; gives the calls that it cost.

    Raises:
        Exception: whatever went wrong; nothing should.
    """
    if target in fuzz_core.CORE:
        return fuzz_core.run(target, session)[1]
    return fuzz_application.run(_LAYER, session, forget=forget).calls


def outcome(session: Session) -> fuzz_application.Outcome:
    """Give what became of a conversation of an application protocol."""
    return fuzz_application.run(_LAYER, session)


def save(target: str, session: Session, name: str, comment: str) -> Path:
    """Keep an input among the saved ones of a target."""
    path = SAVED / target / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write(session, comment), "ascii")
    return path
