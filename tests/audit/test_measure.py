"""Moving clips, and how far a map is from moving along, against obvious loops and known cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scanwise.audit._measure import accuracy, background, deviation, moved, shifted_accuracy, usual_shifts
from scanwise.nn import WindowNet

CLIPS = np.random.default_rng(0).normal(size=(3, 2, 5, 7)).astype(np.float32)


class Pick(nn.Module):
    """A map that is the input, times a gain of its own for every place."""

    def __init__(self, gain: torch.Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gain


class Middle(nn.Module):
    """Two scores of a signal: its middle sample, and the negative of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        middle = x[:, 0, x.shape[2] // 2]
        return torch.stack([middle, -middle], 1)


def net_of(embedding: nn.Module, head: nn.Module, *shape: int) -> WindowNet:
    return WindowNet(embedding, head, architecture="test", arguments={"window_shape": shape, "outputs": 2})


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("samples", [-9, -2, 0, 1, 6])
def test_moving_takes_each_sample_along_and_lets_background_in(axis: int, samples: int) -> None:
    expected = np.broadcast_to(background(CLIPS)[:, :, None, None], CLIPS.shape).copy()
    for place in np.ndindex(5, 7):
        to = list(place)
        to[axis] += samples
        if 0 <= to[axis] < (5, 7)[axis]:
            expected[:, :, to[0], to[1]] = CLIPS[:, :, place[0], place[1]]
    assert np.array_equal(moved(CLIPS, axis, samples), expected)


def test_background_is_the_median_of_the_border_of_each_clip_and_channel() -> None:
    x = np.full((2, 1, 5, 5), 100, np.float32)
    x[:, :, [0, 4]] = x[:, :, :, [0, 4]] = np.array([3, 4]).reshape(2, 1, 1, 1)
    assert background(x).tolist() == [[3], [4]]


def test_the_border_of_a_long_signal_is_more_than_two_samples() -> None:
    x = np.zeros((1, 1, 160), np.float32)
    x[0, 0, 0] = x[0, 0, -1] = 9  # two clicks among 20 samples of border
    assert background(x).tolist() == [[0]]


@pytest.mark.parametrize(
    ("space", "shifts"), [((28, 40), (1, 3, 5, 7)), ((8, 8), (1, 2)), ((2,), (1,)), ((128,), (8, 16, 24, 32))]
)
def test_usual_shifts_reach_to_a_quarter_of_the_shortest_axis(space: tuple[int, ...], shifts: tuple[int, ...]) -> None:
    assert usual_shifts(space) == shifts


def test_a_map_that_moves_along_deviates_by_nothing_whatever_comes_in() -> None:
    net = net_of(Pick(torch.tensor(2.0)), nn.Identity(), 2, 5, 7)
    assert deviation(net, CLIPS, (1, 1)) == 0


def test_the_deviation_is_the_relative_difference_where_both_maps_are() -> None:
    # Along one axis gains 1, 2, 4: positions 0 and 1 of the moved map against 1 and 2 of the still one.
    net = net_of(Pick(torch.tensor([1.0, 2.0, 4.0])), nn.Identity(), 1, 3)
    x = np.array([[[5.0, 3.0, 2.0]]], np.float32)
    still, gone = np.array([6.0, 8.0]), np.array([3.0, 4.0])
    expected = np.sqrt(np.square(gone - still).sum() / np.square(still).sum())
    assert deviation(net, x, (1,)) == pytest.approx(expected, rel=1e-6)


def test_an_axis_with_one_position_does_not_count() -> None:
    net = net_of(Pick(torch.tensor(1.0)), nn.Identity(), 1, 1, 6)
    assert deviation(net, np.ones((2, 1, 1, 6), np.float32), (1, 1)) == 0


def test_shifted_accuracy_is_the_mean_over_both_directions() -> None:
    net = net_of(nn.Sequential(Pick(torch.tensor(1.0)), Middle()), nn.Identity(), 1, 5)
    x = np.array([[[0, 1, 1, -1, 0]]], np.float32)  # the middle is right in place, and one to the right
    y = np.array([0])
    assert accuracy(net, x, y) == 1
    assert shifted_accuracy(net, x, y, 1) == 0.5
