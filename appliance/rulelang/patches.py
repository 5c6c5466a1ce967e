"""Virtual patches: which vulnerabilities a set of rules guards, read from the rules' metadata.

A rule is a virtual patch when its metadata has ``fixed_in``. The other keys are ``cve`` or ``cwe`` (may be
repeated), ``cvss`` (base score), ``affected`` (the beginning of a CPE 2.3 name: part, vendor, product) and
``technique`` (ATT&CK).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.rulelang.tree import Rule

_INTRODUCTION = """# Virtual patching

A virtual patch keeps the exploit of a known vulnerability away from a VM until the VM itself is mended. It
is a rule with the action `drop`: in mode `prevent` the packet that carries the exploit never arrives and the
rest of the flow is dropped, in mode `detect` there is an alert.

```
eastwall replay capture.pcap --rules rules --mode prevent
eastwall rules patches rules            # this table, for any rule files; --json for programs
```

Each file below `rules/` is one rule set, named in a policy by its name without `.rules`
(`rule_sets: [virtual-patch-java, virtual-patch-web-servers]`). What a patch is about stands in its metadata:
`cve` (or `cwe`, where a service has no flaw but too much trust), `cvss` (base score), `affected` (the
beginning of a CPE 2.3 name), `fixed_in` (the release or bulletin with which the vendor mended it) and
`technique` (ATT&CK).

A patch is anchored on the place of the flaw and on the shape of what exploits it. Traffic that must raise it
and its nearest harmless relative that must not are in `tests/rules/pairs/`. Inside TLS a rule sees nothing:
put the appliance behind the end of the encryption, or rely on patches that look at handshakes.

This page is made from the rules (`eastwall rules patches rules --markdown`), and a test keeps it in step.
"""


@dataclass(frozen=True, slots=True)
class Patch:
    """Vulnerabilities that the same rules guard. ``cvss`` is the base score, 0 when unknown."""

    names: tuple[str, ...]
    cvss: float
    products: tuple[str, ...]
    fixed_in: str
    techniques: tuple[str, ...]
    sids: tuple[int, ...]
    rule_set: str


def patches(rules: Iterable[Rule]) -> list[Patch]:
    """Collect the virtual patches among ``rules``: one for each group of vulnerabilities, sorted."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Patch] = {}
    for rule in rules:
        one = _patch(rule)
        if one is None:
            continue
        key = (one.rule_set, one.names, one.products)
        before = found.get(key)
        found[key] = one if before is None else replace(before, sids=(*before.sids, rule.sid))
    return sorted(found.values(), key=lambda patch: (patch.rule_set, patch.names, patch.sids))


def _patch(rule: Rule) -> Patch | None:
    """Read one rule; those that only prepare others or have no ``fixed_in`` are no patches."""
    fixed_in = _values(rule, "fixed_in")
    if not fixed_in or rule.noalert:
        return None
    return Patch(
        (*_values(rule, "cve"), *_values(rule, "cwe")),
        max((_score(text) for text in _values(rule, "cvss")), default=0.0),
        _values(rule, "affected"),
        fixed_in[0],
        _values(rule, "technique"),
        (rule.sid,),
        rule.position.file.rpartition("/")[2].removesuffix(".rules"),
    )


def _values(rule: Rule, key: str) -> tuple[str, ...]:
    return tuple(value for name, value in rule.metadata if name == key)


def _score(text: str) -> float:
    """Read a base score; what is no number counts as unknown."""
    whole, _, part = text.partition(".")
    return float(text) if whole.isdecimal() and (not part or part.isdecimal()) and text.isascii() else 0.0


def product(affected: str) -> str:
    """Name vendor and product of a CPE 2.3 name ("cpe:2.3:a:apache:log4j" gives "apache log4j")."""
    parts = affected.removeprefix("cpe:2.3:").replace("\\", "").split(":")
    words: list[str] = []
    for word in " ".join(parts[1:3]).replace("_", " ").split():
        if word not in words:
            words.append(word)
    return " ".join(words) or affected


def document(found: Iterable[Patch]) -> str:
    """Write the page: what virtual patching is, and a table for each rule set."""
    lines = [_INTRODUCTION]
    listed = list(found)
    for rule_set in dict.fromkeys(patch.rule_set for patch in listed):
        lines += [f"## {rule_set}", "", "| vulnerability | CVSS | product | fixed in | rules |"]
        lines.append("| --- | --- | --- | --- | --- |")
        lines += [_row(patch) for patch in listed if patch.rule_set == rule_set]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(patch: Patch) -> str:
    cells = (
        ", ".join(patch.names),
        f"{patch.cvss:.1f}",
        ", ".join(product(affected) for affected in patch.products),
        patch.fixed_in,
        ", ".join(str(sid) for sid in patch.sids),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
