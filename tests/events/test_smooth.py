"""A mean over neighbours that depends on these neighbours alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scanwise.errors import ArgumentError
from scanwise.events import smooth

SCORES = arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(0, 40)), elements=st.floats(-1e6, 1e6, width=32))
WIDTHS = st.sampled_from([3, 5, 9, 21, 101])


def slow_smooth(scores, width):
    """The definition: one position after the other, each summed from its first neighbour to its last."""
    out = np.empty(scores.shape, dtype=np.float32)
    for k, row in enumerate(scores.tolist()):
        for p in range(len(row)):
            near = row[max(0, p - width // 2) : p + width // 2 + 1]
            total = 0.0
            for score in near:
                total += score
            out[k, p] = total / len(near)
    return out


@given(SCORES, WIDTHS)
def test_each_position_gets_the_mean_of_those_around_it_bit_for_bit(scores, width):
    out = smooth(scores, width)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, slow_smooth(scores, width))


@given(SCORES, st.sampled_from([3, 5, 9]), st.data())
def test_a_part_gives_what_the_whole_gives_bit_for_bit(scores, width, data):
    positions, reach = scores.shape[1], width // 2
    first = data.draw(st.integers(0, positions))
    last = data.draw(st.integers(first, positions))
    inner = slice(first + (reach if first else 0), last - (reach if last < positions else 0))
    if inner.stop <= inner.start:
        return
    part = smooth(scores[:, first:last], width)[:, inner.start - first : inner.stop - first]
    np.testing.assert_array_equal(part, smooth(scores, width)[:, inner])


def test_a_spike_far_larger_than_the_rest_leaves_no_trace_behind_it():
    scores = np.full((1, 1000), 0.1, dtype=np.float32)
    scores[0, 500] = 1e30
    out = smooth(scores, 5)
    assert (out[0, :498] == np.float32(0.1)).all()
    assert (out[0, 503:] == np.float32(0.1)).all()


def test_sums_are_taken_in_the_order_of_the_positions():
    assert smooth(np.array([[1e16, -1e16, 1.0]]), 3)[0, 1] == np.float32(1 / 3)
    assert smooth(np.array([[1.0, 1e16, -1e16]]), 3)[0, 1] == 0


def test_a_width_of_one_returns_the_scores_unchanged():
    scores = np.array([[0.1, 0.7]])
    assert smooth(scores, 1) is scores


def test_the_scores_that_are_given_stay_as_they_are():
    scores = np.arange(6, dtype=np.float32).reshape(2, 3)
    smooth(scores, 3)
    np.testing.assert_array_equal(scores, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("scores", "width", "text"),
    [
        (np.zeros((2, 3, 4)), 3, r"scores must be \(classes, positions\); got shape \(2, 3, 4\). Smooth signals only"),
        (np.zeros((2, 3)), 4, "width must be odd, to have a middle; got 4. Take 3 or 5"),
        (np.zeros((2, 3)), 0, "width must be a whole number of at least 1; got 0"),
        (np.zeros((2, 3)), 1.5, "width must be a whole number of at least 1; got 1.5"),
    ],
)
def test_wrong_arguments_are_named(scores, width, text):
    with pytest.raises(ArgumentError, match=text):
        smooth(scores, width)
