"""Drivers of several hosts against each other, with a store and a network in memory."""

from __future__ import annotations

import asyncio
import random

import pytest

from appliance.handoff.codec import MAX_PIECE
from appliance.handoff.fsm import Event, State
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.store import Found, Record
from tests.handoff.memory import ONE, TWO, World, until

FLOWS = [{"flow": {"id": number}, "text": "x" * 50} for number in range(50)]


def play(scene, *names, **more):
    """Run a scene with hosts of these names."""

    async def run():
        world = World()
        hosts = [world.host(name, **more) for name in names or ("a", "b")]
        async with world.running(*hosts):
            await scene(world, *hosts)

    asyncio.run(run())


def state(host, identity=ONE):
    one = host.driver.interfaces.get(identity)
    return one.machine.state if one is not None else State.ABSENT


async def owned(host, *identities):
    host.plug(*identities)
    await until(lambda: set(identities) <= host.in_force)


def test_what_is_plugged_in_is_claimed_and_passes():
    async def scene(world, a, b):
        assert a.driver.admit([ONE, TWO]) == {ONE, TWO}
        await until(lambda: a.in_force == {ONE, TWO})
        assert a.driver.admit([ONE, TWO]) == set()
        assert world.store.records[ONE].host == "a"
        assert {one["interface"] for one in a.noted("handoff.claimed")} == {"eth0", "eth1"}
        assert a.saved == {ONE: world.store.records[ONE].revision, TWO: world.store.records[TWO].revision}

    play(scene)


def test_it_moves_with_its_state_when_it_is_unplugged_first():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.flows[ONE] = FLOWS
        a.plug()
        assert state(a) is State.LEFT
        await owned(b, ONE)
        assert b.adopted[ONE] == FLOWS
        assert ("taken", ONE, False) in b.did
        assert world.store.records[ONE].host == "b"
        await until(lambda: ONE not in a.driver.interfaces)
        assert ("drop", ONE) in a.did
        assert a.noted("handoff.offered")[0]["to"] == "b"
        assert a.saved == {}

    play(scene)


def test_it_moves_with_a_copy_beforehand_when_it_is_plugged_in_there_first():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.flows[ONE] = FLOWS
        b.plug(ONE)
        await until(lambda: b.driver.interfaces[ONE].copy is not None)
        assert a.in_force == {ONE}
        assert b.in_force == set()
        a.flows[ONE] = [*FLOWS[1:], {"flow": {"id": 99}}]
        await until(lambda: a.driver.interfaces[ONE].known)
        a.plug()
        await until(lambda: b.in_force == {ONE})
        assert b.adopted[ONE] == a.flows[ONE]

    play(scene)


def test_a_body_of_many_pieces_arrives():
    async def scene(world, a, b):
        await owned(a, ONE)
        noise = random.Random(1)
        a.flows[ONE] = [{"flow": {"id": n}, "text": noise.randbytes(60_000).hex()} for n in range(20)]
        a.plug()
        await owned(b, ONE)
        assert b.adopted[ONE] == a.flows[ONE]
        assert len(str(a.flows[ONE])) > 4 * MAX_PIECE

    play(scene)


def test_a_worker_that_does_not_answer_costs_the_state_not_the_move():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.broken = True
        a.plug()
        await owned(b, ONE)
        assert b.adopted[ONE] == []
        assert "worker" in a.noted("handoff.failed")[0]["why"]

    play(scene)


def test_frozen_by_order_and_given():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.flows[ONE] = FLOWS
        b.plug(ONE)
        await until(lambda: state(a) is State.OFFERING)
        a.driver.orders.freeze(ONE)
        await until(lambda: b.in_force == {ONE})
        assert a.in_force == set()
        a.plug()
        await until(lambda: ONE not in a.driver.interfaces)

    play(scene)


def test_a_store_that_is_away_stops_nobody_and_lets_nobody_begin():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.cut = b.cut = True
        a.plug(ONE, TWO)
        b.plug(ONE)
        await asyncio.sleep(0.4)
        assert a.in_force == {ONE}
        assert b.in_force == set()
        assert state(a, TWO) is State.WAITING
        a.cut = b.cut = False
        await until(lambda: a.in_force == {ONE, TWO})

    play(scene)


