"""Which address sets contain an address: the remembered answer is the one a walk over all sets gives."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.detect.addresses import MAX_KNOWN, AddressIndex, AddressMatcher
from appliance.rulelang.tree import AddressSet

SETS = (
    AddressSet(((4, 0x0A000000, 0x0AFFFFFF),)),
    AddressSet(((4, 0x0A000001, 0x0A000001), (6, 1, 5))),
    AddressSet(((4, 0, 0xFFFFFFFF),)),
    AddressSet(((6, 0, (1 << 128) - 1),)),
    AddressSet(((4, 0xC0A80000, 0xC0A8FFFF), (4, 0xC0A90000, 0xC0A90001))),
)
MATCHERS = [AddressMatcher(one) for one in SETS]
INDEX = AddressIndex([(one, number) for number, one in enumerate(SETS)])
FOUR = st.sampled_from(
    [0, 0x09FFFFFF, 0x0A000000, 0x0A000001, 0x0AFFFFFF, 0x0B000000, 0xC0A90001, 0xC0A90002]
)


@given(
    st.one_of(
        FOUR.map(lambda n: n.to_bytes(4, "big")), st.integers(0, 7).map(lambda n: n.to_bytes(16, "big"))
    )
)
def test_equals_a_walk(address):
    expected = tuple(number for number, one in enumerate(MATCHERS) if one.has(address))
    assert [INDEX.lookup(address) for _ in range(2)] == [expected] * 2


def test_memory_starts_anew():
    index = AddressIndex([(one, number) for number, one in enumerate(SETS)])
    for _ in range(2):
        for number in range(MAX_KNOWN + 10):
            address = (0x09FFF800 + number).to_bytes(4, "big")
            assert index.lookup(address) == tuple(n for n, one in enumerate(MATCHERS) if one.has(address))
