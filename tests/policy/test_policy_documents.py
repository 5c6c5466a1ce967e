"""Policy documents: every error with its place, inheritance, bindings, resolution, size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from hypothesis import given
from hypothesis import strategies as st
from policy_helpers import World, inventory, policy_set

from appliance.config.document import Document
from appliance.inventory.inventory import build
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.policy.bindings import Binder
from appliance.policy.bound import compile_policies
from appliance.policy.load import load_policies, parse_policies

RULE = "policies:\n  - name: p\n    firewall:\n      application:\n        - {name: r, action: allow, %s}\n"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("destintion: 10.0.0.1", "did you mean 'destination'"),
        ("protocol: tpc", "'tpc' is not a protocol"),
        ("protocol: 256", "256 is not a protocol"),
        ("source: 10.0.0.300", "is not an address"),
        ("source: 10.0.0.9-10.0.0.1", "is not an address"),
        ("source: {vn: a}", "is not a reference"),
        ("source: []", "must name at least one"),
        ("source: [any, 10.0.0.1]", "'any' stands alone"),
        ("protocol: tcp, destination_port: 65536", "not within 0-65535"),
        ("protocol: tcp, destination_port: 9-1", "runs backwards"),
        ("destination_port: 80", "ports need a protocol"),
        ("protocol: [tcp, icmp], destination_port: 80", "ports need a protocol"),
        ("protocol: udp, tcp_flags: syn", "tcp_flags need protocol: tcp"),
        ("protocol: tcp, tcp_flags: sin", "not a TCP flag"),
        ("protocol: tcp, icmp: 8", "icmp needs protocol"),
        ("protocol: icmp, icmp: 300", "within 0-255"),
        ("frame: arp, protocol: tcp", "frame names none"),
        ("frame: token-ring", "is not a frame type"),
        ("direction: up", "'in', 'out' or 'both'"),
        ("source_mac: 1:2:3", "is not a MAC"),
        ("source: {list: nope}", "there is no list 'nope'"),
        ("source: {group: nope}", "there is no group 'nope'"),
        ("schedule: nope", "there is no schedule 'nope'"),
    ],
)
def test_errors_in_rules(rule, message):
    whole, errors = policy_set(RULE % rule)
    assert whole is None
    assert len(errors) == 1
    assert errors[0].line == 5
    assert errors[0].field.startswith("policies.0.firewall.application.0")
    assert message in str(errors[0])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("policies:\n  - {name: a, inherits: [b]}\n", 2, "there is no policy 'b'"),
        ("policies:\n  - {name: a}\n  - {name: a}\n", 3, "'a' is defined twice"),
        ("policies:\n  - name: a/b\n", 2, "pattern"),
        ("default: x\n", 1, "there is no policy 'x'"),
        ("unknown: x\n", 1, "there is no policy 'x'"),
        ("policies: [{name: p}]\nbindings:\n  - {policy: p}\n", 3, "names what it is for"),
        ("policies: [{name: web}]\nbindings:\n  - {policy: wep, tag: x}\n", 3, "did you mean 'web'"),
        ("groups:\n  a: [{group: b}]\n  b: [{group: a}]\n", 2, "contains itself"),
        ("lists:\n  addresses:\n    a: [{list: a}]\n", 3, "contains itself"),
        ("lists:\n  addresses:\n    a: [{tag: a}]\n", 3, "VMs belong in groups"),
        ("schedules:\n  a: {hours: 8-18}\n", 2, "not a time of day"),
        ("schedules:\n  a: {days: someday}\n", 2, "is not a day"),
        ("schedules:\n  a: {timezone: Mars/Olympus}\n", 2, "is not a time zone"),
        ("policies:\n  - name: p\n    scan_detection: {fin: {block: 5x}}\n", 3, "not a duration"),
        ("policies:\n  - name: p\n    scan_detection: {exempt: [{vm: a}]}\n", 3, "takes addresses"),
        ("policies:\n  - name: p\n    stateful: {tracked: [tcpp]}\n", 3, "not a protocol"),
        (
            (
                "policies:\n  - name: p\n    firewall:\n      emergency:\n"
                "        - {name: r, action: deny}\n        - {name: r, action: deny}\n"
            ),
            3,
            "used twice: r",
        ),
    ],
)
def test_errors_elsewhere(text, line, message):
    _, errors = policy_set(text)
    assert message in str(errors[0])
    assert errors[0].line in (line, line + 1)


def test_cycles_are_named():
    chain = "".join(f"  - {{name: p{n}, inherits: [p{n + 1}]}}\n" for n in range(50))
    _, errors = policy_set(f"policies:\n{chain}  - {{name: p50, inherits: [p0]}}\n")
    assert len(errors) == 51
    assert "inherits itself: p0 -> p1 -> " in errors[0].message


def test_errors_of_all_files_of_a_folder(tmp_path):
    (tmp_path / "a.yaml").write_text("policies: [{name: a, fial: open}]\n")
    (tmp_path / "b.yaml").write_text("policies: [{name: b\n")
    (tmp_path / "c.yaml").write_text("policies: [{name: c}]\nbindings: [{policy: d, tag: x}]\n")
    (tmp_path / "notes.txt").write_text("not read")
    whole, errors = load_policies(tmp_path)
    assert whole is None
    assert [Path(e.file).name for e in errors] == ["a.yaml", "b.yaml", "c.yaml"]


INHERIT = """
policies:
  - name: base
    default_action: allow
    fail: open
    firewall:
      application:
        - {name: one, action: deny, protocol: tcp, destination_port: 1}
        - {name: two, action: deny, protocol: tcp, destination_port: 2}
        - {name: three, action: deny, protocol: tcp, destination_port: 3}
    stateful: {connections: 10, half_open: 5}
    inspection: {mode: prevent, rules: {1: {enabled: false}, 2: {action: drop}}}
  - name: left
    inherits: [base]
    stateful: {half_open: 6}
    firewall:
      application: [{name: two, action: allow, protocol: tcp, destination_port: 2}]
  - name: right
    inherits: [base]
    spoof_protection: false
    stateful: {half_open: 7, strict: true}
    firewall:
      application: [{action: reject, protocol: tcp, destination_port: [2, 3]}]
  - name: child
    inherits: [left, right]
    inspection: {rules: {2: {action: reject}}}
    firewall:
      default: [{name: one, action: deny, enabled: false}]
