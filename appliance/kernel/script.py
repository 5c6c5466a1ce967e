"""What to tell nft, as text: a whole table, or the difference between two."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.kernel.state import NftChain, NftObject, NftSet, NftTable

_STEP = 2000  # elements in one statement


def replace_table(table: NftTable) -> str:
    """Give the transaction that puts ``table`` in the place of what is there under its name, if anything."""
    where = f"{table.family} {table.name}"
    return f"add table {where}\ndelete table {where}\nadd table {where}\n" + "".join(_all(table, where))


def remove_table(family: str, name: str) -> str:
    """Give the transaction that takes a table away, whether it is there or not."""
    return f"add table {family} {name}\ndelete table {family} {name}\n"


def _all(table: NftTable, where: str) -> Iterable[str]:
    yield from (_add_object(where, one) for one in table.objects)
    yield from (_add_set(where, one) for one in table.sets)
    yield from (_add_chain(where, one) for one in table.chains)
    yield from (line for one in table.chains for line in _rules(where, one))
    yield from (line for one in table.sets for line in _elements("add", where, one.name, one.elements))


def change_table(old: NftTable, new: NftTable) -> str | None:
    """Give the transaction that makes ``new`` of ``old``; None where only replacing the whole does.

    Chains whose rules did not change and elements that stay are not touched; dynamic sets stay as they are.
    """
    where = f"{new.family} {new.name}"
    chains = {one.name: one for one in old.chains}, {one.name: one for one in new.chains}
    sets = {one.name: one for one in old.sets}, {one.name: one for one in new.sets}
    if _is_rebuilt(*sets) or any(one.hook != chains[0].get(one.name, one).hook for one in new.chains):
        return None
    lines = [_add_object(where, one) for one in new.objects if one not in old.objects]
    lines += [_add_set(where, one) for name, one in sets[1].items() if name not in sets[0]]
    lines += [_add_chain(where, one) for name, one in chains[1].items() if name not in chains[0]]
    gone = [name for name in chains[0] if name not in chains[1]]
    changed = [one for name, one in chains[1].items() if one != chains[0].get(name)]
    flushed = [*gone, *(one.name for one in changed if one.name in chains[0])]
    lines += [f"flush chain {where} {name}\n" for name in flushed]
    for name, one in sets[0].items():
        stay = set(sets[1][name].elements) if name in sets[1] else set()
        lines += _elements("delete", where, name, [e for e in one.elements if e not in stay])
    lines += [line for one in changed for line in _rules(where, one)]
    for name, one in sets[1].items():
        there = set(sets[0][name].elements) if name in sets[0] else set()
        lines += _elements("add", where, name, [e for e in one.elements if e not in there])
    lines += [f"delete chain {where} {name}\n" for name in gone]
    lines += [f"delete {_kind(one)} {where} {name}\n" for name, one in sets[0].items() if name not in sets[1]]
    lines += [f"delete {one.kind} {where} {one.name}\n" for one in old.objects if one not in new.objects]
    return "".join(lines)


def _is_rebuilt(old: dict[str, NftSet], new: dict[str, NftSet]) -> bool:
    """Tell whether a set is declared differently; nft has no statement for that."""
    return any(
        (one.header, one.is_map) != (old[name].header, old[name].is_map)
        for name, one in new.items()
        if name in old
    )


def _kind(one: NftSet) -> str:
    return "map" if one.is_map else "set"


def _add_object(where: str, one: NftObject) -> str:
    return f"add {one.kind} {where} {one.name} {{ {one.body} }}\n"


def _add_set(where: str, one: NftSet) -> str:
    return f"add {_kind(one)} {where} {one.name} {{ {one.header} }}\n"


def _add_chain(where: str, one: NftChain) -> str:
    return f"add chain {where} {one.name}{f' {{ {one.hook} }}' if one.hook else ''}\n"


def _rules(where: str, one: NftChain) -> Iterable[str]:
    return (f"add rule {where} {one.name} {rule}\n" for rule in one.rules)


def _elements(verb: str, where: str, name: str, elements: Iterable[str]) -> Iterable[str]:
    all_of_them = list(elements)
    for at in range(0, len(all_of_them), _STEP):
        yield f"{verb} element {where} {name} {{ {', '.join(all_of_them[at : at + _STEP])} }}\n"
