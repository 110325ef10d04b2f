"""Which moving windows a tie map might be: a guess from a few of its rows, to be proven elsewhere.

A guess may be wrong and costs little; `recognise` compares every edge. It is taken by majority, so that a few edges
that do not belong cannot hide what the others are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from scanwise.tying._stencil import Axis, Stencil
from scanwise.tying._tie_map import ONE, TieMap

__all__ = ["stencils_like"]

Grid = tuple[int, ...]

_GUESSES = 3
"""How many strides, periods and axes are followed up."""

_FEW = 16
"""So few outputs, strides or wrong connections are too few to go by."""

_DILATIONS = 16
"""How many dilations around a ring are tried, the smallest first."""

_ROWS = 1500
"""Outputs along an axis that are looked at, at the start, in the middle and at the end together, at most;"""

_CONNECTIONS = 100_000
"""fewer if these have more edges than this."""


@dataclass(frozen=True)
class _Slice:
    """What some outputs along one axis read along that axis: output, input and parameter of each edge."""

    size: int
    outputs: int
    looked_at: np.ndarray
    output: np.ndarray
    source: np.ndarray
    param: np.ndarray


def stencils_like(ties: TieMap, in_grid: Grid, out_grid: Grid) -> Iterator[Stencil]:
    """Yield the stencils that a map's rows suggest, the likeliest first."""
    if len(in_grid) != len(out_grid) or not ties.edges:
        return
    axes = len(in_grid) - 1
    middle = tuple(size // 2 for size in out_grid[1:])
    rows = [_row(ties, out_grid, channel, middle) for channel in range(out_grid[0])]
    plane = math.prod(in_grid[1:])
    channels = _most_common([len(np.unique(cols[cols != ONE] // plane)) for cols, _ in rows])
    if channels == 0 or in_grid[0] % channels or out_grid[0] % (in_grid[0] // channels):
        return
    groups = in_grid[0] // channels
    bias = bool(_most_common([int((cols == ONE).any()) for cols, _ in rows]))
    positions = math.prod(out_grid[1:])
    fullest = int(np.diff(ties.indptr[: positions + 1]).argmax())
    fullest_place = tuple(int(i) for i in np.unravel_index(fullest, out_grid[1:])) if axes else ()
    third = tuple(n // 3 for n in out_grid[1:])
    references = list(dict.fromkeys([(0, middle), (out_grid[0] - 1, middle), (0, third), (0, fullest_place)]))
    guesses: list[list[Axis]] = []
    for axis in range(axes):
        found = [
            guess
            for channel, place in references
            if (piece := _slice(ties, in_grid, out_grid, axis, channel, place)) is not None
            for guess in _axes_like(piece)
        ]
        guesses.append([guess for guess, _ in _by_votes(found)])
    combined = sorted(
        product(*guesses), key=lambda chosen: sum(g.index(a) for g, a in zip(guesses, chosen, strict=True))
    )
    for chosen in combined[: 2 * _GUESSES]:
        yield Stencil(in_grid[0], out_grid[0], chosen, groups, bias)


def _by_votes(found: list[tuple[Axis, int]]) -> list[tuple[Axis, int]]:
    """Return distinct guesses, those with the fewest misfits first."""
    best: dict[Axis, int] = {}
    for guess, misfits in found:
        best[guess] = min(misfits, best.get(guess, misfits))
    return sorted(best.items(), key=_length)[:_GUESSES]


def _length(entry: tuple[Axis, int]) -> tuple[int, ...]:
    """Return how much there is to say: the filters, and what they leave unexplained, each as a place and a value."""
    axis, misfits = entry
    return 2 * misfits + axis.kernel * axis.period, misfits, axis.circular, axis.stride


def _most_common(values: list[int]) -> int:
    return max(dict.fromkeys(values), key=values.count)


def _row(ties: TieMap, out_grid: Grid, channel: int, place: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and parameters of one output's edges."""
    row = int(np.ravel_multi_index((channel, *place), out_grid))
    edges = slice(ties.indptr[row], ties.indptr[row + 1])
    return ties.cols[edges], ties.params[edges]


def _slice(ties: TieMap, in_grid: Grid, out_grid: Grid, axis: int, channel: int, place: Grid) -> _Slice | None:
    """Return the edges along `axis` through the output at `place`, of one input channel."""
    cols, _ = _row(ties, out_grid, channel, place)
    here = np.array(np.unravel_index(cols[cols != ONE], in_grid))
    if not here.size:
        return None
    fixed = here[:, here.shape[1] // 2]  # an input in the middle of what this output reads
    others = [a for a in range(len(in_grid)) if a != axis + 1]
    strides = math.prod(out_grid[axis + 2 :])
    first = int(np.ravel_multi_index((channel, *place), out_grid)) - place[axis] * strides
    looked_at = _some(out_grid[axis + 1], len(cols))
    rows = first + looked_at * strides
    lengths = ties.indptr[rows + 1] - ties.indptr[rows]
    output = np.repeat(looked_at, lengths)
    edge = np.repeat(ties.indptr[rows] - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(output))
    cols = ties.cols[edge]
    inputs = np.array(np.unravel_index(np.maximum(cols, 0), in_grid))
    kept = (inputs[others] == fixed[others, None]).all(0) & (cols != ONE)
    found = output[kept], inputs[axis + 1][kept], ties.params[edge][kept]
    return _Slice(in_grid[axis + 1], out_grid[axis + 1], looked_at, *found)


def _some(count: int, each: int) -> np.ndarray:
    """Return all of `count` outputs with `each` so many edges, or those at the start, in the middle and at the end."""
    most = min(_ROWS, max(30, _CONNECTIONS // each))
    if count <= most:
        return np.arange(count)
    part = np.arange(most // 3)
    return np.concatenate([part, count // 2 + part, count - len(part) + part])


def _axes_like(piece: _Slice) -> Iterator[tuple[Axis, int]]:
    """Yield guesses, each with the number of connections of the slice that it gets wrong."""
    steps, periods = _steps(piece)
    for stride, circular in product(steps, (False, True)):
        window = _ring(piece, stride) if circular else _line(piece, stride)
        if window is None:
            continue
        before, kernel, dilation = window
        if piece.outputs == 1 and not circular:  # no step is seen: the least after which no other window fits
            stride = max(1, piece.size + 2 * before - (kernel - 1) * dilation)
        for period in periods:
            guess = Axis(piece.size, piece.outputs, kernel, stride, dilation, before, circular, period)
            misfits = _misfits(piece, guess)
            if 2 * misfits <= len(piece.source) + _FEW:
                yield guess, misfits


def _steps(piece: _Slice) -> tuple[list[int], list[int]]:
    """Return strides and periods that are likely: from a parameter's next use, and from the first input of rows."""
    order = np.lexsort((piece.output, piece.param))
    same = np.diff(piece.param[order]) == 0
    along, across = np.diff(piece.output[order])[same], np.diff(piece.source[order])[same]
    across, along = across[along > 0], along[along > 0]
    periods = _frequent(along)
    strides = [int(x) for x in _frequent(across[along == along.min()] if len(along) else along)]
    strides = [x % piece.size or piece.size for x in strides] + strides
    step = periods[0] if periods else 1
    strides = [x // step for x in strides if x % step == 0]
    _, start = np.unique(piece.output, return_index=True)
    stop = np.append(start[1:], len(piece.output)) - 1
    for edge in (piece.source[start], piece.source[stop]):
        strides += _frequent(np.diff(edge))
    if len(piece.looked_at) <= _FEW:  # rows that are clipped on both sides say nothing
        strides += range(1, _FEW)
    strides = [x for x in dict.fromkeys([*strides, 1]) if x > 0]
    return strides, [x for x in dict.fromkeys([1, *periods, piece.outputs]) if 0 < x <= piece.outputs]


def _frequent(values: np.ndarray) -> list[int]:
    """Return the most frequent values, the most frequent first."""
    distinct, counts = np.unique(values, return_counts=True)
    found: list[int] = distinct[np.argsort(-counts, kind="stable")][:_GUESSES].tolist()
    return found


def _line(piece: _Slice, stride: int) -> tuple[int, int, int] | None:
    """Return samples before the input, taps and dilation of a window that moves by `stride` and is clipped."""
    offsets, counts = np.unique(piece.source - stride * piece.output, return_counts=True)
    place = piece.looked_at * stride
    possible = np.searchsorted(place, piece.size - offsets) - np.searchsorted(place, -offsets)
    taps = offsets[2 * counts >= possible]
    if not len(taps):
        return None
    dilation = int(np.gcd.reduce(np.diff(taps))) or 1
    kernel = int(taps[-1] - taps[0]) // dilation + 1
    return (-int(taps[0]), kernel, dilation) if kernel <= 2 * len(taps) else None  # else these are no taps at all


def _ring(piece: _Slice, stride: int) -> tuple[int, int, int] | None:
    """Return the same for a window that goes around: of all ways to say it, that with the most even padding."""
    offsets, counts = np.unique((piece.source - stride * piece.output) % piece.size, return_counts=True)
    taps = offsets[2 * counts >= len(piece.looked_at)]
    members, size = set(taps.tolist()), piece.size
    gaps = {1} if len(taps) in (1, size) else {sign * int(tap - taps[0]) % size for tap in taps[1:] for sign in (1, -1)}
    ways = []
    for dilation in sorted(gaps)[:_DILATIONS]:
        starts = [tap for tap in members if (tap - dilation) % size not in members] or list(members)  # a closed ring
        if {(starts[0] + tap * dilation) % size for tap in range(len(taps))} != members:
            continue
        total = stride * (piece.outputs - 1) + dilation * (len(taps) - 1) + 1 - size
        for before in (-start % size + turn for start in starts for turn in (0, size)):
            wraps_once = max(before, total - before) <= size and total - before > -stride
            ways.append((not wraps_once, abs(2 * before - total), dilation, before))
    if not ways:
        return None
    *_, dilation, before = min(ways)
    return before, len(taps), dilation


def _misfits(piece: _Slice, guess: Axis) -> int:
    """Return how many connections are only in the slice, only in the guess, or have another parameter than most."""
    output, source, tap = guess.taps(piece.looked_at)
    wanted, given = output * guess.size + source, piece.output * guess.size + piece.source
    both, at_wanted, at_given = np.intersect1d(wanted, given, return_indices=True)
    element = (output[at_wanted] % guess.period) * guess.kernel + tap[at_wanted]
    param = piece.param[at_given]
    usual = np.zeros(guess.period * guess.kernel, np.int64)
    usual[element] = param
    return len(wanted) + len(given) - 2 * len(both) + int((usual[element] != param).sum())
