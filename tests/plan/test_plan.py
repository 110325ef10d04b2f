"""Plans, checked with integers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.plan import Plan, Stage, memory_bytes, plan_scan, tiles


def chain(*layers: tuple[int, int]) -> list[Stage]:
    """Return the stages of convolutions with ``(kernel, step)`` each, 1 channel, behind an input."""
    stages = [Stage((), 1)]
    for kernel, step in layers:
        stages.append(Stage(((len(stages) - 1, (range(0, kernel * step, step),)),), 1, macs=kernel))
    return stages


def plan_of(stages: list[Stage], hop: int, window: int) -> Plan:
    return plan_scan(stages, [(len(stages) - 1, (0,))], (hop,), (window,))


LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4)


@given(LAYERS, st.integers(1, 30), st.integers(1, 5))
def test_every_position_an_output_needs_is_computed(layers: list[tuple[int, int]], hop: int, count: int) -> None:
    stages = chain(*layers)
    window = 1 + sum((k - 1) * d for k, d in layers)
    plan = plan_of(stages, hop, window)
    counts = (count,) if plan.shared else (1,)
    needed = {i * hop for i in range(counts[0])}
    for stage in range(len(stages) - 1, -1, -1):
        computed = set(plan.positions(stage, counts)[0])
        assert needed <= computed
        if stages[stage].reads:
            # What is computed beyond need still has its own inputs.
            needed = {p + tap for p in computed for tap in stages[stage].reads[0][1][0]}


@given(LAYERS, st.integers(1, 30))
def test_a_plan_never_does_more_work_than_the_windows_one_by_one(layers: list[tuple[int, int]], hop: int) -> None:
    stages = chain(*layers)
    window = 1 + sum((k - 1) * d for k, d in layers)
    alone = _plan_alone(layers)
    assert plan_of(stages, hop, window).macs_per_window <= 2 * alone
    if hop >= window:
        assert plan_of(stages, hop, window).macs_per_window <= alone


def _plan_alone(layers: list[tuple[int, int]]) -> int:
    """Count one window's work by listing the distinct positions of every layer."""
    positions, total = {0}, 0
    for kernel, step in reversed(layers):
        total += len(positions) * kernel
        positions = {p + t * step for p in positions for t in range(kernel)}
    return total


def test_a_dense_scan_computes_every_map_once_at_every_position() -> None:
    plan = plan_of(chain((5, 1), (2, 1), (3, 2)), hop=1, window=10)
    assert plan.shared
    assert plan.macs_per_window == 5 + 2 + 3


def test_residues_beat_the_common_divisor() -> None:
    """At hop 14 a last layer of two taps 4 apart needs 2 positions in 14, not the 7 that lie 2 apart."""
    stages = chain((9, 1), (2, 4))
    plan = plan_of(stages, hop=14, window=13)
    assert plan.needs[1] is not None
    assert plan.needs[1][0].residues == (0, 4)
    assert plan.macs_per_window == 2 * 9 + 2


@given(LAYERS, st.integers(1, 9), st.integers(100, 5000))
def test_a_tile_keeps_to_its_bound(layers: list[tuple[int, int]], hop: int, bound: int) -> None:
    plan = plan_of(chain(*layers), hop, 1 + sum((k - 1) * d for k, d in layers))
    tile = plan.tile(bound)
    assert tile == (1,) or plan.tile_values(tile) <= bound
    assert plan.tile_values((2 * tile[0],)) > bound


@given(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_tiles_cover_every_output_once(counts: tuple[int, int], tile: tuple[int, int]) -> None:
    seen = [(i, j) for (a, b), (c, d) in tiles(counts, tile) for i in range(a, b) for j in range(c, d)]
    assert sorted(seen) == [(i, j) for i in range(counts[0]) for j in range(counts[1])]


@pytest.mark.parametrize(
    ("text", "value"), [(5, 5), ("512MB", 512_000_000), ("2GiB", 2**31), ("1.5 k", 1500), ("64 Mi", 2**26), ("7b", 7)]
)
def test_amounts_of_memory_read_as_people_write_them(text: int | str, value: int) -> None:
    assert memory_bytes(text) == value


@pytest.mark.parametrize("text", ["", "lots", "-1MB", "0", 0, "1TBB"])
def test_other_amounts_are_refused(text: int | str) -> None:
    with pytest.raises(ArgumentError, match="max_memory must be a positive amount of bytes; got"):
        memory_bytes(text)