def test_a_store_that_hangs_is_not_waited_for():
    async def scene(world, a, b):
        a.hung = True
        a.plug(ONE)
        await until(lambda: state(a) is State.WAITING)
        a.hung = False
        a.driver.connected()
        await until(lambda: a.in_force == {ONE})

    play(scene)


def test_waiting_interfaces_pass_alone_where_that_is_allowed_until_the_store_says_otherwise():
    async def scene(world, a, b):
        b.cut = True
        b.plug(ONE)
        await until(lambda: b.in_force == {ONE})
        assert b.noted("owner.unknown")
        world.exempt.add("b")
        await owned(a, ONE)
        b.cut = False
        await until(lambda: b.in_force == set())
        assert a.in_force == {ONE}

    play(scene, alone_after=0.1)


def test_of_two_that_have_it_the_owner_keeps_it_and_it_is_told():
    async def scene(world, a, b):
        await owned(a, ONE)
        b.plug(ONE)
        await until(lambda: b.noted("owner.conflict"))
        await asyncio.sleep(0.3)
        assert len(b.noted("owner.conflict")) == 1
        assert a.in_force == {ONE}
        b.plug()
        await until(lambda: state(a) is State.OWNER)

    play(scene)


def test_a_dead_owner_is_told_of_and_robbed_by_order_alone():
    async def scene(world, a, b):
        await owned(a, ONE)
        a.cut = True
        b.plug(ONE)
        await until(lambda: b.noted("owner.lost"))
        assert b.in_force == set()
        world.exempt.add("a")
        assert b.driver.orders.take(ONE)
        await until(lambda: b.in_force == {ONE})
        assert ("taken", ONE, True) in b.did
        assert b.noted("handoff.claimed")[0]["seized"]
        a.cut = False
        a.driver.record(*_newest(world))
        await until(lambda: a.in_force == set())
        assert a.noted("owner.conflict")
        assert not b.driver.orders.take(ONE)

    play(scene)


def test_word_that_its_host_is_dead_counts_for_that_host_also_a_little_later():
    async def scene(world, a, b, c):
        await owned(a, ONE)
        a.cut = True
        world.exempt.add("a")
        b.driver.orders.died(ONE[0], "a")
        b.plug(ONE)
        await until(lambda: b.in_force == {ONE})
        c.driver.orders.died(ONE[0], "a")  # old news: it is b's by now
        c.plug(ONE)
        await asyncio.sleep(0.3)
        assert c.in_force == set()
        assert b.in_force == {ONE}

    play(scene, "a", "b", "c")


def _newest(world):
    found = world.store.records[ONE]
    return found.record, found.revision


def test_old_records_and_answers_are_not_applied():
    async def scene(world, a, b):
        await owned(a, ONE)
        revision = world.store.records[ONE].revision
        for old in range(revision + 1):
            a.driver.record(Record(ONE, "b"), old)
        assert state(a) is State.OWNER
        assert a.driver.counts["stale"] >= revision

    play(scene)


def test_only_the_owner_is_believed_and_only_who_was_told_gets_pieces():
    async def scene(world, a, b, c):
        await owned(a, ONE)
        a.flows[ONE] = FLOWS
        b.plug(ONE)
        await until(lambda: b.driver.interfaces[ONE].copy is not None)
        sent = a.driver.interfaces[ONE].sent[False]
        assert a.driver.piece("b", Wanted(sent.header.ident, 0)) == sent.packed.body
        assert a.driver.piece("c", Wanted(sent.header.ident, 0)) == b""
        assert a.driver.piece("b", Wanted("other", 0)) == b""
        header, _ = await c.collect(ONE, frozenset(), final=True)
        b.driver.said("c", Message(Event.STATE, ONE, header=header))
        c.driver.said("b", Message(Event.STATE, ONE, header=header))
        await asyncio.sleep(0.05)
        assert state(b) is State.EXPECTING
        assert ONE not in b.adopted
        a.driver.said("c", Message(Event.ABORT, ONE))
        assert state(a) is State.OFFERING

    play(scene, "a", "b", "c")


