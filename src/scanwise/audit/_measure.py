"""Measurements on trained networks: answers to moved clips, and how far a map is from moving along."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scanwise.nn import WindowNet
from scanwise.training import predict

__all__ = ["accuracy", "deviation", "moved", "shifted_accuracy", "usual_shifts"]


def usual_shifts(space: Sequence[int]) -> tuple[int, ...]:
    """Four distances up to a quarter of the shortest axis; fewer where that is short."""
    return tuple(sorted({max(min(space) * quarter // 16, 1) for quarter in (1, 2, 3, 4)}))


def background(x: np.ndarray) -> np.ndarray:
    """The level of each clip's border, ``(clips, channels)``: the median of a sixteenth of the extent at every side."""
    edge = np.zeros(x.shape[2:], bool)
    for axis, size in enumerate(x.shape[2:]):
        width = max(size // 16, 1)
        ends = np.moveaxis(edge, axis, 0)
        ends[:width] = ends[size - width :] = True
    return np.asarray(np.median(x[..., edge], axis=2), x.dtype)


def moved(x: np.ndarray, axis: int, samples: int) -> np.ndarray:
    """Clips ``(clips, channels, *space)`` with their content moved along an axis of space; background comes in."""
    result = np.empty_like(x)
    result[:] = background(x).reshape(*x.shape[:2], *(1 for _ in x.shape[2:]))
    size = x.shape[2 + axis]
    kept = max(size - abs(samples), 0)
    to, origin = max(samples, 0), max(-samples, 0)
    np.moveaxis(result, 2 + axis, 0)[to : to + kept] = np.moveaxis(x, 2 + axis, 0)[origin : origin + kept]
    return result


def accuracy(net: WindowNet, x: np.ndarray, y: np.ndarray) -> float:
    """Share of clips whose highest score is that of their class."""
    return float((predict(net, x).argmax(1).numpy() == y).mean())


def shifted_accuracy(net: WindowNet, x: np.ndarray, y: np.ndarray, samples: int) -> float:
    """Mean accuracy over both directions of every axis."""
    directions = [(axis, sign * samples) for axis in range(x.ndim - 2) for sign in (-1, 1)]
    return float(np.mean([accuracy(net, moved(x, *direction), y) for direction in directions]))


def deviation(net: WindowNet, x: np.ndarray, hop: Sequence[int]) -> float:
    """How far the map is from moving along when its input moves by one hop.

    ``map(moved(x))[i]`` against ``map(x)[i + 1]``, over the positions that both have (which never see what comes in
    from outside): root mean square of the difference over that of the map, all axes together.
    """
    difference = reference = 0.0
    still = predict(net.embedding, x)
    for axis, step in enumerate(hop):
        count = still.shape[2 + axis] - 1
        expected = still.narrow(2 + axis, 1, count)
        found = predict(net.embedding, moved(x, axis, -step)).narrow(2 + axis, 0, count)
        difference += (found - expected).double().square().sum().item()
        reference += expected.double().square().sum().item()
    return math.sqrt(difference / max(reference, math.ulp(0.0)))
