"""Find out what the running kernel can do, by doing it in a network namespace that is gone afterwards."""

from __future__ import annotations

from appliance.kernel import iptables, sysctls
from appliance.kernel.bareack import bytecode4
from appliance.kernel.base import Capabilities, KernelError
from appliance.kernel.commands import attempt, have
from appliance.kernel.namespace import run_in_scratch
from appliance.kernel.options import Datapath

_TABLE = "add table {0} probe\ndelete table {0} probe\nadd table {0} probe\n"
_RULE = _TABLE + "add chain {0} probe c {{ type filter hook {1} priority -310; }}\nadd rule {0} probe c {2}\n"

# What both datapaths need, then what each needs beside: (what it is for, family, hook, rule).
_COMMON = (
    (
        "nft bridge family",
        "bridge",
        "prerouting",
        "ether saddr 02:00:00:00:00:01 meta mark set 1",
    ),
    ("nft VLAN matching", "bridge", "prerouting", "vlan id 5 accept"),
    ("nft IPv6 extension headers", "bridge", "prerouting", "meta protocol ip6 exthdr frag exists drop"),
)
_NFT = (
    (
        "nft `ct` for bridges (nf_conntrack_bridge)",
        "bridge",
        "forward",
        "ct mark 1 ct state new accept",
    ),
    ("nft `queue` for bridges (nft_queue)", "bridge", "forward", "queue num 0-1 bypass"),
    ("nft `notrack`", "bridge", "prerouting", "notrack"),
)
_XTABLES = (
    (
        "nft `ct` and `limit` (nft_ct, nft_limit)",
        "inet",
        "forward",
        "ct status confirmed limit rate 1/second",
    ),
)
_MATCHES = (
    ("xt_physdev (br_netfilter)", "mangle", "-m physdev --physdev-is-bridged -j ACCEPT"),
    ("xt_connmark", "mangle", "-m connmark --mark 0x1/0x1 -j CONNMARK --save-mark --nfmask 1 --ctmask 1"),
    ("xt_conntrack", "mangle", "-m conntrack --ctdir REPLY --ctstatus CONFIRMED -j MARK --set-xmark 0x8/0x8"),
    ("xt_bpf", "mangle", f'-p tcp -m bpf --bytecode "{bytecode4()}" -j ACCEPT'),
    ("xt_NFQUEUE", "mangle", "-j NFQUEUE --queue-balance 0:1 --queue-bypass"),
    ("xt_comment", "mangle", "-m comment --comment eastwall:probe -j ACCEPT"),
    ("xt_CT with zones (xt_CT)", "raw", "-j CT --zone mark"),
    ("xt_pkttype", "raw", "-m pkttype --pkt-type multicast -j CT --notrack"),
)


def probe() -> Capabilities:
    """Try everything that rules are made of.

    Raises:
        KernelError: we may not make a network namespace, or nft is not installed.
    """
    return run_in_scratch(_probe)


def choose(found: Capabilities, wanted: Datapath | None = None) -> Datapath:
    """Give the datapath to use: the wanted one, else the best there is.

    Raises:
        KernelError: the kernel cannot do it; the message names what is missing.
    """
    if wanted is None and found.datapaths:
        return found.datapaths[0]
    if wanted in found.datapaths:
        assert wanted is not None  # noqa: S101 - for the type checker: None is no datapath
        return wanted
    names = [wanted] if wanted is not None else list(Datapath)
    lacks = "; ".join(f"{name}: {', '.join(found.missing[name])}" for name in names)
    raise KernelError(f"this kernel lacks what an inline datapath needs ({lacks})")


def _probe() -> Capabilities:
    common = [what for what, *rule in _COMMON if not _takes(*rule)]
    lacks_nft = common + [what for what, *rule in _NFT if not _takes(*rule)]
    legacy = iptables.flavour()
    lacks_xtables = common + [what for what, *rule in _XTABLES if not _takes(*rule)] + _xtables(legacy)
    missing = {Datapath.NFT: lacks_nft, Datapath.XTABLES: lacks_xtables}
    return Capabilities(
        tuple(one for one in Datapath if not missing[one]),
        _takes("bridge", "prerouting", 'meta ibrname "br0" accept'),
        legacy is not False,
        {str(one): tuple(lacks) for one, lacks in missing.items() if lacks},
    )


def _takes(family: str, hook: str, rule: str) -> bool:
    return attempt(("nft", "-f", "-"), _RULE.format(family, hook, rule))[0]


def _xtables(legacy: bool | None) -> list[str]:
    lacks = [] if have("bridge") else ["the command bridge (package iproute2)"]
    if legacy is None:
        return [*lacks, "iptables and ip6tables (package iptables, or modules ip_tables and nf_tables)"]
    for what, table, rule in _MATCHES:
        if iptables.refuses(legacy, 4, table, rule):
            lacks.append(what)
    if sysctls.read("net/bridge/bridge-nf-call-iptables") is None:
        lacks.append("bridge netfilter (module br_netfilter)")
    return lacks
