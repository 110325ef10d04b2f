"""The plan of an unshared convolution: its extents, and the pieces it is computed in. Integers only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.geometry import output_size

Pair = tuple[int, int]
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A rectangle of positions, computed at a time."""

    rows: slice
    columns: slice

    @property
    def extent(self) -> Pair:
        """Rows and columns of the rectangle."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True)
class Layout:
    """The extents of one layer, always with two axes: a signal is an image of one row."""

    channels: int
    outputs: int
    groups: int
    size: Pair
    positions: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def inputs(self) -> int:
        """Inputs of one output: the channels of its group times the taps."""
        return self.channels // self.groups * math.prod(self.kernel)

    def divide(self, batch: int, max_numbers: int) -> tuple[list[slice], list[Piece]]:
        """Return the parts of the batch, and the pieces of the positions, that are computed one after the other.

        Patches and outputs of a piece are at most `max_numbers` numbers. One position of one window is the least; the
        batch is divided only where it does not fit at one position. Parts are about equal, for threads that share them.
        """
        rows, columns = self.positions
        each = self.inputs * self.groups + self.outputs
        windows = _even(batch, max_numbers // each)
        places = max_numbers // (each * windows)
        across = list(_parts(columns, _even(columns, places)))
        down = list(_parts(rows, _even(rows, places // columns)))
        return list(_parts(batch, windows)), [Piece(r, c) for r in down for c in across]


def _even(total: int, most: int) -> int:
    """Return the size of the fewest parts of at most `most` (at least 1), all about equal."""
    parts = -(-total // max(1, most))
    return -(-total // max(1, parts)) or 1


def _parts(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def each_axis(name: str, value: Any, axes: int, least: int = 1) -> Sizes:
    """Return one whole number of at least `least` per axis, from one for all or a sequence of them."""
    entries = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * axes
    if len(entries) != axes:
        raise ArgumentError(
            f"{name} must be a whole number, or one for each of {axes} axes; got {value!r}. Add or remove numbers."
        )
    return tuple(whole(name, entry, least) for entry in entries)


def positions_of(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Sizes:
    """Return the positions at which a kernel lies, per axis; refuse a kernel that lies nowhere."""
    positions = tuple(map(output_size, size, kernel, stride, dilation, padding))
    if 0 in positions:
        spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
        raise ArgumentError(
            f"kernel_size must fit into the padded input; got a kernel that spans {spans} on {padded}. "
            "Use a smaller kernel, less dilation or more padding."
        )
    return positions


def real_taps(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> list[list[list[bool]]]:
    """Return, per axis, position and tap, whether the tap lies on the input and not on padding."""
    positions = positions_of(size, kernel, stride, padding, dilation)
    return [
        [[0 <= i * s + u * d - p < n for u in range(k)] for i in range(count)]
        for count, n, k, s, p, d in zip(positions, size, kernel, stride, padding, dilation, strict=True)
    ]
