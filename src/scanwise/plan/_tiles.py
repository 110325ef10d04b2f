"""The order of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product


def tiles(counts: tuple[int, ...], tile: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield, row-major, the half-open output intervals per axis that cut ``counts`` outputs into tiles.

    Tiles start at multiples of ``tile``; the last one along an axis may be smaller.
    """
    per_axis = [[(a, min(a + t, n)) for a in range(0, n, t)] for n, t in zip(counts, tile, strict=True)]
    yield from product(*per_axis)
