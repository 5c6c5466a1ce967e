"""How long connections stall when their machine moves between two hosts that share it, over real NATS.

    sudo python bench/moving.py [CONNECTIONS] [MOVES]

Two hosts of namespaces with an appliance each and a nats-server; a machine with so many TCP connections
(bulk, request and response, idle; half of them from the other host) moves there and back. Prints for each
move what unplugging and plugging took, how long the new host took from the plug until the interface passed,
the longest time between two answers of any connection that is not idle, and what went along. A peer sends
again after 200 ms, 400 ms, 800 ms, …, so a stall may be twice as long as the gap.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from tests.netns.cluster import cluster_of, passes  # noqa: E402
from tests.netns.crowd import Crowd  # noqa: E402
from tests.netns.hosts import two_hosts  # noqa: E402
from tests.netns.running import listen  # noqa: E402
from tests.netns.test_enforced import ALLOWED, RULE, policies  # noqa: E402


def one_move(hosts, sides, connections, number):
    """Move the machine b to the other side; gives a line."""
    (source, _), (target, appliance) = sides if number % 2 == 0 else sides[::-1]
    crowds = [
        Crowd(hosts.one, hosts.a, "10.9.0.2", ALLOWED, connections // 2),
        Crowd(hosts.two, hosts.a2, "10.9.0.2", ALLOWED, connections - connections // 2),
    ]
    time.sleep(2)
    begun = time.monotonic()
    hosts.unplug(hosts.b, source)
    hosts.plug(hosts.b, target)
    moved = time.monotonic() - begun
    appliance.wait_for(lambda: passes(appliance, hosts.b), "protection", 60)
    time.sleep(3)
    results = [one for crowd in crowds for one in crowd.end()]
    broken = sum(bool(one["why"]) for one in results)
    longest = max(one["longest"] for one in results)
    done = appliance.notes("handoff.done")[-1]
    return (
        f"{number + 1:4}{moved * 1e3:10.0f}{done['took'] * 1e3:10.0f}{longest * 1e3:12.0f}"
        f"{done['flows']:8}{done['lost']:6}{broken:8}"
    )


def main(connections, moves):
    with (
        tempfile.TemporaryDirectory() as name,
        two_hosts() as hosts,
        cluster_of(hosts, Path(name)) as cluster,
    ):
        hosts.a = hosts.vm(hosts.one, "a", 1)
        hosts.b = hosts.vm(hosts.one, "b", 2)
        hosts.a2 = hosts.vm(hosts.two, "a2", 3)
        listen(hosts.one, hosts.b, ALLOWED)
        documents = [policies(stateful={"strict": True})]
        first = cluster.appliance(hosts.one, Path(name) / "one", documents, RULE)
        second = cluster.appliance(hosts.two, Path(name) / "two", documents, RULE)
        with first, second:
            print("move  plug, ms  took, ms  stall, ms   flows  lost  broken")
            for number in range(moves):
                print(
                    one_move(hosts, ((hosts.one, first), (hosts.two, second)), connections, number),
                    flush=True,
                )


if __name__ == "__main__":
    main(*(int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 100), (2, 6))))
