"""Pages of documentation that are made from the code: ``docs/rules.md`` and ``docs/protocols.md``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from appliance.detect.compiler import supports
from appliance.protocols import registry
from appliance.protocols.spec import ProtocolSpec
from appliance.rulelang.reference import document

_PROTOCOLS = """# Application protocols

Protocols are recognised by what is said, on any port where they can be told apart without it. This page
is made from the protocol registry (`python -m appliance.daemon.reference protocols > docs/protocols.md`)
and a test keeps it in step.

*parsed*: rules and records see transactions and their fields. *recognised*: the protocol has a name, for
application control, `app-layer-protocol` and flow records, and its bytes are inspected as a stream.
Those that are *off* are switched on with `app.enabled`; any other is switched off with `app.disabled`.
The record is a kind of [EVE record](eve.md). Buffers and values count the keywords of [rules](rules.md)
that look at the protocol.
"""


def rules_page() -> str:
    """Write the reference of the rule language, with what detection carries out."""
    offered = registry.buffers().keys() | registry.values().keys()
    return document(lambda name: supports(name) or name in offered)


def protocols_page() -> str:
    """Write the table of protocols and the events of each."""
    specs = sorted(registry.ALL.values(), key=lambda spec: spec.name)
    rows = ["| protocol | also called | over | | record | buffers | values | events |", f"|{' --- |' * 8}"]
    rows += [f"| {' | '.join(_cells(spec))} |" for spec in specs]
    parts = [_PROTOCOLS, "\n".join(rows), "", "## Events\n"]
    parts.append("Anomalies of one protocol, as `anomaly` records and for `app-layer-event` of rules.\n")
    parts.append("| protocol | events |\n| --- | --- |")
    parts += [f"| `{spec.name}` | {_codes(sorted(spec.events))} |" for spec in specs if spec.events]
    return "\n".join(parts) + "\n"


def _cells(spec: ProtocolSpec) -> list[str]:
    how = "parsed" if spec.parser is not None else "recognised"
    return [
        f"`{spec.name}`",
        _codes(spec.aliases),
        " ".join(spec.transports),
        how if spec.default_enabled else f"{how}, off",
        f"`{spec.log}`" if spec.log else "",
        _count(spec.buffers),
        _count(spec.values),
        _count(spec.events),
    ]


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _count(things: Iterable[object]) -> str:
    return str(sum(1 for _ in things) or "")


_PAGES = {"rules": rules_page, "protocols": protocols_page}


def main() -> None:
    """Print the page that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m appliance.daemon.reference")
    parser.add_argument("page", choices=_PAGES)
    print(_PAGES[parser.parse_args().page](), end="")


if __name__ == "__main__":
    main()
