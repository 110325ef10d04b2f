"""Composing windows out of windows: what augmentation and background are made of.

All work on whole batches ``(batch, channels, *window)``, 1-D and 2-D in one body. What has to be filled in
is drawn from each window's own border, so that level and noise of the background stay what they were.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor


def border(x: Tensor) -> Tensor:
    """Return the outermost samples of each window, ``(batch, channels, samples)``."""
    edge = torch.zeros(x.shape[2:], dtype=torch.bool)
    for axis in range(edge.ndim):
        edge.select(axis, 0).fill_(True)
        edge.select(axis, -1).fill_(True)
    return x[..., edge]


def ground(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows of background alone: every sample is drawn from the border of its own window."""
    edge = border(x)
    draw = torch.randint(edge.shape[-1], (len(x), 1, math.prod(x.shape[2:])), generator=generator)
    return edge.gather(-1, draw.expand(-1, x.shape[1], -1)).reshape(x.shape)


def taken(x: Tensor, indices: list[Tensor]) -> Tensor:
    """Return ``x[b, :, indices[0][b], indices[1][b]]``: other samples per window, the same in all channels.

    ``indices`` has a tensor ``(batch, extent)`` for each axis of the window.
    """
    for axis, index in enumerate(indices, start=2):
        x = torch.take_along_dim(x, _along(index, axis, x.ndim), dim=axis)
    return x


def _along(values: Tensor, axis: int, ndim: int) -> Tensor:
    """Return ``(batch, extent)`` with its second axis as number `axis` of `ndim`."""
    return values.reshape(len(values), *(values.shape[1] if dim == axis else 1 for dim in range(1, ndim)))


def moved(x: Tensor, offsets: Tensor, fill: Tensor) -> Tensor:
    """Return each window's content moved by its row of `offsets` ``(batch, axes)``, onto `fill`."""
    indices, visible = [], []
    for axis, extent in enumerate(x.shape[2:]):
        index = torch.arange(extent) - offsets[:, axis, None]
        visible.append(_along((index >= 0) & (index < extent), axis + 2, x.ndim))
        indices.append(index.clamp(0, extent - 1))
    return torch.where(reduce(torch.logical_and, visible), taken(x, indices), fill)


def aside(x: Tensor, least: float, most: float, generator: torch.Generator) -> Tensor:
    """Return offsets ``(batch, axes)`` that take each window's middle away from its place.

    Along one axis, drawn at random, by more than `least` and less than `most` of the extent to either side;
    along the others by up to half of it.
    """
    extents = torch.tensor(x.shape[2:])
    count, axes = len(x), len(extents)
    low = (least * extents).floor() + 1
    high = ((most * extents).ceil() - 1).clamp(min=low)
    away = low + (torch.rand(count, axes, generator=generator) * (high - low + 1)).floor()
    sign = 1 - 2 * torch.randint(2, (count, axes), generator=generator)
    around = (torch.rand(count, axes, generator=generator) - 0.5) * extents
    chosen = torch.randint(axes, (count, 1), generator=generator)
    return torch.where(torch.arange(axes) == chosen, sign * away, around).long()


def overlaid(x: Tensor, other: Tensor) -> Tensor:
    """Return, sample by sample, the window that stands out more from its own background."""
    return torch.where(_salience(x) >= _salience(other), x, other)


def _salience(x: Tensor) -> Tensor:
    """Return each sample's distance from the median of the border, ``(batch, 1, *window)``."""
    level = border(x).median(-1).values
    return (x - level.reshape(*level.shape, *(1 for _ in x.shape[2:]))).abs().sum(1, keepdim=True)
