"""Our chains in iptables and ip6tables: restored table by table, read back, taken away.

``iptables-restore`` replaces a table in one step; with ``--noflush`` it leaves what is not named alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from appliance.kernel.base import Counts, KernelError
from appliance.kernel.commands import attempt, have, run
from appliance.kernel.state import XtChain, XtTable
from appliance.kernel.xtables import COMMENT, FAMILIES, PREFIX

TABLES = ("raw", "mangle", "filter")
_COUNTED = re.compile(rf'^\[(\d+):(\d+)\] -A {PREFIX}.*--comment "?{COMMENT}(\w+)"?')
_COUNTS = re.compile(r"^\[\d+:\d+\] ")
COUNTED = tuple((family, name) for family in FAMILIES for name in ("mangle", "filter"))
_COMMANDS = {4: "iptables", 6: "ip6tables"}
_WAIT = ("-w", "5")


class Xtables:
    """The tools of one flavour: ``legacy`` or ``nft``."""

    def __init__(self, legacy: bool) -> None:
        """Use the tools that were found to work."""
        self._flavour = "legacy" if legacy else "nft"

    def _tool(self, family: int, what: str) -> str:
        return f"{_COMMANDS[family]}-{self._flavour}-{what}"

    def save(self, family: int, table: str, counters: bool = False) -> list[str]:
        """Give the rules of a table, a line each."""
        flags = ("-c",) if counters else ()
        return run((self._tool(family, "save"), *flags, "-t", table)).splitlines()

    def restore(self, table: XtTable) -> dict[str, Counts]:
        """Make what is ours in a table be ``table``, in one step; gives what its rules had counted."""
        saved = self.save(table.family, table.name, counters=True)
        script = restore_script(table, [_COUNTS.sub("", line) for line in saved])
        run((self._tool(table.family, "restore"), "--noflush", *_WAIT), script)
        found: dict[str, Counts] = {}
        count(saved, found)
        return found

    def remove(self) -> None:
        """Take away our chains and the jumps to them from all tables."""
        for family in FAMILIES:
            for name in TABLES:
                script = remove_script(name, self.save(family, name))
                if script:
                    run((self._tool(family, "restore"), "--noflush", *_WAIT), script)

    def ours(self, family: int, table: str) -> tuple[str, ...]:
        """Give what is ours in a table, and all that stands before a jump of ours in its chain."""
        return ours(self.save(family, table))

    def counters(self, tables: Iterable[tuple[int, str]] = COUNTED) -> dict[str, Counts]:
        """Add up the counters of our rules by name, of all ``tables`` (family, name) together."""
        found: dict[str, Counts] = {}
        for family, name in tables:
            count(self.save(family, name, counters=True), found)
        return found


def count(lines: Iterable[str], found: dict[str, Counts]) -> None:
    """Add the counters of saved rules to ``found``."""
    for line in lines:
        match = _COUNTED.match(line)
        if match is not None:
            total = found.setdefault(match[3], Counts())
            total.packets += int(match[1])
            total.bytes += int(match[2])


def _is_jump(line: str) -> bool:
    words = line.split()
    return (
        len(words) > 3
        and words[0] == "-A"
        and not words[1].startswith(PREFIX)
        and words[-2] in {"-j", "-g"}
        and words[-1].startswith(PREFIX)
    )


def ours(saved: Iterable[str]) -> tuple[str, ...]:
    """Give our chains and rules of a saved table, and all that stands before a jump of ours in its chain."""
    kept: list[str] = []
    waiting: dict[str, list[str]] = {}
    for line in saved:
        if line.startswith(f":{PREFIX}"):
            kept.append(line.split()[0])
        elif line.startswith(f"-A {PREFIX}"):
            kept.append(line)
        elif _is_jump(line):
            chain = line.split()[1]
            kept += [*waiting.pop(chain, []), line]
        elif line.startswith("-A "):
            waiting.setdefault(line.split()[1], []).append(line)
    return tuple(kept)


def restore_script(table: XtTable, saved: Iterable[str]) -> str:
    """Give the input of iptables-restore that replaces our chains and puts our jumps first."""
    lines = [f"*{table.name}"]
    saved = list(saved)
    names = [chain.name for chain in table.chains]
    stale = [one for one in _chains(saved) if one not in names]
    lines += [f":{name} - [0:0]" for name in [*names, *stale]]
    lines += [line.replace("-A ", "-D ", 1) for line in saved if _is_jump(line)]
    for place, (chain, rule) in enumerate(table.jumps):
        before = sum(1 for earlier, _ in table.jumps[:place] if earlier == chain)
        lines.append(f"-I {chain} {before + 1} {rule}")
    lines += [f"-A {chain.name} {rule}" for chain in table.chains for rule in chain.rules]
    lines += [f"-X {name}" for name in stale]
    return "\n".join([*lines, "COMMIT", ""])


def remove_script(name: str, saved: Iterable[str]) -> str:
    """Give the input of iptables-restore that takes away all that is ours; "" when nothing is."""
    saved = list(saved)
    chains = _chains(saved)
    jumps = [line.replace("-A ", "-D ", 1) for line in saved if _is_jump(line)]
    if not chains and not jumps:
        return ""
    flushed = [f":{chain} - [0:0]" for chain in chains]
    return "\n".join([f"*{name}", *flushed, *jumps, *(f"-X {chain}" for chain in chains), "COMMIT", ""])


def _chains(saved: Iterable[str]) -> list[str]:
    return [line.split()[0][1:] for line in saved if line.startswith(f":{PREFIX}")]


def flavour() -> bool | None:
    """Tell whether iptables-legacy (True) or else iptables-nft (False) works here; None when neither does."""
    for legacy in (True, False):
        kind = "legacy" if legacy else "nft"
        tools = [f"{command}-{kind}" for command in _COMMANDS.values()]
        if all(have(f"{tool}-restore") for tool in tools) and all(_works(tool) for tool in tools):
            return legacy
    return None


def _works(tool: str) -> bool:
    try:
        return all(attempt((tool, *_WAIT, "-t", table, "-S"))[0] for table in TABLES)
    except KernelError:
        return False


def refuses(legacy: bool, family: int, table: str, rule: str) -> str:
    """Try a rule in a chain of its own; "" when the kernel takes it, else what it said."""
    chain = XtChain(f"{PREFIX}PROBE", (rule,))
    script = restore_script(XtTable(family, table, (chain,), ()), ())
    kind = "legacy" if legacy else "nft"
    fine, said = attempt((f"{_COMMANDS[family]}-{kind}-restore", "--noflush", *_WAIT), script)
    return "" if fine else said or "refused"
