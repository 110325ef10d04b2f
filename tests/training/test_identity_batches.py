"""Batches that hold several examples of each identity in them, as a pure function of seed, epoch and index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.training._identity_batches import IdentityBatches


@st.composite
def drawn(draw: st.DrawFn) -> IdentityBatches:
    """Identities with few examples and with many, in any order; numbers have gaps."""
    counts = draw(st.lists(st.integers(1, 20), min_size=1, max_size=8))
    identities = np.repeat(3 * np.arange(len(counts)), counts)
    group = draw(st.integers(2, 5))
    shuffled = np.random.default_rng(draw(st.integers(0, 9))).permutation(identities)
    return IdentityBatches(shuffled, draw(st.integers(2 * group, 40)), draw(st.integers(0, 2**40)), group)


def epoch(batches: IdentityBatches, number: int) -> list[np.ndarray]:
    return [batches.indices(number, index) for index in range(len(batches))]


def identities(batches: IdentityBatches, number: int = 0) -> list[list[int]]:
    """Whom each batch of an epoch shows."""
    return [batches.identities[rows].tolist() for rows in epoch(batches, number)]


@given(drawn(), st.integers(0, 5))
def test_an_epoch_shows_every_example_once(batches: IdentityBatches, number: int) -> None:
    shown = np.concatenate(epoch(batches, number))
    assert shown.dtype == np.int64
    assert sorted(shown) == list(range(len(batches.identities)))


@given(drawn(), st.integers(0, 5))
def test_whoever_is_in_a_batch_is_there_with_a_group_or_with_all_there_is(
    batches: IdentityBatches, number: int
) -> None:
    everyone = batches.identities.tolist()
    for shown in identities(batches, number):
        assert shown
        for identity in set(shown):
            assert shown.count(identity) >= min(batches.group, everyone.count(identity))


def test_a_group_is_one_example_short_of_two_groups_at_most() -> None:
    """Of seven, a group of four would leave three over."""
    for count, wanted in [(7, [7]), (8, [4, 4]), (11, [5, 6]), (3, [3])]:
        batches = IdentityBatches(np.concatenate([np.zeros(count, int), np.arange(1, 400)]), 8, 0)
        shown = [batch.count(0) for batch in identities(batches) if 0 in batch]
        assert sorted(shown) == wanted


def test_batches_are_of_their_size_where_groups_fill_it() -> None:
    people = np.repeat(np.arange(30), 8)
    for size in (48, 50, 59):
        assert [len(shown) for shown in epoch(IdentityBatches(people, size, 0), 1)] == [48] * 5
    assert len(IdentityBatches(people, 47, 0)) == 6


def test_where_groups_do_not_fill_them_batches_are_about_of_their_size() -> None:
    counts = np.random.default_rng(0).integers(1, 40, size=60)
    sizes = [len(shown) for shown in epoch(IdentityBatches(np.repeat(np.arange(60), counts), 64, 0), 0)]
    assert 0.8 * 64 < np.mean(sizes) <= 64
    assert min(sizes) > 32
    assert max(sizes) < 96


def test_a_batch_holds_two_identities_at_least() -> None:
    """With one alone, nothing is to be told apart."""
    for each in (4, 5, 7):
        batches = IdentityBatches(np.repeat(np.arange(20), each), 8, 0)
        assert min(len(set(shown)) for shown in identities(batches)) >= 2


def test_one_batch_is_enough_for_fewer_examples_than_its_size() -> None:
    batches = IdentityBatches(np.array([1, 0, 1, 2, 0]), 8, 0)
    assert len(batches) == 1
    assert sorted(batches.indices(4, 0).tolist()) == list(range(5))


def test_a_batch_depends_on_seed_epoch_and_index_alone() -> None:
    people = np.arange(60) % 5
    batches = IdentityBatches(people, 16, 1)
    expected = batches.indices(3, 2).copy()
    for number in range(9):
        batches.indices(number, 0)
    assert np.array_equal(IdentityBatches(people.copy(), 16, 1).indices(3, 2), expected)
    others = [IdentityBatches(people, 16, 2).indices(3, 2), batches.indices(4, 2), batches.indices(3, 1)]
    assert not any(np.array_equal(other, expected) for other in others)


def test_who_stands_together_is_drawn_anew_every_epoch() -> None:
    batches = IdentityBatches(np.repeat(np.arange(40), 8), 8, 0)
    groups = set()
    for number in range(10):
        groups |= {frozenset(rows[rows < 8].tolist()) for rows in epoch(batches, number) if (rows < 8).sum() == 4}
    assert len(groups) > 10


def test_batches_differ_in_whom_they_show() -> None:
    """Groups of one identity are spread, not in the order of their numbers."""
    shown = identities(IdentityBatches(np.repeat(np.arange(20), 20), 40, 0))
    assert all(len(set(batch)) > 4 for batch in shown)
    assert all(max(batch) - min(batch) > 8 for batch in shown)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": 7}, r"batch must be at least 8, two groups of 4 examples, .*; got 7\. Enlarge it"),
        ({"group": 6}, r"batch must be at least 12, two groups of 6 examples, .*; got 8"),
        ({"size": 8.0}, r"batch must be a whole number of at least 1; got 8\.0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"group": 1}, "group must be a whole number of at least 2; got 1"),
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any], text: str) -> None:
    arguments: dict[str, Any] = {"identities": np.zeros(20, int), "size": 8, "seed": 0} | change
    with pytest.raises(ArgumentError, match=text):
        IdentityBatches(**arguments)
