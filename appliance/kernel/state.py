"""What the kernel should hold, as plain values that compare: tables, chains, sets, device flags, sysctls."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from appliance.kernel.options import Datapath


@dataclass(frozen=True, slots=True)
class NftSet:
    """A set or map of an nft table.

    ``header`` is everything in its declaration but the elements; ``elements`` are sorted texts, for a map
    ``key : value``. ``dynamic`` sets are filled by packets and never compared.
    """

    name: str
    header: str
    elements: tuple[str, ...] = ()
    is_map: bool = False
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class NftChain:
    """A chain of an nft table; ``hook`` is the declaration of a base chain, "" for any other."""

    name: str
    rules: tuple[str, ...]
    hook: str = ""


@dataclass(frozen=True, slots=True)
class NftObject:
    """A named counter or limit: ``kind`` is its keyword, ``body`` what stands between its braces."""

    kind: str
    name: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class NftTable:
    """One nft table that is all ours."""

    family: str
    name: str
    objects: tuple[NftObject, ...] = ()
    sets: tuple[NftSet, ...] = ()
    chains: tuple[NftChain, ...] = ()


@dataclass(frozen=True, slots=True)
class XtChain:
    """A chain of our own in a table of iptables or ip6tables; rules are arguments after ``-A CHAIN``."""

    name: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class XtTable:
    """What is ours in one table of iptables (``family`` 4) or ip6tables (6).

    ``jumps`` are rules that stand first in chains of the kernel: (chain, arguments).
    """

    family: int
    name: str
    chains: tuple[XtChain, ...]
    jumps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class BridgePort:
    """Flags of a bridge port, and the MACs that are behind it for good.

    ``index`` is the kernel's number of the device: one that is made anew under its old name is another.
    """

    name: str
    macs: tuple[bytes, ...]
    index: int = 0
    learning: bool = False
    flood: bool = False  # frames for MACs that the bridge does not know


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A setting of the kernel, of the network namespace where there is one for each.

    With ``at_least`` a higher value is left alone. One that is not ``required`` may be missing or refused.
    """

    key: str
    value: int
    at_least: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A port as the kernel's state knows it: ``name`` of the device, ``vlan`` (-1 for none), its number."""

    name: str
    vlan: int
    number: int
    zone: int
    label: str = ""  # of the interface behind it, "" for an uplink


@dataclass(frozen=True, slots=True)
class KernelState:
    """Everything that should be there. Equal inputs in any order give equal states."""

    datapath: Datapath
    epoch: int
    queue_base: int
    workers: int
    places: tuple[Place, ...] = ()
    nft: tuple[NftTable, ...] = ()
    xtables: tuple[XtTable, ...] = ()
    ports: tuple[BridgePort, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    timed: bool = False  # depends on the minute: plan again when the next one begins

    @property
    def digest(self) -> str:
        """Name this state by 16 hexadecimal digits."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]
