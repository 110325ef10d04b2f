"""MLPs over windows, and the oracle of scanning with one: cut every window, flatten it, multiply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Sizes = tuple[int, ...]


def units(space: Sizes, channels: int, layout: str) -> np.ndarray:
    """Where a vector has the unit of each channel and position: ``(channels, *space)``."""
    count = np.arange(channels * int(np.prod(space)))
    if layout == "channels_first":
        return count.reshape(channels, *space)
    return np.moveaxis(count.reshape(*space, channels), -1, 0)


def tied_matrix(kernel: np.ndarray, stride: Sizes, below: Sizes, layout: str, outside: float = 0.0) -> np.ndarray:
    """The full matrix of one layer, edge by edge, from the shared weights ``(outputs, inputs, *kernel)``."""
    outputs, inputs, *taps = kernel.shape
    above = tuple((n - k) // s + 1 for n, k, s in zip(below, taps, stride, strict=True))
    rows, columns = units(above, outputs, layout), units(below, inputs, layout)
    matrix = np.full((rows.size, columns.size), outside)
    for position in np.ndindex(above):
        for tap in np.ndindex(*taps):
            read = tuple(u * s + k for u, s, k in zip(position, stride, tap, strict=True))
            for n in range(outputs):
                for c in range(inputs):
                    matrix[rows[(n, *position)], columns[(c, *read)]] = kernel[(n, c, *tap)]
    return matrix


@dataclass(frozen=True)
class TiedMLP:
    """A random MLP over one window whose matrices carry blocks of tied weights."""

    window: Sizes
    channels: int
    kernels: tuple[Sizes, ...]
    strides: tuple[Sizes, ...]
    widths: Sizes
    layout: str
    outside: float = 0.0
    seed: int = 0

    @property
    def spaces(self) -> list[Sizes]:
        """Positions of the window and of every layer."""
        spaces = [self.window]
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            spaces.append(tuple((n - k) // s + 1 for n, k, s in zip(spaces[-1], kernel, stride, strict=True)))
        return spaces

    @property
    def hop(self) -> Sizes:
        return tuple(int(np.prod(strides)) for strides in zip(*self.strides, strict=True))

    def weights(self) -> list[np.ndarray]:
        """The full matrices, the same at every call."""
        draw = np.random.default_rng(self.seed)
        incoming = (self.channels, *self.widths)
        layers = zip(incoming, self.widths, self.kernels, self.strides, self.spaces, strict=False)
        return [
            tied_matrix(draw.normal(0, 1, (n, c, *kernel)), stride, below, self.layout, self.outside)
            for c, n, kernel, stride, below in layers
        ]

    def biases(self) -> list[np.ndarray]:
        """One vector a layer, each channel's bias repeated at every position."""
        draw = np.random.default_rng(self.seed + 1)
        biases = []
        for width, space in zip(self.widths, self.spaces[1:], strict=True):
            vector = np.empty(width * int(np.prod(space)))
            for bias, places in zip(draw.normal(0, 1, width), units(space, width, self.layout), strict=True):
                vector[places] = bias
            biases.append(vector)
        return biases


def on_windows(
    x: Tensor,
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray | None],
    window: Sizes,
    hop: Sizes,
    layout: str,
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    """What the MLP says of every window of `x`, one by one: ``(batch, outputs, *windows)``."""
    windows = tuple((n - w) // h + 1 for n, w, h in zip(x.shape[2:], window, hop, strict=True))
    answers = []
    for index in np.ndindex(windows):
        cut = x[(..., *(slice(i * h, i * h + w) for i, h, w in zip(index, hop, window, strict=True)))]
        y = (cut if layout == "channels_first" else cut.movedim(1, -1)).flatten(1)
        for i, (matrix, vector) in enumerate(zip(weights, biases, strict=True)):
            y = activation(y) if i else y
            y = y @ torch.from_numpy(np.nan_to_num(matrix)).to(y).T
            y = y if vector is None else y + torch.from_numpy(vector).to(y)
        answers.append(y)
    return torch.stack(answers, -1).unflatten(-1, windows)
