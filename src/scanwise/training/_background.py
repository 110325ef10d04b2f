"""Windows that hold no pattern, made from windows that do.

A network that has only ever seen patterns names one everywhere. Background as a class of its own is what
lets it say that here is none, and it has to be shown the hard cases: patterns beside the centre, pieces of
patterns, and two of them meeting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.training._compose import aside, ground, moved, overlaid, taken

_OFF = 1 / 6
"""Share of the window's extent by which a pattern is off-centre, at the least, where it is background.

Small, because what lies between a pattern and background has no label, and a wrong class may answer there.
"""


def background_windows(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return windows that hold no pattern in their middle.

    Of every twenty, seven have one pattern off-centre by more than a sixth of the window, five stand where
    two patterns join, four hold a piece of one, two its parts in disorder, and two nothing at all.

    Parameters
    ----------
    x : ndarray
        ``(n, channels, *window)``, patterns in the middle of their windows.
    count : int
        How many to make.
    rng : numpy.random.Generator
        Draws which windows, and how.

    Returns
    -------
    ndarray
        ``(count, channels, *window)`` of the type of `x`.

    Raises
    ------
    ArgumentError
        If `x` is not a batch of windows, or `count` is negative.

    Examples
    --------
    >>> x = np.zeros((3, 1, 8, 8), np.float32)
    >>> background_windows(x, 5, np.random.default_rng(0)).shape
    (5, 1, 8, 8)
    """
    patterns = torch.as_tensor(np.asarray(x))
    if patterns.ndim not in (3, 4) or not len(patterns):
        raise ArgumentError(
            f"x must be windows of the shape (n, channels, *window); got {tuple(patterns.shape)}. Give at least one."
        )
    whole("count", count, least=0)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    shares = torch.tensor([share for share, _ in _KINDS])
    which = torch.repeat_interleave(torch.arange(len(_KINDS)), shares)
    which = which[torch.randint(len(which), (count,), generator=generator)]
    result = patterns.new_empty(count, *patterns.shape[1:])
    for kind, (_, make) in enumerate(_KINDS):
        rows = torch.nonzero(which == kind).flatten()
        drawn = patterns[torch.randint(len(patterns), (len(rows),), generator=generator)]
        result[rows] = make(drawn, generator)
    return result.numpy()


def _at(x: Tensor, offsets: Tensor, generator: torch.Generator) -> Tensor:
    return moved(x, offsets, ground(x, generator))


def _off_centre(x: Tensor, generator: torch.Generator) -> Tensor:
    return _at(x, aside(x, _OFF, 1 - _OFF, generator), generator)


def _join(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows between two patterns that stand one window apart along one axis."""
    extents = torch.tensor(x.shape[2:])
    offsets = aside(x, _OFF, 1 - _OFF, generator)
    axis = (offsets.abs() / extents).argmax(1, keepdim=True)
    step = torch.zeros_like(offsets).scatter(1, axis, extents[axis])
    other = x[torch.randperm(len(x), generator=generator)]
    return overlaid(_at(x, offsets, generator), _at(other, offsets - step * offsets.sign(), generator))


def _piece(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return what is left on one side of a straight cut near the middle."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, extent) for extent in x.shape[2:]), indexing="ij")
    direction = torch.nn.functional.normalize(torch.randn(len(x), len(axes), generator=generator))
    cut = 0.2 * torch.rand(len(x), generator=generator)
    along = torch.einsum("ba,a...->b...", direction, torch.stack(axes))
    kept = along > cut.reshape(-1, *(1 for _ in axes))
    return torch.where(kept[:, None], x, ground(x, generator))


def _disorder(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows cut into blocks a quarter of the extent wide, rows and columns of blocks exchanged."""
    indices = []
    for extent in x.shape[2:]:
        block = max(extent // 4, 1)
        order = torch.rand(len(x), -(-extent // block), generator=generator).argsort(1)
        place = torch.arange(extent)
        indices.append((order[:, place // block] * block + place % block).clamp(max=extent - 1))
    return taken(x, indices)


_KINDS: tuple[tuple[int, Callable[[Tensor, torch.Generator], Tensor]], ...] = (
    (7, _off_centre),
    (5, _join),
    (4, _piece),
    (2, _disorder),
    (2, ground),
)
"""How many of every twenty windows are made how."""
