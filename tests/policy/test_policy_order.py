"""What a policy says depends on what is written, not on the order in which files and machines come."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.document import parse_document
from appliance.config.settings import Settings
from appliance.firewall.firewall import Firewall
from appliance.inventory.document import parse_inventory
from appliance.inventory.registry import Registry
from appliance.model.packet import PROTO_TCP, TH_SYN, Packet
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies

FILES = (
    """
policies:
  - name: base
    default_action: deny
    firewall:
      infrastructure: [{name: ping, action: allow, protocol: icmp}]
      application: [{name: ssh, action: allow, direction: in, protocol: tcp, destination_port: 22}]
""",
    """
policies:
  - name: web
    inherits: [base]
    firewall:
      application:
        - {name: web, action: allow, direction: in, protocol: tcp, destination_port: {list: web}}
        - {name: out, action: allow, direction: out, protocol: tcp, destination: {group: servers}}
""",
    """
lists: {ports: {web: [80, 443]}}
groups: {servers: [{tag: server}]}
bindings:
  - {tag: server, policy: web}
  - {name: "b-*", policy: base}
default: base
""",
)
MACHINES = tuple(
    f"  - {{name: {name}, uuid: 00000000-0000-0000-0000-00000000000{n}, tags: [{tag}], "
    f"interfaces: [{{name: eth0, mac: '52:54:00:00:00:0{n}', addresses: [10.0.0.{n}]}}]}}\n"
    for n, (name, tag) in enumerate(
        (("a-1", "server"), ("b-1", "desk"), ("c-1", "server"), ("d-1", "desk")), 1
    )
)


def judge_all(files, machines) -> list[tuple[str, str]]:
    policies, errors = parse_policies(
        [parse_document(text.encode(), f"{n}")[0] for n, text in enumerate(files)]
    )
    assert policies is not None, errors
    document, _ = parse_document(("vms:\n" + "".join(machines)).encode(), "vms")
    inventory, errors = parse_inventory(document, [])
    assert inventory is not None, errors
    registry = Registry(inventory)
    firewall = Firewall(compile_policies(policies, inventory), Settings())
    return [
        _judge(firewall, registry, *pair, port)
        for pair in permutations((1, 2, 3, 4), 2)
        for port in (22, 80, 25)
    ]


def _judge(firewall: Firewall, registry: Registry, source: int, target: int, port: int) -> tuple[str, str]:
    packet = Packet(b"", 1, 1_000_000_000, 1)
    packet.eth_src, packet.eth_dst = (bytes.fromhex(f"52540000000{n}") for n in (source, target))
    packet.ip_version, packet.proto, packet.tcp_flags = 4, PROTO_TCP, TH_SYN
    packet.src, packet.dst = bytes((10, 0, 0, source)), bytes((10, 0, 0, target))
    packet.sport, packet.dport = 40_000, port
    registry.identify(packet)
    found = firewall.judge(packet, None, packet.now)
    return found.verdict.name, found.by


@given(files=st.permutations(FILES), machines=st.permutations(MACHINES))
def test_any_order_of_files_and_machines_gives_the_same_judgements(files, machines):
    assert judge_all(files, machines) == judge_all(FILES, MACHINES)


def test_the_judgements_compared_are_not_all_the_same():
    assert {verdict for verdict, _ in judge_all(FILES, MACHINES)} == {"ACCEPT", "DROP"}


@pytest.mark.parametrize("missing", range(3))
def test_a_missing_file_is_an_error_or_another_judgement(missing):
    files = [text for n, text in enumerate(FILES) if n != missing]
    policies, errors = parse_policies([parse_document(text.encode(), "x")[0] for text in files])
    assert errors or policies is not None
    if policies is not None:
        assert judge_all(files, MACHINES) != judge_all(FILES, MACHINES)
