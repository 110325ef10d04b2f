"""Augmentations of signals: other recordings of the same thing.

As all augmentations, they map ``(batch, channels, samples)`` to the same shape, drawing from the generator alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scanwise._checks import real, share
from scanwise.training._augment import Augmentation

_SILENT = 0.2
"""Share of the batch's median deviation below which nearly nothing is to be heard."""


def gain(most_db: float) -> Augmentation:
    """Return the augmentation that makes each window louder or softer by up to `most_db` decibels.

    Examples
    --------
    >>> x = gain(6)(torch.ones(2, 1, 4), torch.Generator().manual_seed(0))
    >>> bool(((x > 0.5) & (x < 2)).all())
    True
    """
    real("most_db", most_db, least=0)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        return x * 10 ** (_between(-most_db, most_db, x, generator) / 20)

    return apply


def noise(least_db: float, most_db: float, probability: float = 0.5) -> Augmentation:
    """Return the augmentation that adds white noise to some windows.

    Parameters
    ----------
    least_db, most_db : float
        Signal-to-noise ratio, drawn evenly between them: by how many decibels the window's own deviation, in each
        channel, stands above that of the noise. One in which nearly nothing is to be heard is given the noise of
        another window.
    probability : float
        Share of the windows that get noise.

    Examples
    --------
    >>> noise(0, 20)(torch.zeros(2, 1, 4), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 4])
    """
    real("least_db", least_db)
    real("most_db", most_db, least=least_db)
    share("probability", probability)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        level = x.std(dim=2, keepdim=True, correction=0)
        borrowed = level[torch.randperm(len(x), generator=generator)]
        level = torch.where(level > _SILENT * level.median(dim=0).values, level, borrowed)
        level = level * 10 ** (-_between(least_db, most_db, x, generator) / 20)
        chosen = torch.rand(len(x), 1, 1, generator=generator) < probability
        return x + chosen * level * torch.randn(x.shape, generator=generator, dtype=x.dtype)

    return apply


def tilt(most: float = 0.3) -> Augmentation:
    """Return the augmentation that raises high tones against low ones, or the other way round.

    As another microphone or another room would: ``y[t] = x[t] + a * x[t - 1]`` with `a` drawn evenly from
    ``[-most, most]``. At 0.3 the highest and the lowest tone gain up to 5.4 dB on each other.

    Examples
    --------
    >>> tilt()(torch.ones(2, 1, 4), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 4])
    """
    share("most", most)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        before = torch.cat([x[..., :1], x[..., :-1]], dim=-1)
        return x + _between(-most, most, x, generator) * before

    return apply


def _between(low: float, high: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return a number for each window, drawn evenly, ``(batch, 1, 1)``."""
    return low + (high - low) * torch.rand(len(x), 1, 1, generator=generator, dtype=x.dtype)
