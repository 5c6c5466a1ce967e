"""From Suricata's names to the settings of decoding, flows, streams and detection.

Each table is (field of ours, dotted name of theirs, how to read it).
"""

from __future__ import annotations

from dataclasses import replace

from appliance.config.lookup import Lookup, fields_of
from appliance.config.node import Node
from appliance.config.policies import midstream_policy, policy
from appliance.config.settings import (
    DecodeSettings,
    DefragSettings,
    DetectSettings,
    FlowSettings,
    StreamSettings,
    Timeouts,
)
from appliance.config.values import parse_int, split_list

_OS_NAMES = (
    *("bsd", "bsd-right", "old-linux", "linux", "old-solaris", "solaris", "hpux10", "hpux11"),
    *("irix", "macos", "windows", "vista", "windows2k3"),
)
_URGENT = ("oob", "inline", "drop", "gap")
_ACTIONS = frozenset(("pass", "drop", "reject", "alert"))
# What one flow is taken to weigh when a memory limit is turned into a number of flows.
_FLOW_BYTES = 512
_MAX_VARIABLE_STEPS = 16

_DECODE = (
    ("teredo", "decoder.teredo.enabled", Lookup.truth),
    ("erspan1", "decoder.erspan.typeI.enabled", Lookup.truth),
    ("vntag", "decoder.vntag.enabled", Lookup.truth),
    ("max_depth", "decoder.max-layers", Lookup.number),
)
_PORTS = (("vxlan_ports", "vxlan"), ("geneve_ports", "geneve"), ("teredo_ports", "teredo"))
_DEFRAG = (
    ("max_datagrams", "defrag.trackers", Lookup.number),
    ("max_bytes", "defrag.memcap", Lookup.size),
    ("timeout", "defrag.timeout", Lookup.duration),
    ("vlan_in_key", "vlan.use-for-tracking", Lookup.truth),
)
_FLOW = (
    ("vlan_in_key", "vlan.use-for-tracking", Lookup.truth),
    ("depth_in_key", "decoder.recursion-level.use-for-tracking", Lookup.truth),
)
_STREAM = (
    ("midstream", "stream.midstream", Lookup.truth),
    ("async_oneside", "stream.async-oneside", Lookup.truth),
    ("depth", "stream.reassembly.depth", Lookup.size),
    ("max_total", "stream.reassembly.memcap", Lookup.size),
    ("max_synacks", "stream.max-synack-queued", Lookup.number),
    ("max_syns", "stream.max-syn-queued", Lookup.number),
    ("drop_invalid", "stream.drop-invalid", Lookup.truth),
    ("bypass_after_depth", "stream.bypass", Lookup.truth),
    ("urgent", "stream.reassembly.urgent.policy", lambda found, path: found.choice(path, _URGENT)),
)
_DETECT = (
    ("packet_alert_max", "packet-alert-max", Lookup.number),
    ("guess_tx", "detect.guess-applayer-tx", Lookup.truth),
    ("guess_limit", "detect.stream-tx-log-limit", Lookup.number),
    ("pcre_match_limit", "pcre.match-limit", Lookup.number),
    ("pcre_depth_limit", "pcre.match-limit-recursion", Lookup.number),
    ("threshold_file", "threshold-file", Lookup.file),
    ("classification_file", "classification-file", Lookup.file),
    ("reference_file", "reference-config-file", Lookup.file),
    ("rule_dir", "default-rule-path", Lookup.file),
    ("reputation_categories", "reputation-categories-file", Lookup.file),
    ("reputation_dir", "default-reputation-path", Lookup.file),
    ("geoip_database", "geoip-database", Lookup.file),
    ("data_dir", "default-data-dir", Lookup.file),
)


def decode_settings(found: Lookup) -> DecodeSettings:
    """Read what concerns decoding."""
    values = fields_of(found, _DECODE)
    for field, tunnel in _PORTS:
        ports = _ports(found, f"decoder.{tunnel}.ports")
        enabled = found.truth(f"decoder.{tunnel}.enabled")
        if ports is not None or enabled is False:
            values[field] = () if enabled is False else ports
    return replace(DecodeSettings(checksums=_checksums(found)), **values)


def _checksums(found: Lookup) -> str:
    """Suricata has two switches: one for captures, and one for streams that leaves them to rules."""
    capture = found.text("pcap-file.checksum-checks")
    stream = found.truth("stream.checksum-validation")
    if capture is not None and capture.lower() in {"no", "false", "off", "0"}:
        return "none"
    if stream is False:
        return "mark"
    return "all" if found.truth("pcap-file.checksum-checks") else "auto"


def _ports(found: Lookup, path: str) -> tuple[int, ...] | None:
    words = found.words(path)
    for _ in range(_MAX_VARIABLE_STEPS):
        if not words or not any(word.startswith("$") for word in words):
            break
        words = [part for word in words for part in _expand(found, word)]
    if words is None:
        return None
    ports = [parse_int(word) for word in words if word.lower() != "any"]
    good = tuple(port for port in ports if port is not None and 0 < port < 65_536)
    if len(good) != len(ports):
        found.error(path, "must be port numbers", "a number, a list of them, or a variable of port-groups")
    return good


