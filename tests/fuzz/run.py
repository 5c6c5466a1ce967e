"""Fuzz targets for longer than the tests do: ``python tests/fuzz/run.py smb --count 20000 --seed 7``.

Each input is a saved one with some damage. One that fails is made smaller and kept beside the saved ones,
from where the tests play it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from fuzz_mutate import MOST, WAYS, Step, mutate  # noqa: E402
from fuzz_session import DATA, Session  # noqa: E402
from fuzz_targets import TARGETS, attempt, save, seeds  # noqa: E402

_MAX_FAILURES = 5
_SLOW = 2.0  # seconds that no input of this size should take


def _failure(target: str, session: Session, forget: bool) -> str:
    """Play a session; gives where it went wrong, "" when it did not."""
    begin = time.perf_counter()
    try:
        attempt(target, session, forget=forget)
    except Exception as error:  # any exception is what is looked for
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(frame.filename).name}, {frame.name}"
    return "slow" if time.perf_counter() - begin > _SLOW else ""


def smaller(session: Session, fails: Callable[[Session], bool], tries: int = 400) -> Session:
    """Leave out turns, then bytes, as long as a session still ``fails``."""

    def attempt_(candidate: Session) -> bool:
        nonlocal session, tries
        tries -= 1
        if tries < 0 or not fails(candidate):
            return False
        session = candidate
        return True

    at = 0
    while at < len(session.turns):
        if not attempt_(replace(session, turns=session.turns[:at] + session.turns[at + 1 :])):
            at += 1
    for place in range(len(session.turns)):
        _shorten(session.turns[place].data, lambda data, place=place: attempt_(_with(session, place, data)))
    return session


def _with(session: Session, place: int, data: bytes) -> Session:
    turns = list(session.turns)
    turns[place] = replace(turns[place], data=data)
    return replace(session, turns=tuple(turns))


def _shorten(data: bytes, accept: Callable[[bytes], bool]) -> None:
    """Leave out pieces of falling size."""
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data):
            candidate = data[:at] + data[at + size :]
            if candidate and accept(candidate):
                data = candidate
            else:
                at += size
        size //= 2


def _steps(source: random.Random) -> list[Step]:
    number = lambda: source.randint(0, MOST)  # noqa: E731
    return [(source.randrange(WAYS), number(), number(), number()) for _ in range(source.randint(1, 8))]


def fuzz(target: str, count: int, seed: int, keep: bool) -> int:
    """Try ``count`` damaged inputs; gives the number of different failures."""
    source = random.Random(f"{target}/{seed}")
    known, found, begin, worst = seeds(target), set[str](), time.perf_counter(), (0.0, 0)
    for number in range(count):
        session = mutate(source.choice(known), _steps(source), source.choice(known))
        forget = bool(number & 1)
        start = time.perf_counter()
        why = _failure(target, session, forget)
        worst = max(worst, (time.perf_counter() - start, session.size))
        if why and why not in found:
            found.add(why)
            _report(target, session, forget, why, keep)
            if len(found) >= _MAX_FAILURES:
                break
    spent = time.perf_counter() - begin
    print(f"{target}: {len(found)} failures, {spent:.0f} s, slowest {worst[0]:.2f} s ({worst[1]} bytes)")
    return len(found)


def _report(target: str, session: Session, forget: bool, why: str, keep: bool) -> None:
    def again(one: Session) -> bool:
        return _failure(target, one, forget) == why

    small = session if why == "slow" else smaller(session, again)
    digest = hashlib.sha256(repr(small).encode()).hexdigest()[:8]
    print(f"{target}: {why}, {sum(t.kind == DATA for t in small.turns)} turns, {small.size} bytes")
    if keep:
        print("  kept as", save(target, small, f"failure-{digest}", why))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 1 when something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="+", choices=(*TARGETS, "all"), metavar="TARGET")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-save", action="store_true", help="only tell of failures")
    options = parser.parse_args(arguments)
    chosen = TARGETS if "all" in options.target else options.target
    return int(sum(fuzz(one, options.count, options.seed, not options.no_save) for one in chosen) > 0)


if __name__ == "__main__":
    sys.exit(main())
