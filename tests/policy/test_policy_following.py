"""Policies bound anew after a small change of inventory say what they say when everything is made anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from policy_helpers import World, policy_set

from appliance.config.settings import Settings
from appliance.firewall.firewall import Firewall
from appliance.inventory.inventory import build, exchanged
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.policy.bound import PolicyBook

TEXT = """
policies:
  - name: plain
    default_action: deny
    firewall: {application: [{name: out, action: allow, direction: out}]}
  - name: web
    default_action: deny
    firewall:
      application:
        - {name: tagged, action: allow, direction: in, source: {tag: client}}
        - {name: net, action: reject, direction: in, source: {network: back}}
  - name: own
    default_action: deny
    firewall:
      application:
        - {name: self, action: allow, direction: both, source: self, destination: self}
        - {name: group, action: allow, direction: both, source: {not: [{group: friends}]}}
groups: {friends: [{vm: b}, {tag: client}]}
bindings:
  - {policy: web, name: "web*"}
  - {policy: own, tag: server}
default: plain
unknown: deny
"""
NAMES = st.sampled_from(["a", "b", "web-1", "web-2"])
TAGS = st.frozensets(st.sampled_from(["client", "server"]))
WORDS = st.tuples(NAMES, TAGS, st.sampled_from(["back", "lan"]), st.integers(1, 4))
COUNT = 5
WHOLE, _ERRORS = policy_set(TEXT)


def machine(number, words, cards=1):
    name, tags, network, address = words
    vm = Vm(f"00000000-0000-0000-0000-{number:012d}", name, tags)
    prefix = Prefix(4, (10 << 24) + address, (10 << 24) + address)
    mac = bytes([2, 0, 0, 0, 0, number])
    return vm, [VmInterface(0, vm, f"eth{n}", mac, network, None, (prefix,)) for n in range(cards)]


def said(bound, inventory):
    """Give the policy of each interface, and what it says of packets between any two."""
    world = World(WHOLE, inventory)
    world.firewall = Firewall(bound, Settings())
    found = [bound.policy_of(one).name for one in inventory.interfaces]
    for source in inventory.interfaces:
        for target in inventory.interfaces:
            packet = world.packet("10.0.0.9", "10.0.0.8")
            packet.src_if, packet.dst_if = source, target
            packet.src = source.addresses[0].base.to_bytes(4, "big")
            found.append(world.firewall.judge(packet, world.flow(packet), 0).verdict.name)
    return found


def after(inventory, changes):
    found = exchanged(inventory, [machine(number, words) for number, words in changes.items()])
    assert found is not None
    return found


@given(
    st.lists(WORDS, min_size=COUNT, max_size=COUNT),
    st.lists(st.dictionaries(st.integers(0, COUNT - 1), WORDS, max_size=3), min_size=1, max_size=3),
    st.lists(st.integers(0, COUNT - 1), min_size=3, max_size=3),
)
def test_what_follows_says_the_same_as_what_is_new(words, steps, held):
    assert not _ERRORS
    inventory = build([machine(number, one) for number, one in enumerate(words)])
    book = PolicyBook(WHOLE, inventory)
    book.bind(1)
    for epoch, (changes, one) in enumerate(zip(steps, held, strict=False), 2):
        inventory = after(inventory, changes)
        book = book.over(inventory)
        forced = {inventory.vms[one].uuid: "web"}
        bound, anew = book.bind(epoch, forced), PolicyBook(WHOLE, inventory)
        assert said(bound, inventory) == said(anew.bind(epoch, forced), inventory)
        here = frozenset((one.vm.uuid, one.name) for one in inventory.interfaces)
        assert book.says(here, forced) == anew.says(here, forced)
        assert bound.epoch == epoch


def test_what_is_not_touched_stays_the_same_object():
    words = [("web-1", frozenset(), "lan", 1), ("a", frozenset(), "lan", 2), ("b", frozenset(), "lan", 3)]
    inventory = build([machine(number, one) for number, one in enumerate(words)])
    book = PolicyBook(WHOLE, inventory)
    before = book.bind(1)
    later = after(inventory, {1: ("web-2", frozenset(), "lan", 2)})
    assert later.interfaces[0] is inventory.interfaces[0]
    now = book.over(later).bind(2)
    assert [one is other for one, other in zip(before.policies, now.policies, strict=True)] == [
        True,
        False,
        True,
    ]
    assert now.identities is before.identities
    assert now.policies[1].name == "web"
    assert before.policies[1].name == "plain"


def test_where_interfaces_come_everything_is_made_anew():
    inventory = build([machine(0, ("a", frozenset(), "lan", 1))])
    book = PolicyBook(WHOLE, inventory)
    before = book.bind(1)
    assert exchanged(inventory, [machine(0, ("a", frozenset(), "lan", 1), cards=2)]) is None
    assert exchanged(inventory, [machine(1, ("a", frozenset(), "lan", 1))]) is None
    more = build([machine(0, ("a", frozenset(), "lan", 1), cards=2)])
    now = book.over(more).bind(2)
    assert len(now.policies) == 2
    assert now.identities != before.identities