default: child
"""


def test_inheritance():
    one = World(INHERIT, inventory(("vm", ["10.0.0.1"], (), "")))
    judged = {port: one.open("192.0.2.1", "10.0.0.1", dport=port)[0] for port in (1, 2, 3)}
    assert {port: j.verdict.name for port, j in judged.items()} == {1: "ACCEPT", 2: "ACCEPT", 3: "REJECT"}
    assert judged[2].by == "left/application/two"
    assert judged[3].by == "right/application/rule-1"
    policy = one.bound.policies[0]
    assert (policy.fail_open, policy.spoof_protection) == (True, False)
    assert (policy.stateful.limits.connections, policy.stateful.limits.half_open) == (10, 6)
    assert policy.stateful.strict
    assert policy.inspection.prevent
    overrides = policy.inspection.overrides
    assert (overrides[1].enabled, overrides[2].action) == (False, "reject")


BIND = """
policies: [{name: d}, {name: n}, {name: t}, {name: g}, {name: i}, {name: u}, {name: m}, {name: late}]
bindings:
  - {network: lan, policy: n}
  - {tag: prod, policy: t}
  - {name: "w*", policy: g}
  - {name: "w*", policy: late}
  - {interface: eth1, policy: i}
  - {uuid: 00000000-0000-0000-0000-00000000000A, policy: u}
  - {mac: "02-00-00-00-00-0B", policy: m}
