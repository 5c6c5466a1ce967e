"""Measure; see ``bench/README.md``."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bench.inline import subjects
from bench.inline.loads import LOADS, Figure
from bench.inline.site import write_site
from tests.netns.lab import Guest, Lab

Subject = Callable[[Lab, Path], AbstractContextManager[None]]
# What a figure is compared with: the peer, the bare bridge, the bridge with connection tracking.
_BASES = ("peer", "bridge", "conntrack")


def all_subjects(peer: str, workers: int) -> dict[str, Subject]:
    """Give what may stand in the middle, in the order measured."""
    found: dict[str, Subject] = {
        "bridge": subjects.bridge,
        "conntrack": subjects.conntrack,
        "inspected": functools.partial(subjects.appliance, policy=subjects.inspected(), workers=workers),
        "bypassed": functools.partial(subjects.appliance, policy=subjects.bypassed(), workers=workers),
    }
    if peer:
        found["peer"] = functools.partial(subjects.peer, root=Path(peer))
    return found


def measure(
    names: list[str], loads: list[str], args: argparse.Namespace
) -> dict[str, dict[str, list[Figure]]]:
    """Measure every load through every subject, one after the other in each run.

    All of them are there from the beginning, each on a host of its own: a machine's speed changes within
    minutes, and what is compared has to be measured in the same moment.
    """
    known = all_subjects(args.peer, args.workers)
    found: dict[str, dict[str, list[Figure]]] = {name: {load: [] for load in loads} for name in names}
    with contextlib.ExitStack() as held:
        places = {name: held.enter_context(_place(known[name])) for name in names}
        for run in range(args.runs):
            for load in loads:
                for name, (lab, client, server) in places.items():
                    figure = LOADS[load](lab, client, server, args.seconds)
                    found[name][load].append(figure)
                    late = f", p99 {figure.p99:,.0f} µs" if figure.p99 else ""
                    shown = f"{figure.value:,.2f} {figure.unit}{late} {figure.error}"
                    print(f"{name:<12}{load:<12}{run + 1}  {shown}", flush=True)
                    time.sleep(0.5)
    return found


@contextlib.contextmanager
def _place(subject: Subject) -> Iterator[tuple[Lab, Guest, Guest]]:
    """Put a subject between two VMs, a client and a server, on a host of their own."""
    with tempfile.TemporaryDirectory(prefix="eastwall-bench-") as temp, Lab("bench") as lab:
        folder = Path(temp)
        client = lab.vm("a", addresses=["10.9.0.1/24"])
        server = lab.vm("b", addresses=["10.9.0.2/24"])
        for guest in (client, server):
            lab.sysctl(guest, {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"})
        lab.spawn(server, "nginx", "-c", str(write_site(folder)))
        with subject(lab, folder):
            yield lab, client, server


def table(found: dict[str, dict[str, list[Figure]]]) -> str:
    """Write medians and their ratios as a table."""
    lines = [
        f"{'load':<12}{'through':<12}{'median':>12} {'':<7}{'p99 µs':>9}"
        + "".join(f"{'x ' + b:>12}" for b in _BASES)
    ]
    for load in next(iter(found.values())):
        for name, figures in found.items():
            middle = statistics.median(one.value for one in figures[load])
            late = statistics.median(one.p99 for one in figures[load])
            line = f"{load:<12}{name:<12}{middle:>12,.2f} {figures[load][0].unit:<7}{late:>9,.0f}"
            for base in _BASES:
                other = statistics.median(one.value for one in found[base][load]) if base in found else 0
                line += f"{middle / other:>12.2f}" if other else f"{'':>12}"
            lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure everything asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--seconds", type=int, default=6, help="of each run")
    parser.add_argument("--workers", type=int, default=1, help="of the appliance")
    parser.add_argument(
        "--peer", metavar="ROOT", default="", help="root folder with Suricata 7 to compare with"
    )
    parser.add_argument(
        "--through", nargs="+", default=[], help="only these: bridge, conntrack, inspected, …"
    )
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.add_argument("--json", metavar="FILE", default="", help="write all figures here")
    args = parser.parse_args()
    names = args.through or list(all_subjects(args.peer, args.workers))
    found = measure(names, args.loads, args)
    print(table(found))
    if args.json:
        plain = {n: {ld: [vars(one) for one in f] for ld, f in loads.items()} for n, loads in found.items()}
        Path(args.json).write_text(json.dumps(plain, indent=2))


if __name__ == "__main__":
    main()
