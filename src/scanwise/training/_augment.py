"""Seeded augmentations: other windows that mean the same.

An augmentation maps a batch ``(batch, channels, *window)`` and a generator to a batch of the same shape. It
draws from that generator alone, and works on the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from scanwise._checks import share, whole
from scanwise.training._compose import aside, ground, moved, overlaid

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def chain(*augmentations: Augmentation) -> Augmentation:
    """Return the augmentation that applies each of `augmentations` in turn."""

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        for augmentation in augmentations:
            x = augmentation(x, generator)
        return x

    return apply


def shift(most: int) -> Augmentation:
    """Return the augmentation that moves each window's content by up to `most` samples per axis.

    What moves in is drawn from the window's border. A scan looks at every position, so a pattern that is
    off by little is still the pattern: small shifts are sound wherever a network is to scan.

    Examples
    --------
    >>> shift(1)(torch.zeros(2, 1, 6), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 6])
    """
    whole("most", most, least=0)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        offsets = torch.randint(-most, most + 1, (len(x), x.ndim - 2), generator=generator)
        return moved(x, offsets, ground(x, generator))

    return apply


def clutter(probability: float = 0.5) -> Augmentation:
    """Return the augmentation that lets another window of the batch intrude from the side.

    The other one is moved by more than half an extent along one axis, so what shows of it is a fragment at
    the edge, as when patterns stand close together. Of the two, the one that stands out more is seen.

    Parameters
    ----------
    probability : float
        Share of the windows that get an intruder.

    Examples
    --------
    >>> clutter()(torch.zeros(2, 1, 6), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 6])
    """
    share("probability", probability)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        other = x[torch.randperm(len(x), generator=generator)]
        offsets = aside(x, 0.5, 0.8, generator)
        both = overlaid(x, moved(other, offsets, ground(other, generator)))
        chosen = torch.rand(len(x), generator=generator) < probability
        return torch.where(chosen.reshape(-1, *(1 for _ in x.shape[1:])), both, x)

    return apply
