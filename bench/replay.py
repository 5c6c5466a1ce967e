"""Packets a second that the engine takes from a capture, what each layer costs, whether memory stays flat.

Run ``make bench``, or ``python bench/replay.py --help``. See bench/README.md for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import captures  # noqa: E402 - found from where this file is
from bench.measure import LEVELS, et_rules  # noqa: E402

_CAPTURES = {
    "small": (captures.small, 500_000),
    "mixed": (captures.mixed, 200_000),
    "bulk": (captures.bulk, 100_000),
    "connections": (captures.connections, 20_000),
    "distinct": (captures.distinct, 300_000),
}
_TABLE = 20_000  # flows in the table while memory is watched
_TITLES = {
    "decode": "decode",
    "flow": "+ flow",
    "firewall": "+ firewall",
    "rules": "+ rules",
    "et": "+ ET rules",
}


def measure(**order: Any) -> dict[str, Any]:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.measure", json.dumps(order)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rate(capture: Path, level: str, cache: Path, runs: int) -> dict[str, Any]:
    """Replay a capture several times; the median of the CPU time."""
    found = [measure(what="replay", capture=str(capture), level=level, cache=str(cache)) for _ in range(runs)]
    seconds = statistics.median(one["seconds"] for one in found)
    last = found[-1]
    return last | {
        "seconds": seconds,
        "pps": last["packets"] / seconds,
        "us": seconds / last["packets"] * 1e6,
    }


def all_rates(folder: Path, names: list[str], levels: list[str], runs: int, scale: float) -> dict[str, Any]:
    """Measure each capture at each level, and print it as it comes."""
    table: dict[str, Any] = {}
    print(f"{'capture':<12}{'level':<12}{'packets/s':>11}{'µs':>8}{'of decode':>11}{'dropped':>9}{'MB':>6}")
    for name in names:
        make, count = _CAPTURES[name]
        path = folder / f"{name}.pcap"
        captures.write(path, make(max(1000, int(count * scale))))
        table[name] = {}
        for level in levels:
            one = table[name][level] = rate(path, level, folder / "cache", runs)
            ratio = one["seconds"] / table[name][levels[0]]["seconds"]
            line = f"{one['pps']:>11,.0f}{one['us']:>8.2f}{ratio:>10.1f}x{one['dropped']:>9}"
            print(f"{name:<12}{_TITLES[level]:<12}{line}{one['rss'] / 1e6:>6.0f}", flush=True)
        path.unlink()
    return table


def flat(folder: Path, flows: int) -> dict[str, Any]:
    """Watch memory over many distinct flows."""
    path = folder / "flows.pcap"
    packets = captures.write(path, captures.distinct(flows))
    found: dict[str, Any] = {}
    for level in ("firewall", "rules"):
        one = found[level] = measure(
            what="memory",
            capture=str(path),
            level=level,
            cache=str(folder / "cache"),
            max_flows=_TABLE,
            packets=packets,
        )
        mb = ", ".join(f"{size / 1e6:.0f}" for _, size in one["samples"][:: max(1, len(one["samples"]) // 7)])
        print(f"memory {_TITLES[level]}, {packets:,} flows, table of {_TABLE:,}: {mb} MB; ", end="")
        print(f"slope {one['slope']:.2f} bytes a flow", flush=True)
    path.unlink()
    return found


def rule_load(runs: int) -> dict[str, Any]:
    """Load the rules several times."""
    found = [measure(what="load") for _ in range(runs)]
    middle = {
        name: {clock: statistics.median(one[name][clock] for one in found) for clock in ("cpu", "wall")}
        for name in ("cold", "warm")
    }
    last = found[-1]
    for name, times in middle.items():
        seconds = f"{times['wall']:.2f} s ({times['cpu']:.2f} s of CPU)"
        print(f"rule load {name}: {last['rules']:,} rules in {seconds}")
    print(f"memory with rules: {last['rss'] / 1e6:.0f} MB")
    return middle | {"rules": last["rules"], "rss": last["rss"]}


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    levels = [level for level in LEVELS if level != "et" or et_rules() is not None]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the captures")
    parser.add_argument("--captures", nargs="+", choices=_CAPTURES, default=list(_CAPTURES))
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=levels)
    parser.add_argument("--flows", type=int, default=1_000_000, help="distinct flows to watch memory over")
    parser.add_argument("--json", metavar="FILE", default="", help="write all figures here")
    return parser.parse_args(argv)


def main() -> None:
    """Measure everything asked for."""
    args = parse()
    with tempfile.TemporaryDirectory(prefix="eastwall-bench-") as name:
        folder = Path(name)
        found: dict[str, Any] = {
            "rates": all_rates(folder, args.captures, args.levels, args.runs, args.scale),
            "load": rule_load(args.runs),
        }
        if args.flows:
            found["memory"] = flat(folder, args.flows)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
