"""The table of a message's fields: the same whatever way a field came in, and however many there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.http1.headers import Headers

LIMIT = 18_000
NAMES = st.sampled_from(
    [b"Host", b"host", b"HOST", b"Expect", b"content-type", b"Content-Type", b"Content-Length", b"Set-Cookie"]
    + [b"X-%d" % number for number in range(40)]
)


def put(headers, name, value):
    line = b"before " + name + b" behind"
    headers.put(line, 7, 7 + len(name), value, LIMIT)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=4)), max_size=60))
def test_both_ways_in_make_the_same_table(fields):
    plain, careful = Headers(), Headers()
    for name, value in fields:
        put(plain, name, value)
        careful.add(name, value, LIMIT)
    assert plain.fields == careful.fields
    assert (plain.count, plain.repeated) == (careful.count, careful.repeated)
    for name, _ in fields:
        assert plain.get(name.lower()) == careful.get(name.lower()) is not None


@pytest.mark.parametrize("count", [3, 16, 17, 40])
def test_a_field_is_found_and_joined_among_few_and_many(count):
    headers = Headers()
    for number in range(count):
        put(headers, b"X-%d" % number, b"%d" % number)
    put(headers, b"x-1", b"again")
    assert headers.get(b"x-0") == b"0"
    assert headers.get(b"x-1") == b"1, again"
    assert headers.get(b"x-%d" % (count - 1)) == b"%d" % (count - 1)
    assert headers.get(b"x-%d" % count) is None
    assert headers.repeated == {b"x-1"}


@pytest.mark.parametrize("name", [b"Expecu", b"Hosu", b"hosT", b"content-lengtH"])
def test_a_name_that_looks_like_a_common_one_is_its_own(name):
    headers = Headers()
    put(headers, name, b"value")
    assert headers.fields == [(name, b"value")]
    assert headers.get(name.lower()) == b"value"
