"""Records, messages and heartbeats: what was written comes back, whatever else comes is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.handoff.codec import Header
from appliance.handoff.fsm import Event
from appliance.handoff.messages import Message, Wanted, read_message, read_wanted
from appliance.handoff.peers import SILENT, Beat, Peers, read_beat
from appliance.handoff.store import Record, identity_of, key_of, read_record

UUID = "3b6f2f2e-5b59-4d3f-9c1e-000000000001"
FACTS = {"version": "1", "instance": "i", "epoch": 1, "owned": 2, "present": 3, "bundle": 0, "started": 5}
NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=64)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
READERS = (read_record, read_message, read_wanted, read_beat)


def header(name="eth0", **more):
    fields = {"final": True, "revision": 4, "held": False, "at": 1, "entries": 0, "lost": 0, "size": 0}
    return Header(
        **{"ident": "i", "host": "one", "uuid": UUID, "name": name, "digest": "d", **fields, **more}
    )


@given(NAMES)
def test_records_and_keys_come_back(name):
    record = Record((UUID, name), "host-1", 7)
    assert read_record(record.pack()) == record
    key = key_of(record.identity)
    assert identity_of(key) == record.identity
    assert not set(key) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.")


@pytest.mark.parametrize(
    "key", ["", "x", f"{UUID}.", f"{UUID}.=zz", f"{UUID}.=65", f"{UUID}.a b", f"{UUID.upper()}.a"]
)
def test_keys_that_nobody_gives_are_nobodys(key):
    assert identity_of(key) is None


MESSAGES = [
    Message(Event.ASK_COPY, (UUID, "eth0"), "known"),
    Message(Event.ASK_STATE, (UUID, "eth0")),
    Message(Event.ABORT, (UUID, "eth0")),
    Message(Event.NOT_YET, (UUID, "eth0")),
    Message(Event.STATE, (UUID, "eth0"), header=header()),
    Message(Event.COPY, (UUID, "eth0"), header=header(final=False)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.event.value)
def test_messages_come_back(message):
    assert read_message(message.pack()) == message


@pytest.mark.parametrize(
    "message",
    [
        Message(Event.STATE, (UUID, "eth0")),
        Message(Event.STATE, (UUID, "eth0"), header=header(final=False)),
        Message(Event.COPY, (UUID, "eth0"), header=header()),
        Message(Event.STATE, (UUID, "eth1"), header=header()),
        Message(Event.ASK_COPY, (UUID, "eth0"), header=header()),
        Message(Event.ASK_COPY, (UUID, "eth0"), known="k" * 65),
        Message(Event.ASK_COPY, ("no uuid", "eth0")),
        Message(Event.ASK_COPY, (UUID, "")),
    ],
    ids=range(8),
)
def test_messages_that_contradict_themselves_are_refused(message):
    assert read_message(message.pack()) is None


@pytest.mark.parametrize("reader", READERS)
@given(st.binary(max_size=300) | ANYTHING.map(lambda one: json.dumps(one).encode()))
def test_whatever_comes_nothing_is_raised(reader, data):
    assert reader(data) is None


GOOD = {
    read_record: Record((UUID, "eth0"), "one", 3).pack(),
    read_message: MESSAGES[4].pack(),
    read_wanted: Wanted("ident", 3).pack(),
    read_beat: Beat("one", FACTS).pack(),
}


@pytest.mark.parametrize("reader", READERS)
@given(st.data())
def test_good_ones_with_any_one_field_wrong_raise_nothing(reader, data):
    good = json.loads(GOOD[reader])
    field = data.draw(st.sampled_from(sorted(good)))
    good[field] = data.draw(ANYTHING)
    found = reader(json.dumps(good).encode())
    if field == "v" and good["v"] != 1:
        assert found is None


@pytest.mark.parametrize("host", ["a.b", "a b", "*", ">", "x" * 64, 7, None, "é"])
def test_names_that_would_not_do_as_part_of_a_subject_are_refused(host):
    record = json.loads(GOOD[read_record]) | {"host": host}
    assert read_record(json.dumps(record).encode()) is None
    beat = json.loads(GOOD[read_beat]) | {"host": host}
    assert read_beat(json.dumps(beat).encode()) is None


def test_surrogates_that_json_may_bring_are_refused():
    record = json.loads(GOOD[read_record]) | {"name": "a\ud800"}
    assert read_record(json.dumps(record).encode()) is None


def test_old_heartbeats_do_not_count_and_silent_hosts_are_gone():
    peers = Peers()
    assert peers.heard(Beat("one", FACTS), 5, 100.0)
    assert not peers.heard(Beat("one", FACTS | {"epoch": 9}), 5, 101.0)
    assert peers.alive("one", 100.0 + SILENT - 1)
    assert not peers.alive("one", 100.0 + SILENT)
    assert not peers.alive("two", 100.0)
    assert peers.heard(Beat("one", FACTS), 1, 200.0), "a store that was made anew counts from one"
    (listed,) = peers.listed(201.0)
    assert (listed["host"], listed["ago"], listed["alive"], listed["owned"]) == ("one", 1.0, True, 2)


def test_the_number_of_hosts_is_bounded():
    peers = Peers()
    assert sum(peers.heard(Beat(f"h{n}", FACTS), 1, 1.0) for n in range(2000)) == 1024
