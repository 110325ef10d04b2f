"""Windows cut from recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.training import Cuts


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cuts(recordings: list[np.ndarray], rows: list[tuple[int, int, int]], window: int) -> Cuts:
    """Return cuts of (recording, first, last), the row's number their target."""
    source, first, last = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Cuts(recordings, source, first, last, np.arange(len(rows)), window)


def slices(recording: np.ndarray, first: int, last: int, window: int) -> list[np.ndarray]:
    """Return the windows that begin from `first` to `last`, sliced from a recording far longer than all of them."""
    far = abs(first) + abs(last) + window
    level = np.median(recording, axis=1, keepdims=True).repeat(far, axis=1).astype(recording.dtype)
    around = np.concatenate([level, recording, level], axis=1)
    return [around[:, far + start : far + start + window] for start in range(first, last + 1)]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(-25, 25), st.integers(0, 4)), min_size=1, max_size=6),
    st.integers(1, 9),
    st.sampled_from([np.float32, np.float64]),
)
def test_a_drawn_window_is_a_slice_that_begins_in_its_range(
    lengths: list[int], channels: int, ranges: list[tuple[int, int, int]], window: int, dtype: type
) -> None:
    rng = np.random.default_rng(0)
    recordings = [rng.normal(size=(channels, length)).astype(dtype) for length in lengths]
    rows = [(number % len(lengths), first, first + span) for number, first, span in ranges]
    drawn = cuts(recordings, rows, window).draw(torch.arange(len(rows)), generator()).numpy()
    assert drawn.shape == (len(rows), channels, window)
    assert drawn.dtype == dtype
    for got, (number, first, last) in zip(drawn, rows, strict=True):
        assert any(np.array_equal(got, possible) for possible in slices(recordings[number], first, last, window))


@given(st.integers(-6, 20), st.integers(0, 5))
def test_every_start_of_a_range_is_drawn_alike(first: int, span: int) -> None:
    ramp = np.arange(40.0)[None]  # the median is no sample's value, so a window tells where it begins
    rows = torch.zeros(400 * (span + 1), dtype=torch.int64)
    drawn = cuts([ramp], [(0, first, first + span)], 9).draw(rows, generator())
    starts, counts = np.unique(drawn[:, 0, 8].numpy() - 8, return_counts=True)
    assert starts.tolist() == list(range(first, first + span + 1))
    assert (np.abs(counts - 400) < 100).all()


@pytest.mark.parametrize("start", [-100, -4, 10, 100])
def test_outside_its_recording_a_window_shows_the_median_of_each_channel(start: int) -> None:
    recording = np.stack([np.arange(10), np.arange(10) ** 2]).astype(np.float32)
    drawn = cuts([recording], [(0, start, start)], 4).draw(torch.tensor([0]), generator())
    assert torch.equal(drawn, torch.tensor([[[4.5] * 4, [20.5] * 4]]))


def test_examples_come_in_the_order_asked_for_and_are_copies() -> None:
    recordings = [np.full((1, 5), float(number)) for number in range(3)]
    drawn = cuts(recordings, [(number, 1, 1) for number in (2, 0, 1)], 3).draw(torch.tensor([1, 2, 0, 0]), generator())
    assert drawn[:, 0, 0].tolist() == [0, 1, 2, 2]
    drawn += 1
    assert [recording[0, 1] for recording in recordings] == [0, 1, 2]


def test_starts_depend_on_the_generator_alone() -> None:
    examples = cuts([np.random.default_rng(0).normal(size=(1, 500))], [(0, 0, 490)] * 5, 4)
    first, again, other = (examples.draw(torch.arange(5), generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_cuts_are_counted() -> None:
    assert len(cuts([np.zeros((1, 5))], [(0, 0, 1)] * 7, 2)) == 7


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"y": np.zeros(3)}, r"source, first, last and y must have one length; got \[2, 3\]"),
        ({"source": np.array([0, 2])}, "source must be below 2, the number of recordings, and not negative; got 2"),
        ({"source": np.array([-1, 0])}, "source must be below 2, .* got -1"),
        ({"last": np.array([5, 2])}, "first must be at most last; got 3 and 2"),
    ],
)
def test_wrong_cuts_are_refused(change: dict[str, Any], text: str) -> None:
    arguments = {"source": np.array([0, 1]), "first": np.array([3, 3]), "last": np.array([3, 4]), "y": np.zeros(2)}
    with pytest.raises(ArgumentError, match=text):
        Cuts([np.zeros((1, 9))] * 2, **(arguments | change), window=4)
