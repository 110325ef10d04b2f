"""The plan of a convolutional network: its stages as checked numbers, without a tensor.

A stage is a convolution, then an optional pooling. The plan also holds the rule that fills in what the
user left open from the extent that is left of the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scanwise._checks import whole, wholes
from scanwise.errors import ArgumentError
from scanwise.geometry import output_size

Sizes = tuple[int, ...]

_FIRST_CHANNELS, _MOST_CHANNELS = 16, 64  # few where an image has few, more where a spectrum has many
_ENOUGH = 6  # an axis is reduced until fewer positions than this are left,
_MOST_LAYERS = 12  # or there are so many layers: without pooling, a long window would take thousands


@dataclass(frozen=True)
class Stage:
    """A convolution and the pooling after it; per axis except `channels`, pool 1 means none."""

    channels: int
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    pool: Sizes

    def after(self, extent: Sizes, number: int) -> Sizes:
        """Return the positions left of `extent`, or raise when none are."""
        convolved = []
        for n, k, s, d, p in zip(extent, self.kernel, self.stride, self.dilation, self.pool, strict=True):
            span = (k - 1) * d + 1
            if span > n or (output := output_size(n, k, s, d)) < p:
                raise ArgumentError(
                    f"window_shape must leave a position for every layer; got {n} for layer {number}, whose "
                    f"kernel spans {span} with a pool of {p}. Use a larger window, fewer layers or smaller "
                    "kernels and pools."
                )
            convolved.append(output)
        return tuple(output_size(n, p, p) for n, p in zip(convolved, self.pool, strict=True))

    def parameters(self, incoming: int, norm: bool) -> int:
        """Return the number of weights with `incoming` channels; a norm has two per channel, a bias one."""
        return self.channels * (incoming * math.prod(self.kernel) + (2 if norm else 1))


def plan_stages(
    window: Sizes, incoming: int, *, channels: Any, kernels: Any, strides: Any, dilations: Any, pools: Any
) -> tuple[tuple[Stage, ...], Sizes]:
    """Return the stages and the extent that they leave of `window`.

    Each argument is None (for the rule to fill), a number for all layers, or one entry per layer, itself a
    number for all axes or one per axis; `channels` is None or one number per layer, `incoming` those of the window.
    """
    given = {"kernels": kernels, "strides": strides, "dilations": dilations, "pools": pools}
    widths = None if channels is None else wholes("channels", channels)
    layers = len(widths) if widths is not None else _depth(given)
    if layers == 0:
        raise ArgumentError("channels must name at least one layer; got none. Use mlp for a net without any.")
    stages: list[Stage] = []
    extent = window
    for i in range(_MOST_LAYERS if layers is None else layers):
        if layers is None and stages and max(extent) < _ENOUGH:
            break
        kernel, stride, dilation, pool = (_entry(name, value, i, layers, len(window)) for name, value in given.items())
        stride = stride or (1,) * len(window)
        dilation = dilation or (1,) * len(window)
        kernel = kernel or tuple(map(_usual_kernel, extent, dilation))
        stage = Stage(
            widths[i] if widths else _usual_channels(incoming, i),
            kernel,
            stride,
            dilation,
            pool or tuple(map(_usual_pool, extent, kernel, stride, dilation)),
        )
        extent = stage.after(extent, i + 1)
        stages.append(stage)
    return tuple(stages), extent


def _depth(given: dict[str, Any]) -> int | None:
    """Return the number of layers that the first per-layer argument names, None if there is none."""
    return next((len(value) for value in given.values() if isinstance(value, Sequence)), None)


def _entry(name: str, value: Any, layer: int, layers: int | None, axes: int) -> Sizes | None:
    """Return what `value` says of one layer, per axis."""
    if value is None:
        return None
    if isinstance(value, Sequence):
        if isinstance(value, str) or len(value) != layers:
            raise ArgumentError(
                f"{name} must have one entry for each of {layers} layers; got {value!r}. Add or remove entries."
            )
        name, value = f"{name}[{layer}]", value[layer]
        if isinstance(value, Sequence):
            sizes = wholes(name, value)
            if len(sizes) != axes:
                raise ArgumentError(
                    f"{name} must have one number for each of {axes} axes; got {value!r}. Add or remove numbers."
                )
            return sizes
    return (whole(name, value),) * axes


def _usual_channels(incoming: int, layer: int) -> int:
    """Return 16, 32, 64, 64 ...; where more come in, that many, as a power of two up to 64, then twice that."""
    first = min(max(1 << (incoming - 1).bit_length(), _FIRST_CHANNELS), _MOST_CHANNELS)
    return min(first << layer, max(2 * first, _MOST_CHANNELS))


def _usual_kernel(extent: int, dilation: int) -> int:
    """Return 9 on long axes, then 5, then 3, and what still fits at the end."""
    usual = 9 if extent >= 128 else 5 if extent >= 16 else 3
    return max(1, min(usual, (extent - 1) // dilation + 1))


def _usual_pool(extent: int, kernel: int, stride: int, dilation: int) -> int:
    """Return 4 on long axes, then 2, and 1 where a stride reduces already or little is left."""
    left = output_size(extent, kernel, stride, dilation) if (kernel - 1) * dilation < extent else 1
    if stride > 1 or left < 4:
        return 1
    return 4 if extent >= 128 else 2
