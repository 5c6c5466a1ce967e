"""What it takes to move an interface with many connections: out of an engine, over, into another.

    python bench/handoff.py [FLOWS]

Prints what each step takes for 1,000 flows, and bytes. Every flow is a TCP connection under inspection that
has carried a little in both directions.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests" / "engine")]

from live_helpers import INLINE, UUID_A, Live, Tcp, one_policy  # noqa: E402

from appliance.engine.export import SLICE, VERSION  # noqa: E402
from appliance.handoff import codec  # noqa: E402
from appliance.handoff.codec import Header, pack, unpack  # noqa: E402
from appliance.model.flow import F_ADOPTED  # noqa: E402

POLICY = one_policy("stateful: {strict: true}", inspection="{mode: prevent}")
RULES = 'drop tcp any any -> any any (content:"attack"; sid:1;)'
HERE = frozenset(((UUID_A, "eth0"),))


def opened(count):
    live = Live(POLICY, RULES, INLINE)
    for number in range(count):
        tcp = Tcp(port=1 + number % 60_000)
        said = [*tcp.open(), tcp.say(b"GET / HTTP/1.1\r\n"), tcp.say(b"x" * 200, back=True)]
        for packet in said:
            live.send(packet)
    return live


def main(count):
    live = opened(count)
    steps = []

    def timed(name, function):
        begun = time.perf_counter()
        found = function()
        steps.append((name, time.perf_counter() - begun))
        return found

    written = timed("export", lambda: [json.dumps(part) for part in live.engine.export((UUID_A, "eth0"))])
    merged = timed("merge", lambda: codec.merge(map(json.loads, written), F_ADOPTED))
    packed = timed("pack", lambda: pack(merged))
    size = len(packed.body)
    header = Header(
        "i", "a", UUID_A, "eth0", True, 1, False, 1, packed.entries, packed.lost, size, packed.digest
    )
    entries = timed("unpack", lambda: list(unpack(header, packed.body, {}).values()))
    again = timed("pack what a copy had", lambda: pack(merged, packed.digests))
    other = Live(POLICY, RULES, INLINE)
    slices = [json.dumps(part) for part in codec.slices(entries, VERSION, SLICE)]
    taken = timed("restore", lambda: other.engine.restore(map(json.loads, slices), live.now, 7, HERE))
    if taken["flows"] != count:
        raise SystemExit(f"not everything has arrived: {taken}")
    timed("forget", lambda: live.engine.forget((UUID_A, "eth0"), frozenset()))
    for name, seconds in steps:
        print(f"{name:22}{seconds * 1e6 / count:8.1f} ms for 1,000 flows")
    print(f"{'bytes':22}{size / count:8.0f} a flow, {len(again.body) / count:.0f} where a copy had it")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
