"""One measurement in a process of its own: ``python -m bench.measure '{"what": "replay", ...}'`` prints JSON.

A process of its own, so that neither memory nor the state of Python's allocator comes from another run.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.capture.pcap import PcapSource
from appliance.config.load import LoadOptions
from appliance.config.settings import Settings
from appliance.daemon.assemble import Documents, Inputs, make_engine, read_documents
from appliance.daemon.memory import resident, settle
from appliance.decode import decoder as decoder_module
from appliance.engine.engine import Engine
from appliance.model.verdict import Verdict

ROOT = Path(__file__).resolve().parent.parent
_SAMPLES = 20
# What is in force at each level; each adds to the one before.
LEVELS = ("decode", "flow", "firewall", "rules", "et")


def et_rules() -> Path | None:
    """Give the folder of the Emerging Threats rules, None where it is not there."""
    folder = Path(os.environ.get("EASTWALL_SHARED", ROOT.parent / "shared")) / "rules" / "et-open-2021"
    return folder if folder.is_dir() else None


def compiled() -> bool:
    """Tell whether the hot modules are compiled."""
    return not str(decoder_module.__file__).endswith(".py")


def documents(level: str, cache: Path | None, max_flows: int = 0) -> Documents:
    """Read what is in force at a level."""
    number = LEVELS.index(level)
    rules = [ROOT / "rules"] if level == "rules" else []
    if level == "et" and (folder := et_rules()) is not None:
        rules = [ROOT / "rules", folder]
    filtered = number >= LEVELS.index("firewall")
    found = read_documents(
        Inputs(
            LoadOptions(),
            policies=(ROOT / "policies", ROOT / "bench" / "policies") if filtered else (),
            inventory=ROOT / "bench" / "vms.yaml" if filtered else None,
            rules=tuple(rules),
            cache=cache,
        )
    )
    if found.errors:
        raise SystemExit(f"cannot measure: {found.errors}")
    settings = replace(found.settings or Settings(), eve=())
    if max_flows:
        settings = replace(settings, flow=replace(settings.flow, max_flows=max_flows))
    found.settings = settings
    return found


def replay(capture: str, level: str, cache: str) -> dict[str, Any]:
    """Read a capture and take every packet through; CPU seconds of the loop alone."""
    engine = make_engine(documents(level, Path(cache)))
    settle()
    run: Callable[[Engine, PcapSource], tuple[int, int, int]] = _decode if level == "decode" else _process
    source = PcapSource([capture])
    start = time.process_time()
    packets, dropped, alerts = run(engine, source)
    seconds = time.process_time() - start
    return {"packets": packets, "seconds": seconds, "dropped": dropped, "alerts": alerts, "rss": resident()}


def _decode(engine: Engine, source: PcapSource) -> tuple[int, int, int]:
    count = 0
    decode = engine.pipeline.decoder.decode
    for frame in source:
        decode(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        count += 1
    return count, 0, 0


def _process(engine: Engine, source: PcapSource) -> tuple[int, int, int]:
    count = dropped = 0
    for frame in source:
        result = engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        source.verdict(frame.token, result.decision)
        count += 1
        if result.decision.verdict > Verdict.ACCEPT:
            dropped += 1
    return count, dropped, engine.counters().get("detect.alert", 0)


def memory(capture: str, level: str, cache: str, max_flows: int, packets: int) -> dict[str, Any]:
    """Resident memory while flows come and go; its slope over the second half, in bytes a packet."""
    engine = make_engine(documents(level, Path(cache), max_flows))
    settle()
    step = max(1, packets // _SAMPLES)
    samples = [(0, resident())]
    for frame in PcapSource([capture]):
        engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        if frame.number % step == 0:
            samples.append((frame.number, resident()))
    late = samples[len(samples) // 2 :]
    slope = (late[-1][1] - late[0][1]) / max(1, late[-1][0] - late[0][0])
    return {
        "samples": samples,
        "slope": slope,
        "peak": max(size for _, size in samples),
        "max_flows": max_flows,
    }


def load() -> dict[str, Any]:
    """Load the Emerging Threats rules (our own where they are missing) without a cache and with one."""
    rules = et_rules() or ROOT / "rules"
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            cpu, wall = time.process_time(), time.perf_counter()
            loaded = read_documents(Inputs(LoadOptions(), rules=(rules,), cache=Path(folder))).rules
            found[name] = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
            found["rules"] = loaded.loaded
            found.setdefault("rss", resident())
            del loaded
    return found


_WHAT: dict[str, Callable[..., dict[str, Any]]] = {"replay": replay, "memory": memory, "load": load}


def main() -> None:
    """Measure what the argument says."""
    order = json.loads(sys.argv[1])
    found = _WHAT[order.pop("what")](**order)
    print(json.dumps(found | {"compiled": compiled()}))


if __name__ == "__main__":
    main()
