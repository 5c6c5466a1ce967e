"""The cache of verdicts and the queue in nft's bridge family: datapath `nft`.

Written for nftables 1.0.6 (Debian 12) and a kernel with `queue` and `ct` for bridges. A verdict of
``accept`` from the queue goes on with the next base chain, which saves its mark in the connection.
"""

from __future__ import annotations

from appliance.kernel.bareack import NFT_SETS, nft_rules
from appliance.kernel.guard import foreign
from appliance.kernel.limits import add_limits
from appliance.kernel.options import KernelOptions
from appliance.kernel.table import TableBuilder
from appliance.model.mark import (
    BLOCKED,
    EPOCH,
    EPOCH_SHIFT,
    FAIL_CLOSED,
    KNOWN,
    RELATED,
    REPLY,
    SETTLED_ORIGINAL,
    SETTLED_REPLY,
    VERDICT,
    kernel_epoch,
)

# Not 0: where br_netfilter is loaded and hands packets to xtables, it goes on behind that priority and leaves
# out the chains that have it, so that nothing would be inspected.
INSPECT = "type filter hook forward priority 5"
VERDICTS = "type filter hook forward priority 10"
_NOT_IP = "meta protocol != { ip, ip6 } accept"


def build_inspect(table: TableBuilder, options: KernelOptions, epoch: int) -> None:
    """Add both chains to ``table``. Only they depend on ``epoch``."""
    now = kernel_epoch(epoch) << EPOCH_SHIFT
    for name, (header, elements) in NFT_SETS.items():
        table.set(name, header, elements)
    table.chain("acks", [_counted(table, rule, "bare_ack") for rule in nft_rules()])
    table.chain("settled", (table.counter("settled"), "accept"))
    table.chain("blocked", (table.counter("blocked"), "drop"))
    rules = [
        _NOT_IP,
        *foreign(options),
        f"{_remembered(BLOCKED, now)} goto blocked",
        f"{_remembered(SETTLED_ORIGINAL, now)} ct direction original goto settled",
        f"{_remembered(SETTLED_REPLY, now)} ct direction reply goto settled",
        f"ct mark & {VERDICT:#x} == 0x0 ct state established jump acks",
        f"ct mark & {EPOCH:#x} == {now:#x} ct state established jump acks",
        *add_limits(table, options),
        f"ct direction reply meta mark set meta mark | {REPLY:#x}",
        f"ct status confirmed meta mark set meta mark | {KNOWN:#x}",
        "meta mark set meta mark & 0xffff",
        f"ct state related meta mark set meta mark | {RELATED:#x}",
        f"meta mark & {FAIL_CLOSED:#x} == {FAIL_CLOSED:#x} {table.counter('queued_closed')} "
        + _queue(options.queue_base, options.workers),
        f"{table.counter('queued_open')} "
        + _queue(options.queue_base + options.workers, options.workers, " bypass"),
    ]
    table.base("inspect", INSPECT, rules)
    verdicts = [
        _NOT_IP,
        *foreign(options),
        f"meta mark & {VERDICT:#x} == 0x0 accept",
        f"ct mark set meta mark & {EPOCH | VERDICT:#x}",
        f"meta mark & {BLOCKED:#x} == {BLOCKED:#x} goto blocked",
    ]
    table.base("verdicts", VERDICTS, verdicts)


def _remembered(bit: int, now: int) -> str:
    return f"ct mark & {EPOCH | bit:#x} == {now | bit:#x}"


def _counted(table: TableBuilder, rule: str, name: str) -> str:
    return rule.removesuffix("accept") + table.counter(name) + " accept"


def _queue(first: int, count: int, flags: str = "") -> str:
    return f"queue num {first}{f'-{first + count - 1}' if count > 1 else ''}{flags}"