def test_a_record_that_makes_no_sense_is_written_anew_by_its_owner_and_claimed_by_nobody():
    async def scene(world, a, b):
        await owned(a, ONE)
        world.store.revision += 1
        odd = world.store.revision
        world.store.records[ONE] = Found(None, odd, odd=True)
        b.plug(ONE)
        await until(lambda: state(b) is State.WAITING)
        assert b.in_force == set()
        a.driver.odd(ONE, odd)
        await until(lambda: world.store.records[ONE].host == "a")
        assert a.in_force == {ONE}

    play(scene)


def test_records_that_are_gone_are_written_anew():
    async def scene(world, a, b):
        await owned(a, ONE, TWO)
        world.store.records.clear()
        a.driver.complete({})
        await until(lambda: world.store.records.keys() == {ONE, TWO})
        assert a.in_force == {ONE, TWO}

    play(scene)


def test_a_store_with_old_data_stops_nobody_and_is_put_right():
    """A copy from before the move is put back: it says that the interface is a's, under an older revision."""

    async def scene(world, a, b):
        await owned(a, ONE)
        before = dict(world.store.records)
        a.plug()
        await owned(b, ONE)
        await until(lambda: ONE not in a.driver.interfaces)
        world.store.records = dict(before)
        b.driver.complete({ONE: before[ONE].revision})
        await until(lambda: world.store.records[ONE].host == "b")
        assert b.in_force == {ONE}
        assert not b.noted("owner.conflict")
        await world.store.write(before[ONE].record, world.store.records[ONE].revision)  # as a new revision
        await until(lambda: b.driver.counts["old"])
        await until(lambda: world.store.records[ONE].host == "b")
        assert b.in_force == {ONE}

    play(scene)


def test_after_a_restart_those_that_passed_go_on_without_a_store():
    async def scene(world, a):
        a.cut = True
        a.driver.resume({ONE: 5, TWO: 6})
        assert a.driver.admit([ONE]) == set()
        assert state(a, TWO) is State.LEFT
        await until(lambda: a.saved == {ONE: 5})

    play(scene, "a")


def test_nothing_is_kept_of_interfaces_that_have_left():
    async def scene(world, a, b):
        for _ in range(3):
            await owned(a, ONE)
            a.plug()
            await owned(b, ONE)
            b.plug()
        await until(lambda: not a.driver.interfaces and not b.driver.interfaces)
        assert world.store.records[ONE].host == ""

    play(scene)


def test_what_is_said_of_unknown_interfaces_leaves_nothing_behind():
    async def scene(world, a, b):
        for _ in range(10):
            a.driver.said("b", Message(Event.ASK_STATE, ONE))
            a.driver.said("b", Message(Event.NOT_YET, TWO))
        a.driver.record(Record(ONE, "a"), 9)
        await until(lambda: not a.driver.interfaces)

    play(scene)


def test_whatever_happens_in_whatever_order_one_has_it_in_the_end():
    """Plugging, unplugging and cuts at random times, on three hosts."""

    async def scene(world, *hosts):
        pick = random.Random(7)
        for _ in range(150):
            host = pick.choice(hosts)
            what = pick.random()
            if what < 0.5:
                host.plug(*([] if ONE in host.driver.here else [ONE]))
            elif what < 0.7:
                host.cut = not host.cut
            elif what < 0.8:
                host.driver.orders.freeze(ONE)
            await asyncio.sleep(pick.random() * 0.03)
        for host in hosts:
            host.cut = False
            host.plug()
        last = pick.choice(hosts)
        last.plug(ONE)
        await until(lambda: last.in_force == {ONE})

    play(scene, "a", "b", "c")


def test_after_an_error_that_nobody_has_foreseen_it_goes_on_with_what_was_not_done():
    async def scene():
        world = World()
        host = world.host("a")

        async def fails(*_, **__):
            raise RuntimeError("a mistake of ours")

        works, host.driver.apply = host.driver.apply, fails
        host.plug(ONE)
        with pytest.raises(ExceptionGroup):
            await host.driver.run()
        host.driver.apply = works
        host.plug(ONE, TWO)  # nothing runs: it waits
        async with world.running(host):
            await until(lambda: host.in_force == {ONE, TWO})

    asyncio.run(scene())