def _expand(found: Lookup, word: str) -> list[str]:
    if not word.startswith("$"):
        return [word]
    return split_list(found.text(f"vars.port-groups.{word[1:]}") or "")


def defrag_settings(found: Lookup) -> DefragSettings:
    """Read what concerns IP fragments."""
    settings = replace(DefragSettings(), **fields_of(found, _DEFRAG))
    hosts = found.tree.take("defrag.host-config")
    timeouts = _host_timeouts(found, hosts) if hosts is not None else ()
    memcap = policy(found, "defrag.memcap-policy", has_flow=False)
    return replace(settings, memcap_policy=memcap, host_timeouts=timeouts)


def _host_timeouts(found: Lookup, hosts: Node) -> tuple[tuple[str, int], ...]:
    """Read ``- dmz: {timeout: 30, address: [192.168.1.0/24]}``."""
    out: list[tuple[str, int]] = []
    for key, item in hosts.items.items():
        path = f"defrag.host-config.{key}" + (f".{item.name}" if item.body() is not item else "")
        timeout = found.duration(f"{path}.timeout")
        addresses = found.words(f"{path}.address") or []
        out += [(address, timeout) for address in addresses if timeout is not None]
    return tuple(out)


def flow_settings(found: Lookup) -> FlowSettings:
    """Read what concerns the flow table."""
    base = FlowSettings()
    memcap = found.size("flow.memcap")
    default = _timeouts(found, "default", base.other)
    return replace(
        base,
        **fields_of(found, _FLOW),
        max_flows=base.max_flows if memcap is None else max(memcap // _FLOW_BYTES, 1),
        tcp=_timeouts(found, "tcp", default),
        udp=_timeouts(found, "udp", default),
        icmp=_timeouts(found, "icmp", default),
        other=default,
        memcap_policy=policy(found, "flow.memcap-policy", has_flow=False),
    )


def _timeouts(found: Lookup, proto: str, default: Timeouts) -> Timeouts:
    names = ("new", "established", "closed", "bypassed")
    rows = tuple((name, f"flow-timeouts.{proto}.{name}", Lookup.duration) for name in names)
    return replace(default, **fields_of(found, rows))


def stream_settings(found: Lookup) -> StreamSettings:
    """Read what concerns TCP."""
    settings = replace(StreamSettings(), **fields_of(found, _STREAM))
    inline = found.text("stream.inline")
    follow = found.prevent if inline is None or inline.lower() == "auto" else found.truth("stream.inline")
    return replace(
        settings,
        inline=bool(follow),
        midstream_policy=midstream_policy(found, settings.midstream),
        reassembly_policy=policy(found, "stream.reassembly.memcap-policy"),
        memcap_policy=policy(found, "stream.memcap-policy"),
    )


def detect_settings(found: Lookup) -> DetectSettings:
    """Read what concerns rules."""
    datasets = found.tree.take_all("datasets")
    return replace(
        DetectSettings(),
        **fields_of(found, _DETECT),
        action_order=_action_order(found),
        address_vars=_variables(found, "vars.address-groups"),
        port_vars=_variables(found, "vars.port-groups"),
        rule_files=_files(found, "rule-files", "default-rule-path"),
        reputation_files=_files(found, "reputation-files", "default-reputation-path"),
        datasets=datasets.plain() if datasets is not None and datasets.items else None,
    )


def _action_order(found: Lookup) -> tuple[str, ...]:
    words = found.words("action-order")
    if words is None:
        return DetectSettings().action_order
    order = tuple(word.lower() for word in words)
    if len(order) != len(_ACTIONS) or set(order) != _ACTIONS:
        found.error("action-order", "must name pass, drop, reject and alert once each")
    return order


def _variables(found: Lookup, path: str) -> tuple[tuple[str, str], ...]:
    """Read variables; a list is brought to the bracketed form that rules use."""
    group = found.tree.take_all(path)
    if group is None:
        return ()
    return tuple((name, _variable(node)) for name, node in group.items.items() if node.items or node.text)


def _variable(node: Node) -> str:
    return "[" + ",".join(node.texts()) + "]" if node.items else node.text or ""


def _files(found: Lookup, path: str, folder: str) -> tuple[str, ...]:
    """Read file names that are relative to a folder which another option names."""
    node = found.tree.take_all(path)
    if node is None:
        return ()
    base = found.file(folder)
    names = node.texts()
    return tuple(found.resolve(f"{base}/{n}" if base and not n.startswith("/") else n, node) for n in names)


def host_os(found: Lookup) -> tuple[tuple[str, str], ...]:
    """Read host-os-policy as (CIDR, OS)."""
    group = found.tree.take("host-os-policy")
    out: list[tuple[str, str]] = []
    for name in group.items if group is not None else ():
        system = name.lower()
        if system not in _OS_NAMES:
            found.error(f"host-os-policy.{name}", f"{name!r} is not a known system", ", ".join(_OS_NAMES))
        out += [(address, system) for address in found.words(f"host-os-policy.{name}") or []]
    return tuple(out)
