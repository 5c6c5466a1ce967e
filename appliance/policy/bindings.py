"""Which policy an interface gets."""

from __future__ import annotations

from fnmatch import fnmatchcase

from appliance.model.identity import VmInterface
from appliance.policy.documents import BindingModel
from appliance.policy.policyset import PolicySet

# How much each key says. A binding with a weightier key wins over any number of lighter ones.
WEIGHTS = {"mac": 32, "uuid": 16, "interface": 8, "name": 4, "tag": 2, "network": 1}


_PATTERN = frozenset("*?[")


def weight(binding: BindingModel) -> int:
    """Give how specific a binding is."""
    return sum(value for key, value in WEIGHTS.items() if getattr(binding, key) is not None)


def matches(binding: BindingModel, one: VmInterface) -> bool:
    """Tell whether all keys of a binding hold for an interface."""
    if binding.mac is not None and one.mac.hex() != binding.mac:
        return False
    if binding.uuid is not None and one.vm.uuid != binding.uuid:
        return False
    if binding.tag is not None and binding.tag not in one.tags | one.vm.tags:
        return False
    names = ((binding.interface, one.name), (binding.name, one.vm.name), (binding.network, one.network))
    return all(pattern is None or fnmatchcase(name, pattern) for pattern, name in names)


def _plain(name: str | None) -> str:
    """Give a name that is no pattern, "" for one that is."""
    return name if name is not None and not _PATTERN.intersection(name) else ""


class Binder:
    """Finds the policy for interfaces; bindings by UUID, MAC or full name are looked up, others walked."""

    def __init__(self, whole: PolicySet) -> None:
        """Sort bindings by weight; those of equal weight stay in the order written."""
        self._default = whole.default
        self._direct: dict[str, list[tuple[int, int, BindingModel]]] = {}
        self._other: list[tuple[int, int, BindingModel]] = []
        for number, binding in enumerate(whole.bindings):
            key = binding.mac or binding.uuid or _plain(binding.name)
            entry = (-weight(binding), number, binding)
            (self._direct.setdefault(key, []) if key else self._other).append(entry)

    def policy_for(self, one: VmInterface) -> str:
        """Give the name of the policy, "" when no binding matches and there is no default."""
        found = self._binding_for(one)
        return found.policy if found is not None else self._default

    def reason_for(self, one: VmInterface) -> str:
        """Say why an interface has its policy: the keys of the binding, ``default``, or ``unknown``."""
        found = self._binding_for(one)
        if found is None:
            return "default" if self._default else "unknown"
        return ", ".join(f"{key} {getattr(found, key)}" for key in WEIGHTS if getattr(found, key) is not None)

    def _binding_for(self, one: VmInterface) -> BindingModel | None:
        keys = {one.mac.hex(), one.vm.uuid, one.vm.name}
        near = [entry for key in keys for entry in self._direct.get(key, ())] + self._other
        found = [entry for entry in near if matches(entry[2], one)]
        return min(found, key=lambda entry: entry[:2])[2] if found else None