default: d
"""


@pytest.mark.parametrize(
    ("vm", "interface", "network", "tags", "mac", "policy"),
    [
        ("x", "eth0", "", (), 1, "d"),
        ("x", "eth0", "lan", (), 1, "n"),
        ("x", "eth0", "lan", ("prod",), 1, "t"),
        ("web", "eth0", "lan", ("prod",), 1, "g"),
        ("web", "eth1", "lan", ("prod",), 1, "i"),
        ("web", "eth1", "lan", ("prod",), 11, "m"),
    ],
)
def test_the_most_specific_binding_wins(vm, interface, network, tags, mac, policy):
    whole, errors = policy_set(BIND)
    assert not errors
    for uuid, expected in ((1, policy), (10, "m" if policy == "m" else "u")):
        owner = Vm(f"00000000-0000-0000-0000-{uuid:012x}", vm)
        one = VmInterface(0, owner, interface, bytes([2, 0, 0, 0, 0, mac]), network, tags=frozenset(tags))
        assert Binder(whole).policy_for(one) == expected


REFERENCES = """
groups: {apps: [{tag: app}, {group: more}], more: [10.9.0.0/24]}
lists: {addresses: {l: [10.8.0.1, {list: k}], k: [10.8.0.2]}, ports: {p: [1, 5-6]}}
policies:
  - name: p
    firewall:
      application:
        - {name: group, action: allow, direction: in, protocol: tcp, source: {group: apps},
           destination_port: 1}
        - {name: list, action: allow, direction: in, protocol: tcp, source: {list: l},
           destination_port: {list: p}}
        - {name: self, action: allow, direction: in, protocol: tcp, source: self, destination_port: 9}
        - {name: other, action: allow, direction: in, protocol: tcp, source: {not: {tag: app}},
           destination_port: 8}
        - {name: ghost, action: allow, direction: in, protocol: tcp, source: {vm: nobody}}
