"""Scanning piece by piece with a library that scans whole arrays: pieces overlap by the halo, so nothing is blended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from math import ceil
from typing import Any

import numpy as np

from .contender import Call, Case
from .workloads import Workload

Run = Callable[[np.ndarray], np.ndarray]
"""From an input ``(1, channels, *space)`` to scores ``(1, outputs, *positions)``."""

LENGTHS = ((1024,), (2048,), (4096,), (8192,), (16384,), (65536,))
SIDES = ((32, 256), (64, 64), (64, 256), (128, 128), (256, 256))


def tile_shapes(load: Workload) -> list[tuple[int, ...]]:
    """Return the outputs per piece, per axis, that are tried; at most half of all."""
    shapes = LENGTHS if len(load.window) == 1 else SIDES
    half = [ceil(n / 2) for n in load.positions]
    return [*dict.fromkeys(tuple(map(min, shape, half)) for shape in shapes)]


def few_tile_shapes(load: Workload) -> list[tuple[int, ...]]:
    """Return some of them, for libraries that compile for each."""
    shapes = tile_shapes(load)
    return shapes[1:4] or shapes


def counts_of(load: Workload, x: np.ndarray) -> tuple[int, ...]:
    """Return the number of windows per axis in an input, which may be a part of the workload's."""
    return tuple((n - w) // load.hop + 1 for n, w in zip(x.shape[1:], load.window, strict=True))


def least(tile: tuple[int, ...], rows: int, runs: int = 1) -> int:
    """Return the outputs along the first axis that keep all rows and all threads busy."""
    return tile[0] * max(rows, 1) * (runs if len(tile) == 1 else 1)


def piece_shape(load: Workload, tile: Sequence[int]) -> tuple[int, ...]:
    """Return the input that a tile of outputs sees."""
    return tuple((n - 1) * load.hop + w for n, w in zip(tile, load.window, strict=True))


def in_tiles(case: Case, x: np.ndarray, runs: Sequence[Run], tile: tuple[int, ...], rows: int = 0) -> Call:
    """Return a call that scans ``x`` in tiles of one shape, spread over one thread for each of ``runs``.

    The last tile along an axis is moved back so that all are of one size; what is computed twice is equal. With
    ``rows`` that many pieces of a signal are handed over together, as the rows of an image.
    """
    hop, counts = case.load.hop, counts_of(case.load, x)
    sees = piece_shape(case.load, tile)
    places = [*product(*([*range(0, n - t, t), n - t] for n, t in zip(counts, tile, strict=True)))]
    if rows:
        places += [places[-1]] * (-len(places) % rows)
    jobs = [places[i : i + max(rows, 1)] for i in range(0, len(places), max(rows, 1))]
    pool = ThreadPoolExecutor(len(runs)) if len(runs) > 1 else None

    def call() -> np.ndarray:
        out = np.empty((case.outs, *counts), x.dtype)

        def work(first: int) -> None:
            for job in jobs[first :: len(runs)]:
                pieces = [x[cut(place, sees, hop)] for place in job]
                scores = runs[first](np.stack(pieces, axis=1)[None] if rows else pieces[0][None])[0]
                for i, place in enumerate(job):
                    out[cut(place, tile)] = scores[:, i] if rows else scores

        if pool is None:
            work(0)
        else:
            list(pool.map(work, range(len(runs))))
        return out

    return call


def cut(place: Sequence[int], size: Sequence[int], hop: int = 1) -> tuple[Any, ...]:
    """Return the index of what begins at a place, given in outputs, and has a size."""
    return (slice(None), *(slice(p * hop, p * hop + n) for p, n in zip(place, size, strict=True)))
