"""Periodic sets of positions agree with the sets they describe."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.geometry import Lattice

PERIODS = st.integers(1, 24)
POSITIONS = st.lists(st.integers(-60, 60), max_size=8)


def members(period: int, positions: list[int], start: int = -80, stop: int = 80) -> list[int]:
    """List a periodic set by its definition."""
    return [p for p in range(start, stop) if any((p - q) % period == 0 for q in positions)]


@given(PERIODS, POSITIONS)
def test_a_lattice_holds_exactly_the_repeated_positions(period: int, positions: list[int]) -> None:
    lattice = Lattice.of(period, positions)
    assert [p for p in range(-80, 80) if p in lattice] == members(period, positions)
    assert list(lattice.within(-80, 80)) == members(period, positions)


@given(PERIODS, POSITIONS, st.integers(1, 4))
def test_equal_sets_are_equal_lattices(period: int, positions: list[int], times: int) -> None:
    repeated = [p + period * i for p in positions for i in range(times)]
    assert Lattice.of(period * times, repeated) == Lattice.of(period, positions)


@given(PERIODS, POSITIONS, PERIODS, POSITIONS)
def test_the_join_is_the_union(p: int, first: list[int], q: int, second: list[int]) -> None:
    joined = Lattice.of(p, first).join(Lattice.of(q, second))
    assert list(joined.within(-80, 80)) == sorted({*members(p, first), *members(q, second)})


@given(PERIODS, POSITIONS, POSITIONS)
def test_adding_offsets_is_the_set_of_all_sums(period: int, positions: list[int], offsets: list[int]) -> None:
    moved = Lattice.of(period, positions).plus(offsets, period)
    assert moved == Lattice.of(period, [p + o for p in positions for o in offsets])


@given(PERIODS, POSITIONS)
def test_the_regular_hull_is_equally_spaced_and_holds_the_set(period: int, positions: list[int]) -> None:
    lattice = Lattice.of(period, positions)
    hull = lattice.regularised()
    held = list(hull.within(-80, 80))
    assert set(members(period, positions)) <= set(held)
    assert len({b - a for a, b in pairwise(held)}) <= 1
    assert hull.density >= lattice.density


def test_a_period_below_one_is_refused() -> None:
    with pytest.raises(ArgumentError, match="period must be at least 1; got 0"):
        Lattice.of(0, [1])
