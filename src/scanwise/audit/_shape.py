"""The one description that all five architectures are built from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from scanwise._checks import per_axis, wholes
from scanwise.errors import ArgumentError
from scanwise.geometry import Ledger, ledger, output_size

__all__ = ["PerLayer", "Shape", "shape_of"]

PerLayer = Sequence[int | Sequence[int]]
"""A number per layer, or one per axis and layer."""


@dataclass(frozen=True)
class Shape:
    """Input, widths, and the kernels and strides of the distributed form; checked by `shape_of`.

    Attributes
    ----------
    channels, space
        Of the input.
    widths
        Channels of each layer's output; the last are the classes.
    kernels, strides
        Per layer and axis; layers beyond the last look at one position.
    """

    channels: int
    space: tuple[int, ...]
    widths: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]

    def account(self, *, times: int = 1) -> Ledger:
        """The ledger, biases counted, of an input of `times` the extent per axis."""
        space = [size * times for size in self.space]
        return ledger(space, self.channels, self.widths, self.kernels, self.strides, bias=True)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Positions per axis of the input and of every distributed layer's output."""
        sizes = [self.space]
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            sizes.append(tuple(map(output_size, sizes[-1], kernel, stride)))
        return (*sizes, *sizes[-1:] * (len(self.widths) - len(self.kernels)))


def shape_of(
    channels: int,
    space: tuple[int, ...],
    classes: int,
    *,
    widths: Sequence[int],
    kernels: PerLayer | None,
    strides: PerLayer | None,
) -> Shape:
    """Check what was asked for, and choose what was not.

    By default two kernels tile a window of about half the input: the first is the root of that, so that windows
    stand at several positions. Without `strides`, each kernel but the last steps by its own size.
    """
    widths = (*wholes("widths", widths), classes)
    axes = len(space)
    if kernels is None:
        chosen = [_usual_kernels(size) for size in space]
        kernels = list(zip(*chosen, strict=True)) if len(widths) > 1 else [tuple(map(prod, chosen))]
    taps = _per_layer("kernels", kernels, axes)
    steps = _per_layer("strides", (*taps[:-1], (1,) * axes) if strides is None else strides, axes)
    account = ledger(space, channels, widths, taps, steps)  # refuses what does not fit
    shape = Shape(channels, space, widths, taps, steps)
    if account.symbols["P"] == 1:
        raise ArgumentError(
            f"kernels must leave room for several windows; got a window of {' x '.join(map(str, account.window))} "
            f"and a hop of {' x '.join(map(str, account.hop))} in {' x '.join(map(str, space))}. "
            "Choose smaller kernels or strides."
        )
    return shape


def _per_layer(name: str, values: Any, axes: int) -> tuple[tuple[int, ...], ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ArgumentError(f"{name} must be a sequence, an entry per layer; got {values!r}. Write [{values!r}].")
    return tuple(per_axis(f"{name}[{i}]", value, axes) for i, value in enumerate(values))


def _usual_kernels(size: int) -> tuple[int, int]:
    """Two kernels of one axis whose product is about half its size."""
    first = max(math.isqrt(size // 2), 1)
    return first, max(round(size / 2 / first), 1)
