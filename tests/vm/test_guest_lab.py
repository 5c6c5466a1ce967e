"""The lab itself: what runs in a guest, and how its end comes back."""

from __future__ import annotations

import sys

import inside_basics
import pytest
from guest_lab import Guest

pytestmark = pytest.mark.vm


def test_program_gives_output_and_status(guest: Guest) -> None:
    result = guest.run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert result.status == 3
    assert sorted(result.output.split()) == ["err", "out"]


def test_program_that_takes_too_long_is_ended(guest: Guest) -> None:
    assert guest.run("sleep", "1000", seconds=0.5).status == 124
    assert guest.run("pidof", "sleep").status == 1


def test_large_output_comes_whole(guest: Guest) -> None:
    result = guest.run(sys.executable, "-c", "print('x' * 3_000_000)")
    assert result.output == "x" * 3_000_000 + "\n"


def test_failure_of_a_body_is_a_failure_here(guest: Guest) -> None:
    with pytest.raises(AssertionError, match="ValueError: from inside"):
        guest.call(inside_basics.fail)


def test_body_that_takes_too_long_is_ended_with_all_it_started(guest: Guest) -> None:
    with pytest.raises(AssertionError, match="status 124"):
        guest.call(inside_basics.exceed, seconds=2.0)
    assert guest.run("pidof", "sleep").status == 1


def test_guest_is_another_kernel(guest: Guest) -> None:
    guest.call(inside_basics.another_kernel)


def test_guest_has_the_working_tree_and_its_libraries(guest: Guest) -> None:
    guest.call(inside_basics.tree_and_libraries)


@pytest.mark.parametrize("kind", ["bridge", "veth", "dummy"])
def test_kernel_loads_its_modules(guest: Guest, kind: str) -> None:
    guest.call(inside_basics.link_kind, kind=kind)


def test_what_a_guest_writes_stays_there(guest: Guest) -> None:
    guest.call(inside_basics.write)
    assert not inside_basics.WRITTEN.exists()
