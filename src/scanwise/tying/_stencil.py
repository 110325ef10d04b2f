"""The one pattern behind convolution, tiling and local connection: windows that move over a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.tying._arrays import narrow
from scanwise.tying._tie_map import ONE

__all__ = ["Axis", "Stencil"]

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """How a window moves along one axis: output ``o``, tap ``t`` reads input ``o * stride + t * dilation - before``.

    What lies outside ``[0, size)`` is no edge, unless the axis is circular: then it is taken modulo `size`. The filters
    of outputs ``o`` and ``o + period`` are the same: 1 is full sharing, `outputs` none.
    """

    size: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    circular: bool = False
    period: int = 1

    def __post_init__(self) -> None:
        for name in ("size", "kernel", "stride", "dilation", "period"):
            whole(name, getattr(self, name))
        whole("outputs", self.outputs, 0)
        whole("before", self.before, None)

    @property
    def after(self) -> int:
        """Samples that the last window reaches beyond the input; below 0 if it leaves some unread."""
        return self.stride * (self.outputs - 1) + self.dilation * (self.kernel - 1) + 1 - self.before - self.size

    def taps(self, outputs: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return output, input and tap of every connection of all or some outputs, by output, then input."""
        output = np.repeat(np.arange(self.outputs) if outputs is None else outputs, self.kernel)
        tap = np.tile(np.arange(self.kernel), len(output) // self.kernel)
        source = output * self.stride + tap * self.dilation - self.before
        if self.circular:
            source %= self.size
            order = np.lexsort((source, output))
        else:
            order = np.flatnonzero((source >= 0) & (source < self.size))
        return output[order], source[order], tap[order]


@dataclass(frozen=True)
class Stencil:
    """A layer between grids whose outputs read windows: its edges, and the filter element that each edge uses.

    Filter elements are numbered as torch flattens them, ``(phase, out_channel, in_channel of the group, *kernel)``,
    then the biases ``(phase, out_channel)``. A phase is a position modulo the periods: one for a convolution, as many
    as there are positions for a locally connected layer.
    """

    in_channels: int
    out_channels: int
    axes: tuple[Axis, ...]
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        for name in ("in_channels", "out_channels", "groups"):
            whole(name, getattr(self, name))
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ArgumentError(
                f"groups must divide the channels; got {self.groups} for {self.in_channels} and {self.out_channels}. "
                "Change one of them."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """``(outputs, inputs)``, flattened."""
        return self.out_channels * self.positions, self.in_channels * math.prod(axis.size for axis in self.axes)

    @property
    def positions(self) -> int:
        """Output positions."""
        return math.prod(axis.outputs for axis in self.axes)

    @property
    def phases(self) -> Sizes:
        """Filter banks per axis."""
        return tuple(axis.period for axis in self.axes)

    @property
    def kernel(self) -> Sizes:
        """Taps per axis."""
        return tuple(axis.kernel for axis in self.axes)

    @property
    def weight_shape(self) -> Sizes:
        """``(phases, out_channels, in_channels / groups, *kernel)``."""
        return (math.prod(self.phases), self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def weights(self) -> int:
        """Filter elements, biases not counted."""
        return math.prod(self.weight_shape)

    @property
    def elements(self) -> int:
        """Filter elements and biases, those included that only ever meet padding."""
        return self.weights + self.bias * math.prod(self.phases) * self.out_channels

    @property
    def count(self) -> int:
        """Edges."""
        pairs = self.in_channels // self.groups * self.out_channels
        return pairs * math.prod(len(axis.taps()[0]) for axis in self.axes) + self.bias * self.shape[0]

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ``indptr``, columns and filter elements of all edges, by row, then column.

        Raises
        ------
        ArgumentError
            If two filter elements meet on one edge.
        """
        lengths, cols, elements = self._first_channel()
        per_group = self.out_channels // self.groups
        columns = np.empty((self.out_channels, len(cols)), narrow(self.shape[1]))
        keys = np.empty((self.out_channels, len(cols)), narrow(self.elements))
        source = np.where(cols == ONE, 0, self.shape[1] // self.groups)
        step = np.where(cols == ONE, 1, math.prod(self.weight_shape[2:]))
        for channel in range(self.out_channels):
            np.add(cols, channel // per_group * source, out=columns[channel], casting="same_kind")
            np.add(elements, channel * step, out=keys[channel], casting="same_kind")
        indptr = np.concatenate([[0], np.cumsum(np.tile(lengths, self.out_channels))])
        return indptr, columns.ravel(), keys.ravel()

    def _first_channel(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return edges per row, columns and filter elements of the first output channel."""
        position, source, tap, phase = self._plane()
        channels, plane = self.in_channels // self.groups, math.prod(axis.size for axis in self.axes)
        taps, bank = math.prod(self.kernel), math.prod(self.weight_shape[1:])
        counts = np.bincount(position, minlength=self.positions)
        starts = np.cumsum(counts) - counts
        lengths = counts * channels + self.bias
        # Within a row the channels follow each other, each with the same taps.
        row = np.repeat(np.arange(self.positions), lengths)
        place = np.arange(len(row)) - (np.cumsum(lengths) - lengths)[row] - self.bias
        channel, within = np.divmod(place, np.maximum(counts, 1)[row])
        edge = np.minimum(starts[row] + within, len(tap) - 1) if len(tap) else np.zeros_like(row)
        at_bias = place < 0
        edge[at_bias] = 0
        if not len(tap):  # nothing but biases
            position, source, tap = (np.zeros(1, np.int64),) * 3
        cols = np.where(at_bias, ONE, source[edge] + channel * plane)
        elements = np.where(
            at_bias,
            self.weights + phase[row] * self.out_channels,
            phase[row] * bank + channel * taps + tap[edge],
        )
        return lengths, cols, elements

    def _plane(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return output position, input position and tap of every edge of one channel, and every position's phase."""
        position = source = tap = phase = np.zeros(1, np.int64)
        for number, axis in enumerate(self.axes):
            o, i, t = axis.taps()
            again = (np.diff(o) == 0) & (np.diff(i) == 0)
            if again.any():
                where = int(np.flatnonzero(again)[0])
                raise ArgumentError(
                    f"an edge must have one parameter; got two, taps {t[where]} and {t[where + 1]}, from position "
                    f"{i[where]} to position {o[where]} along axis {number}: circular padding with a kernel longer "
                    "than the input. Use a shorter kernel or a larger input."
                )
            position = (position[:, None] * axis.outputs + o).ravel()
            source = (source[:, None] * axis.size + i).ravel()
            tap = (tap[:, None] * axis.kernel + t).ravel()
            phase = (phase[:, None] * axis.period + np.arange(axis.outputs) % axis.period).ravel()
        order = np.argsort(position, kind="stable")  # within a position, the sources ascend already
        return position[order], source[order], tap[order], phase
