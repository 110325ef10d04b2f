"""Augmentation, and windows of background."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scanwise.errors import ArgumentError
from scanwise.training import _background, background_windows, chain, clutter, shift

spaces = st.one_of(st.tuples(st.integers(3, 12)), st.tuples(st.integers(3, 9), st.integers(3, 9)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dots(batch: int, space: tuple[int, ...]) -> Tensor:
    """Return windows of two channels at level -1 with a dot in the middle."""
    x = torch.full((batch, 2, *space), -1.0)
    x[(..., *(extent // 2 for extent in space))] = 5.0
    return x


@given(spaces, st.integers(0, 2))
def test_a_shift_moves_the_pattern_by_no_more_than_it_may(space: tuple[int, ...], most: int) -> None:
    most = min(most, min(space) // 2 - 1)
    x = shift(most)(dots(20, space), generator())
    for axis, extent in enumerate(space):
        places = torch.nonzero(x[:, 0] == 5)[:, axis + 1]
        assert len(places) == 20
        assert (places - extent // 2).abs().max() <= most
    assert set(x.unique().tolist()) == {-1.0, 5.0}


def test_a_shift_reaches_every_offset() -> None:
    x = shift(2)(dots(400, (9, 9)), generator())
    seen = {tuple(place) for place in torch.nonzero(x[:, 0] == 5)[:, 1:].tolist()}
    assert seen == {(i, j) for i in range(2, 7) for j in range(2, 7)}


@pytest.mark.parametrize("augment", [shift(2), clutter(1.0), chain(shift(1), clutter(0.5))])
def test_an_augmentation_depends_on_its_generator_alone(augment: object) -> None:
    x = torch.randn(6, 1, 9, generator=generator(1))
    kept = x.clone()
    first, again, other = (augment(x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, kept)


@given(spaces)
def test_an_intruder_stays_away_from_the_middle(space: tuple[int, ...]) -> None:
    x = dots(30, space) * torch.arange(1, 31).reshape(-1, *(1 for _ in range(len(space) + 1)))
    out = clutter(1.0)(x, generator())
    middle = (..., *(extent // 2 for extent in space))
    assert torch.equal(out[middle], x[middle])


def test_clutter_leaves_the_other_share_as_it_was() -> None:
    x = torch.randn(200, 1, 16, generator=generator(1))
    assert torch.equal(clutter(0.0)(x, generator()), x)
    changed = (clutter(0.5)(x, generator()) != x).flatten(1).any(1).float().mean()
    assert 0.3 < changed < 0.6


@given(spaces, st.integers(0, 40))
def test_background_has_the_form_asked_for(space: tuple[int, ...], count: int) -> None:
    x = np.random.default_rng(0).normal(size=(5, 2, *space)).astype(np.float32)
    made = background_windows(x, count, np.random.default_rng(1))
    assert made.shape == (count, 2, *space)
    assert made.dtype == x.dtype
    assert np.isin(made[:, 0], x[:, 0]).all()


def test_no_pattern_stands_in_the_middle_of_a_background_window() -> None:
    x = dots(40, (12, 12))
    for make in (_background._off_centre, _background._join):
        made = make(x, generator())
        places = torch.nonzero(made[:, 0] == 5)[:, 1:]
        assert len(places) > 10
        assert ((places - 6).abs().amax(1) > 12 / 6).all()


def test_a_join_shows_two_patterns_one_window_apart() -> None:
    x = dots(200, (12,))
    places = torch.nonzero(_background._join(x, generator())[:, 0] == 5)
    for row in range(200):
        first, *rest = places[places[:, 0] == row, 1].tolist()
        assert all(place - first == 12 for place in rest)
    assert len(places) >= 200


def test_a_piece_is_no_more_than_half_of_the_pattern() -> None:
    x = torch.zeros(50, 1, 13, 13)
    x[:, :, 2:11, 2:11] = 1.0
    made = _background._piece(x, generator())
    areas = made.flatten(1).sum(1) / 81
    assert (areas > 0.05).all()
    assert (areas < 0.6).all()
    assert ((made == 0) | (made == x)).all()


def test_parts_in_disorder_are_parts_of_the_pattern() -> None:
    x = torch.randn(9, 1, 8, 8, generator=generator(1))
    made = _background._disorder(x, generator())
    assert torch.equal(made.flatten(1).sort(1).values, x.flatten(1).sort(1).values)
    assert not torch.equal(made, x)


def test_background_is_refused_without_patterns() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(
        ArgumentError, match=r"x must be windows of the shape \(n, channels, \*window\); got \(0, 1, 8\)"
    ):
        background_windows(np.zeros((0, 1, 8)), 3, rng)
    with pytest.raises(ArgumentError, match="count must be a whole number of at least 0; got -1"):
        background_windows(np.zeros((1, 1, 8)), -1, rng)


def test_augmentations_refuse_wrong_numbers() -> None:
    with pytest.raises(ArgumentError, match="most must be a whole number of at least 0; got -1"):
        shift(-1)
    with pytest.raises(ArgumentError, match=r"probability must be at least 0; got -0\.5"):
        clutter(-0.5)
    with pytest.raises(ArgumentError, match="probability must be at most 1; got 2"):
        clutter(2)
