"""The cache of verdicts and the queue behind br_netfilter: datapath `xtables`.

Chains of constant size, the same for IPv4 and IPv6 but for the test for bare acknowledgements. Rules carry a
comment by which their counters are read.
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.kernel.bareack import bytecode4, bytecode6
from appliance.kernel.forward import PENDING
from appliance.kernel.options import KernelOptions
from appliance.kernel.state import XtChain, XtTable
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

PREFIX = "EASTWALL-"
TRACK = f"{PREFIX}TRACK"
FORWARD = f"{PREFIX}FORWARD"
PASS = f"{PREFIX}PASS"
VERDICTS = f"{PREFIX}VERDICTS"
COMMENT = "eastwall:"
FAMILIES = (4, 6)
_PORT_BITS = 0xFFFF0000 | PENDING


def xt_tables(bridges: Iterable[str], options: KernelOptions, epoch: int) -> tuple[XtTable, ...]:
    """Give the tables in the order in which they have to be applied, so that each state on the way is safe.

    Before its packets are sent to a queue, the marks that come back have to be saved.
    """
    names = sorted(bridges)
    return (
        *(_raw(family, names) for family in FAMILIES),
        *(_filter(family, names) for family in FAMILIES),
        *(_mangle(family, names, options, epoch) for family in FAMILIES),
    )


def _counted(name: str) -> str:
    return f"-m comment --comment {COMMENT}{name}"


def _raw(family: int, bridges: list[str]) -> XtTable:
    """Tell conntrack the zone; leave alone what is sent to many.

    Copies of one frame share an entry that is not confirmed yet, and the kernel drops such copies on their
    way to a queue.
    """
    rules = (
        "-m pkttype --pkt-type multicast -j CT --notrack",
        "-m pkttype --pkt-type broadcast -j CT --notrack",
        "-j CT --zone mark",
    )
    jumps = tuple(("PREROUTING", f"-i {one} -m physdev --physdev-is-in -j {TRACK}") for one in bridges)
    return XtTable(family, "raw", (XtChain(TRACK, rules),), jumps)


def _filter(family: int, bridges: list[str]) -> XtTable:
    rules = (
        f"-m mark --mark 0x0/{VERDICT:#x} -j ACCEPT",
        f"-j CONNMARK --save-mark --nfmask {EPOCH | VERDICT:#x} --ctmask {EPOCH | VERDICT:#x}",
        f"-m mark --mark {BLOCKED:#x}/{BLOCKED:#x} {_counted('blocked')} -j DROP",
        "-j ACCEPT",
    )
    return XtTable(family, "filter", (XtChain(VERDICTS, rules),), _bridged(bridges, VERDICTS))


def _bridged(bridges: list[str], chain: str) -> tuple[tuple[str, str], ...]:
    return tuple(("FORWARD", f"-i {one} -m physdev --physdev-is-bridged -j {chain}") for one in bridges)


def _mangle(family: int, bridges: list[str], options: KernelOptions, epoch: int) -> XtTable:
    clear = f"-j MARK --set-xmark 0x0/{_PORT_BITS:#x}"
    chains = (
        XtChain(FORWARD, (*_cached(epoch), *_acks(family, epoch), *_queued(options, clear))),
        XtChain(PASS, (clear, "-j ACCEPT")),
    )
    return XtTable(family, "mangle", chains, _bridged(bridges, FORWARD))


def _cached(epoch: int) -> tuple[str, ...]:
    """Give the rules for connections that are judged, under the policies of ``epoch``."""
    blocked, original, reply = (
        f"-m connmark --mark {kernel_epoch(epoch) << EPOCH_SHIFT | bit:#x}/{EPOCH | bit:#x}"
        for bit in (BLOCKED, SETTLED_ORIGINAL, SETTLED_REPLY)
    )
    return (
        f"{blocked} {_counted('blocked')} -j DROP",
        f"{original} -m conntrack --ctdir ORIGINAL {_counted('settled')} -g {PASS}",
        f"{reply} -m conntrack --ctdir REPLY {_counted('settled')} -g {PASS}",
    )


def _acks(family: int, epoch: int) -> tuple[str, ...]:
    """Give the rules for bare ACKs, unless the connection has a verdict of policies that are no more."""
    code = bytecode4() if family == 4 else bytecode6()
    test = f'-p tcp -m conntrack --ctstate ESTABLISHED -m bpf --bytecode "{code}"'
    inspected = f"-m connmark --mark 0x0/{VERDICT:#x}"
    current = f"-m connmark --mark {kernel_epoch(epoch) << EPOCH_SHIFT:#x}/{EPOCH:#x}"
    return tuple(f"{which} {test} {_counted('bare_ack')} -g {PASS}" for which in (inspected, current))


def _queued(options: KernelOptions, clear: str) -> tuple[str, ...]:
    """Give the rules that say what is known of a packet and queue it.

    A packet without the mark of the bridge table fails closed.
    """
    closed = f"-m mark --mark {FAIL_CLOSED:#x}/{FAIL_CLOSED:#x} {_counted('queued_closed')}"
    first, count = options.queue_base, options.workers
    return (
        f"-m mark ! --mark {PENDING:#x}/{PENDING:#x} -j MARK --set-xmark {FAIL_CLOSED:#x}/{FAIL_CLOSED:#x}",
        clear,
        f"-m conntrack --ctdir REPLY -j MARK --set-xmark {REPLY:#x}/{REPLY:#x}",
        f"-m conntrack --ctstatus CONFIRMED -j MARK --set-xmark {KNOWN:#x}/{KNOWN:#x}",
        f"-m conntrack --ctstate RELATED -j MARK --set-xmark {RELATED:#x}/{RELATED:#x}",
        f"{closed} -j NFQUEUE {_queues(first, count)}",
        f"{_counted('queued_open')} -j NFQUEUE {_queues(first + count, count)} --queue-bypass",
    )


def _queues(first: int, count: int) -> str:
    return f"--queue-num {first}" if count == 1 else f"--queue-balance {first}:{first + count - 1}"
