"""Augmentations of signals."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scanwise.errors import ArgumentError
from scanwise.training import Augmentation, gain, noise, tilt


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def signals(batch: int = 50, channels: int = 2, samples: int = 400, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(batch, channels, samples, generator=generator(1), dtype=dtype)


def decibels(ratio: Tensor) -> Tensor:
    return 20 * torch.log10(ratio)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("augment", [gain(10), noise(0, 20), tilt()], ids=["gain", "noise", "tilt"])
def test_an_augmentation_of_signals_depends_on_its_generator_alone(augment: Augmentation, dtype: torch.dtype) -> None:
    x = signals(dtype=dtype)
    kept = x.clone()
    first, again, other = (augment(x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, kept)
    assert (first.shape, first.dtype) == (x.shape, dtype)


def test_a_gain_is_one_number_of_decibels_for_a_window_evenly_within_its_bounds() -> None:
    x = signals(2000, 2, 3)
    ratios = gain(6)(x, generator()) / x
    torch.testing.assert_close(ratios, ratios[:, :1, :1].expand_as(x))
    levels = decibels(ratios[:, 0, 0]).sort().values
    torch.testing.assert_close(levels, torch.linspace(-6, 6, 2000), atol=0.5, rtol=0)
    assert levels.abs().max() < 6.001


def test_no_gain_changes_nothing() -> None:
    assert torch.equal(gain(0)(signals(), generator()), signals())


@pytest.mark.parametrize("ratio_db", [-5.0, 20.0])
def test_noise_has_its_level_below_each_channel_of_a_window_and_is_white(ratio_db: float) -> None:
    """Channels have units of their own, and stand at levels of their own."""
    loudness = torch.logspace(-0.3, 0.3, 20).reshape(-1, 1, 1)
    scales, offsets = torch.tensor([[1.0], [100.0], [50.0]]), torch.tensor([[0.0], [-1000.0], [1000.0]])
    x = (signals(20, 3, 4000, torch.float64) * loudness * scales + offsets).double()
    added = noise(ratio_db, ratio_db, probability=1)(x, generator()) - x
    got = decibels(x.std(dim=2) / added.std(dim=2))
    torch.testing.assert_close(got, torch.full_like(got, ratio_db), atol=0.5, rtol=0)
    white = added / added.std(dim=2, keepdim=True)
    for product in (white[..., 1:] * white[..., :-1], white[:, 0] * white[:, 1], white[1:] * white[:-1]):
        assert product.mean(dim=-1).abs().max() < 0.08


def test_signal_to_noise_ratios_are_even_within_their_bounds() -> None:
    x = signals(300, 1, 4000)
    added = noise(0, 20, probability=1)(x, generator()) - x
    got = decibels(x.std(dim=2) / added.std(dim=2))[:, 0].sort().values
    torch.testing.assert_close(got, torch.linspace(0, 20, 300), atol=1.5, rtol=0)


def test_the_other_share_of_the_windows_gets_no_noise() -> None:
    x = signals(400, 1, 20)
    changed = (noise(0, 20)(x, generator()) != x).any(dim=2)
    assert 0.4 < changed.float().mean() < 0.6
    assert torch.equal(noise(0, 20, probability=0)(x, generator()), x)
    assert (noise(0, 20, probability=1)(x, generator()) != x).any(dim=2).all()


def test_a_nearly_silent_window_borrows_the_noise_of_another() -> None:
    x = signals(60, 1, 2000)
    x[:20] *= 1e-4
    x[:10] = 0.3
    added = (noise(0, 0, probability=1)(x, generator()) - x).std(dim=2)[:, 0]
    torch.testing.assert_close(added[20:], torch.ones(40), atol=0.1, rtol=0)
    borrowed = added[:20] > 0.5
    assert 8 <= borrowed.sum() <= 19
    assert (added[:20][~borrowed] < 1e-3).all()
    torch.testing.assert_close(added[:20][borrowed], torch.ones(int(borrowed.sum())), atol=0.1, rtol=0)


def test_a_quiet_window_among_loud_ones_keeps_to_its_own_level() -> None:
    x = signals(60, 1, 2000)
    x[:20] *= 0.3
    added = (noise(0, 0, probability=1)(x, generator()) - x).std(dim=2)[:, 0]
    torch.testing.assert_close(added[:20], torch.full((20,), 0.3), atol=0.05, rtol=0)


def test_silence_alone_stays_silent() -> None:
    x = torch.zeros(5, 2, 8)
    assert torch.equal(noise(0, 0, probability=1)(x, generator()), x)


def test_a_tilt_adds_a_share_of_the_sample_before() -> None:
    x = signals(2000, 2, 5, torch.float64)
    change = tilt(0.3)(x, generator()) - x
    before = torch.cat([x[..., :1], x[..., :-1]], dim=2)
    share = (change * before).sum(dim=(1, 2), keepdim=True) / (before**2).sum(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(change, share * before)
    torch.testing.assert_close(
        share.flatten().sort().values, torch.linspace(-0.3, 0.3, 2000, dtype=x.dtype), atol=0.03, rtol=0
    )
    assert share.abs().max() <= 0.3


def test_the_default_tilt_raises_the_highest_tone_against_the_lowest_by_up_to_5_decibels() -> None:
    low, high = torch.ones(8), torch.tensor([1.0, -1.0] * 4)
    y = tilt()(torch.stack([low, high]).expand(3000, 2, 8), generator())
    lift = decibels(y[:, 1, 2] / y[:, 0, 2])
    assert lift.max().item() == pytest.approx(5.4, abs=0.1)
    assert lift.min().item() == pytest.approx(-5.4, abs=0.1)


@pytest.mark.parametrize(
    ("make", "arguments", "text"),
    [
        (gain, (-1,), "most_db must be at least 0; got -1"),
        (gain, (math.inf,), "most_db must be a finite number; got inf"),
        (noise, (math.nan, 20), "least_db must be a finite number; got nan"),
        (noise, (20, 0), "most_db must be at least 20; got 0"),
        (noise, (0, 20, 1.5), r"probability must be at most 1; got 1\.5"),
        (noise, (0, 20, -1), "probability must be at least 0; got -1"),
        (tilt, (-0.1,), r"most must be at least 0; got -0\.1"),
        (tilt, (2,), "most must be at most 1; got 2"),
    ],
)
def test_wrong_arguments_of_an_augmentation_of_signals_are_refused(
    make: Callable[..., Augmentation], arguments: tuple[float, ...], text: str
) -> None:
    with pytest.raises(ArgumentError, match=text):
        make(*arguments)
