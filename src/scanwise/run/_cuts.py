"""Pieces of an input, cut out of it as it lies in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ._arguments import as_tensor


def sharable(x: np.ndarray | torch.Tensor) -> np.ndarray | torch.Tensor:
    """Return an array as a tensor that shares its memory; as it is if torch can only read copies of its pieces."""
    if isinstance(x, torch.Tensor):
        return x
    as_it_is = x.flags.c_contiguous and x.flags.writeable and x.dtype.isnative and x.dtype.itemsize <= 8
    return as_tensor(x) if as_it_is else x


def cut(
    x: np.ndarray | torch.Tensor,
    items: slice,
    reads: Sequence[tuple[int, int]],
    convert: Callable[[np.ndarray | torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Return ``convert(x[items, :, start:stop])``, with zeros where ``[start, stop)`` lies outside the input.

    Parameters
    ----------
    x
        ``(batch, channels, *space)``.
    items
        Of the batch.
    reads
        Start and stop per axis.
    convert
        Makes a tensor of what lies inside; zeros are added to its result.
    """
    sizes = x.shape[2:]
    inside = tuple(slice(min(max(a, 0), size), min(max(b, 0), size)) for (a, b), size in zip(reads, sizes, strict=True))
    region = convert(x[(items, slice(None), *inside)])
    widths: list[int] = []
    for (a, b), size in reversed(list(zip(reads, sizes, strict=True))):
        widths += [max(0, min(0, b) - a), max(0, b - max(size, a))]
    return torch.nn.functional.pad(region, widths) if any(widths) else region


def every_window(x: np.ndarray | torch.Tensor, starts: Sequence[int], sizes: Sequence[int], hop: Sequence[int]) -> Any:
    """Return a view ``(batch, *positions, channels, *sizes)`` of the windows that begin at ``starts`` plus hops."""
    x = x[(slice(None), slice(None), *(slice(start, None) for start in starts))]
    axes = len(sizes)
    if isinstance(x, np.ndarray):
        view = np.lib.stride_tricks.sliding_window_view(x, tuple(sizes), axis=tuple(range(2, axes + 2)))
        view = view[(slice(None), slice(None), *(slice(None, None, h) for h in hop))]
        return np.moveaxis(view, 1, axes + 1)
    for axis, (size, step) in enumerate(zip(sizes, hop, strict=True)):
        x = x.unfold(axis + 2, size, step)
    return x.movedim(1, axes + 1)
