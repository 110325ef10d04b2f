"""Batches as a pure function of seed, epoch and index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.training import Batches

drawn = st.builds(Batches, count=st.integers(1, 70), size=st.integers(1, 20), seed=st.integers(0, 2**40))


@given(drawn, st.integers(0, 5))
def test_an_epoch_shows_every_example_once(batches: Batches, epoch: int) -> None:
    shown = np.concatenate([batches.indices(epoch, i) for i in range(len(batches))])
    assert sorted(shown) == list(range(batches.count))


@given(drawn)
def test_batches_differ_in_size_by_one_at_most(batches: Batches) -> None:
    sizes = [len(batches.indices(0, i)) for i in range(len(batches))]
    assert max(sizes) <= batches.size
    assert max(sizes) - min(sizes) <= 1


def test_a_batch_depends_on_seed_epoch_and_index_alone() -> None:
    batches = Batches(count=50, size=8, seed=1)
    expected = batches.indices(3, 2).copy()
    for epoch in range(9):
        batches.indices(epoch, 0)
    assert np.array_equal(Batches(50, 8, 1).indices(3, 2), expected)
    others = [Batches(50, 8, 2).indices(3, 2), batches.indices(4, 2), batches.indices(3, 1)]
    assert not any(np.array_equal(other, expected) for other in others)


def test_the_order_does_not_depend_on_the_size_of_the_batches() -> None:
    whole = Batches(12, 12, 0).indices(1, 0)
    assert np.array_equal(np.concatenate([Batches(12, 5, 0).indices(1, i) for i in range(3)]), whole)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((0, 1, 0), "count must be a whole"), ((5, 0, 0), "batch must be"), ((5, 1, -1), "seed must")],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[int, int, int], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        Batches(*arguments)