default: p
"""


def test_references():
    inv = inventory(
        ("app", ["10.0.0.1"], ("app",), ""),
        ("db", ["10.0.0.2", "10.0.1.0/24"], (), ""),
        ("z", ["10.0.0.3"], (), ""),
    )
    one = World(REFERENCES, inv)
    names = {
        ("10.0.0.1", 1): "group",
        ("10.9.0.7", 1): "group",
        ("10.8.0.2", 6): "list",
        ("10.8.0.2", 7): "",
        ("10.0.0.2", 9): "self",
        ("10.0.0.3", 9): "",
        ("10.0.0.3", 8): "other",
        ("192.0.2.1", 8): "other",
        ("10.0.0.1", 8): "",
    }
    for (src, port), name in names.items():
        packet = one.packet(src, "10.0.0.2", dport=port, src_if=None)
        end = one.firewall.judge(packet, one.flow(packet), 0).ends[-1]
        assert end.rule == name, (src, port)
    by_identity = one.packet("172.16.0.1", "10.0.0.2", dport=1, src_if=inv.interfaces[0])
    assert one.firewall.judge(by_identity, one.flow(by_identity), 0).ends[-1].rule == "group"


def test_tables_are_shared_unless_a_rule_says_self():
    inv = inventory(("a", [], (), ""), ("b", [], (), ""))
    plain, _ = policy_set("policies: [{name: p}]\ndefault: p\n")
    first, second = compile_policies(plain, inv).policies
    assert first.inbound is second.inbound
    personal, _ = policy_set(REFERENCES)
    first, second = compile_policies(personal, inv).policies
    assert first.inbound is not second.inbound


def test_interfaces_without_a_policy_get_what_unknown_says():
    inv = inventory(("a", ["10.0.0.1"], (), ""))
    text = "policies: [{name: p}]\nbindings: [{name: b, policy: p}]\nunknown: %s\n"
    assert World(text % "allow", inv).verdict("192.0.2.1", "10.0.0.1") == "ACCEPT"
    assert World(text % "deny", inv).verdict("192.0.2.1", "10.0.0.1") == "DROP"
    assert World(text % "p", inv).open("192.0.2.1", "192.0.2.2")[0].by == "p/default_action"


def many(policies, rules):
    """A set with that many policies of that many rules each, bound one to a VM."""
    first = RULE % "protocol: tcp, destination_port: 80, source: 10.0.0.0/8"
    whole, _ = policy_set(first)
    template = whole.policies.pop("p")
    rule = template.firewall.application[0]
    for n in range(policies):
        made = tuple(
            rule.model_copy(
                update={
                    "name": f"r{m}",
                    "source": rule.source.__class__((Prefix(4, m << 12 | n, (m << 12 | n) + 999),)),
                    "destination_port": rule.destination_port.__class__(((m % 500, m % 500 + 9),)),
                }
            )
            for m in range(rules)
        )
        firewall = template.firewall.model_copy(update={"application": made})
        whole.policies[f"p{n}"] = template.model_copy(update={"name": f"p{n}", "firewall": firewall})
    vms = []
    for n in range(1000):
        vm = Vm(f"00000000-0000-0000-0000-{n:012d}", f"vm{n}")
        vms.append((vm, [VmInterface(0, vm, "eth0", n.to_bytes(6, "big"))]))
    return whole, build(vms)


@pytest.mark.parametrize(("policies", "rules"), [(1000, 100), (1, 20_000)])
def test_tables_are_compiled_once_for_each_policy(policies, rules):
    whole, inv = many(policies, rules)
    for n in range(1000):
        binding = {"policy": f"p{n % policies}", "uuid": inv.vms[n].uuid}
        whole.bindings.append(policy_binding(binding))
    bound = compile_policies(whole, inv)
    assert len(bound.policies) == 1000
    assert len({id(one.inbound) for one in bound.policies}) == policies
    assert bound.policies[7].inbound.count == rules


def policy_binding(values):
    whole, _ = policy_set("policies: [{name: p}]\nbindings: [{policy: p, tag: x}]\n")
    return whole.bindings[0].model_validate(values)


KEYS = [
    *(
        "policies",
        "lists",
        "groups",
        "schedules",
        "bindings",
        "default",
        "unknown",
        "name",
        "inherits",
        "firewall",
    ),
    *("emergency", "application", "action", "direction", "frame", "protocol", "source", "destination"),
    *("source_port", "tcp_flags", "icmp", "schedule", "not", "list", "vm", "tag", "self", "days", "hours"),
    *("timezone", "stateful", "tracked", "scan_detection", "fin", "block", "exempt", "inspection", "rules"),
    *("addresses", "ports", "macs"),
]
WORDS = st.sampled_from(
    [*KEYS, "allow", "p", "10.0.0.1", "08:00-18:00", "all", "none", "any", "1-2", "UTC", ""]
)
VALUES = st.recursive(
    WORDS | st.integers(-9, 1 << 70) | st.none() | st.booleans() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=25,
)


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
)
def test_no_document_raises(top, policy, rule):
    rule = {"action": "allow", **rule}
    policy = {"name": "p", "firewall": {"application": [rule]}, **policy}
    whole, errors = parse_policies([Document("f", {"policies": [policy], **top}, {})])
    assert (whole is None) == bool(errors)
    if whole is not None:
        compile_policies(whole, build([]))


GUARD = """
policies:
  - name: base
    default_action: allow
    guard: {dhcp_server: true, ethertypes: [0x88cc, 0x88e5]}
  - name: child
    inherits: [base]
    guard: {router: true, ethertypes: [0x88b5]}
default: child
"""


def test_the_guard_is_inherited_key_by_key():
    guard = World(GUARD, inventory(("vm", [], (), ""))).bound.policies[0].guard
    assert (guard.dhcp_server, guard.router, guard.ethertypes) == (True, True, {0x88B5})


def test_the_guard_lets_nobody_carry_frames_past_inspection():
    for value, message in (
        (0x8864, "carry other frames"),
        (0x05FF, "not an ethertype"),
        ('"arp"', "not an ethertype"),
    ):
        _, errors = policy_set(f"policies: [{{name: p, guard: {{ethertypes: [{value}]}}}}]")
        assert any(message in str(error) and "guard.ethertypes.0" in str(error) for error in errors), errors
