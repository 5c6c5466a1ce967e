"""Overlap policies, against the tables of Novak and of Shankar and Paxson, and against a naive model."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.overlap import POLICIES, Pieces, policy

# Fragments of 8-byte blocks in order of arrival: (first block, number of blocks, letter).
NOVAK = [
    *((0, 3, "A"), (4, 2, "B"), (6, 3, "C"), (10, 1, "D"), (13, 2, "E"), (15, 3, "F")),
    *((18, 2, "G"), (20, 2, "H"), (22, 1, "I")),
    *((1, 4, "J"), (6, 3, "K"), (9, 3, "L"), (12, 3, "M"), (16, 1, "N"), (19, 1, "O"), (20, 1, "P")),
    (22, 2, "Q"),
]
NOVAK_RESULT = {
    "bsd": "AAAJJBCCCLLLMMMFFFGGHHIQ",
    "bsd-right": "AJJJBBKKKLDLMEEFNFGOPHQQ",
    "linux": "AAAJJBKKKLLLMMMFFFGGPHQQ",
    "first": "AAAJBBCCCLDLMEEFFFGGHHIQ",
    "last": "AJJJJBKKKLLLMMMFNFGOPHQQ",
    "solaris": "AAAJBBCCCLLLMMMFFFGGHHIQ",
    "windows": "AAAJBBCCCLLLMEEFFFGGHHIQ",
}

# Figure of "Active Mapping": fragments 1 to 3 first, then 4 to 6.
MAPPING = [(0, 3, "1"), (4, 2, "2"), (6, 3, "3"), (1, 4, "4"), (6, 3, "5"), (9, 3, "6")]
MAPPING_RESULT = {
    "bsd": "111442333666",
    "bsd-right": "144422555666",
    "linux": "111442555666",
    "first": "111422333666",
    "last": "144442555666",
}


def assemble(fragments, name):
    pieces = Pieces()
    for start, length, letter in fragments:
        pieces.insert(start * 8, letter.encode() * (length * 8), policy(name))
    assert pieces.whole
    return pieces.join()[::8].decode()


@pytest.mark.parametrize(("name", "expected"), NOVAK_RESULT.items())
def test_fragments_of_novak(name, expected):
    assert assemble(NOVAK, name) == expected


@pytest.mark.parametrize(("name", "expected"), MAPPING_RESULT.items())
def test_fragments_of_shankar_and_paxson(name, expected):
    assert assemble(MAPPING, name) == expected


@pytest.mark.parametrize(
    ("name", "same"),
    [
        *(("irix", "bsd"), ("hpux10", "bsd"), ("old-linux", "linux"), ("old-solaris", "first")),
        *(("hpux11", "first"), ("macos", "first"), ("vista", "windows"), ("windows2k3", "windows")),
        *(("", "bsd"), ("plan9", "bsd")),
    ],
)
def test_systems_with_the_policy_of_another(name, same):
    assert assemble(NOVAK, name) == NOVAK_RESULT[same]


# Held piece, new fragment, and what is left with each policy (blocks of one letter, "." is a hole).
PAIRS = [
    (
        (2, 2),
        (2, 2),
        {"bsd": "..AA", "linux": "..BB", "windows": "..AA", "solaris": "..AA", "bsd-right": "..BB"},
    ),
    (
        (2, 2),
        (1, 4),
        {"bsd": ".BBBB", "windows": ".BBBB", "solaris": ".BBBB", "first": ".BAAB", "bsd-right": ".BAAB"},
    ),
    ((2, 2), (1, 3), {"bsd": ".BBB", "windows": ".BAA", "solaris": ".BBB", "first": ".BAA", "last": ".BBB"}),
    (
        (0, 4),
        (1, 2),
        {"bsd": "AAAA", "last": "ABBA", "bsd-right": "ABBA", "linux": "AAAA", "windows": "AAAA"},
    ),
    ((0, 2), (1, 2), {"first": "AAB", "last": "ABB", "bsd": "AAB", "bsd-right": "ABB"}),
]


@pytest.mark.parametrize(
    ("held", "new", "name", "expected"),
    [(held, new, name, text) for held, new, results in PAIRS for name, text in results.items()],
)
def test_one_overlap(held, new, name, expected):
    pieces = Pieces()
    assert not pieces.insert(held[0], b"A" * held[1], policy(name))
    assert pieces.insert(new[0], b"B" * new[1], policy(name))
    assert picture(pieces) == expected


def picture(pieces):
    text = bytearray(b"." * pieces.end)
    for start, data in zip(pieces.starts, pieces.data, strict=True):
        text[start : start + len(data)] = data
    return text.decode()


FRAGMENTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=20)


@given(FRAGMENTS, st.sampled_from(sorted(POLICIES)))
def test_pieces_stay_sorted_and_apart(fragments, name):
    pieces = Pieces()
    covered: set[int] = set()
    for number, (start, length) in enumerate(fragments):
        span = set(range(start, start + length))
        assert pieces.insert(start, bytes([65 + number]) * length, policy(name)) == bool(span & covered)
        covered |= span
        ends = [begin + len(data) for begin, data in zip(pieces.starts, pieces.data, strict=True)]
        assert all(len(data) for data in pieces.data)
        assert all(end <= begin for end, begin in itertools.pairwise([0, *_between(pieces.starts, ends)]))
        assert pieces.held == len(covered)
        assert pieces.whole == (bool(covered) and covered == set(range(max(covered) + 1)))


def _between(starts, ends):
    return [place for pair in zip(starts, ends, strict=True) for place in pair]


@given(FRAGMENTS)
def test_first_and_last_against_a_byte_array(fragments):
    for name, newest_wins in (("first", False), ("last", True)):
        pieces, model = Pieces(), {}
        for number, (start, length) in enumerate(fragments):
            letter = 65 + number
            pieces.insert(start, bytes([letter]) * length, policy(name))
            for place in range(start, start + length):
                if newest_wins or place not in model:
                    model[place] = letter
        assert picture(pieces) == "".join(chr(model.get(n, 46)) for n in range(max(model, default=-1) + 1))
