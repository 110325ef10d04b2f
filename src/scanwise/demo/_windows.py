"""What the model learns from: windows cut from crowded canvases of training digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanwise.demo._canvas import EXTENT, Canvas

WINDOW = EXTENT + 4
BACKGROUND = "background"

_MARGIN = (WINDOW - EXTENT) // 2
_HIT, _MISS = 2, 4  # pixels off: at most for a digit, at least for background

Examples = tuple[np.ndarray, np.ndarray]


def drawn_windows(canvases: Sequence[Canvas], rng: np.random.Generator) -> Examples:
    """Return windows with a digit in their middle, and some three times as many of background.

    In the middle is up to 2 pixels off. Two of three windows of background are 4 to 8 pixels off a digit,
    which teaches that a digit is where it fits best; the rest is anywhere.
    """
    x, y = [], []
    for canvas in canvases:
        starts = canvas.corners - _MARGIN
        hits = starts + rng.integers(-_HIT, _HIT, size=starts.shape, endpoint=True)
        beside = starts + rng.integers(-2 * _MISS, 2 * _MISS, size=(2, *starts.shape), endpoint=True)
        anywhere = rng.integers(canvas.image.shape[-1] - WINDOW, size=starts.shape, endpoint=True)
        empty = np.concatenate([*beside, anywhere])
        inside = _inside(hits, canvas)
        empty = empty[_inside(empty, canvas) & _misses(empty, canvas)]
        x += [_cut(canvas, hits[inside]), _cut(canvas, empty)]
        y += [canvas.truth["label"].to_numpy()[inside], np.full(len(empty), BACKGROUND)]
    return np.concatenate(x), np.concatenate(y).astype(str)


def false_alarms(canvases: Sequence[Canvas], found: pd.DataFrame) -> Examples:
    """Return the windows in which a digit was found where none is near: background that is hard to tell."""
    x = []
    for canvas in canvases:
        starts = found.loc[found["file"] == canvas.name, ["y0", "x0"]].to_numpy()
        x.append(_cut(canvas, starts[_inside(starts, canvas) & _misses(starts, canvas)]))
    alarms = np.concatenate(x)
    return alarms, np.full(len(alarms), BACKGROUND)


def _inside(starts: np.ndarray, canvas: Canvas) -> np.ndarray:
    return np.asarray(((starts >= 0) & (starts + WINDOW <= canvas.image.shape[-1])).all(axis=1))


def _misses(starts: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Return which windows have no digit in their middle, nor nearly."""
    distance = np.abs(starts[:, None] - (canvas.corners - _MARGIN)).max(axis=2)
    return np.asarray(distance.min(axis=1) >= _MISS)


def _cut(canvas: Canvas, starts: np.ndarray) -> np.ndarray:
    """Return windows ``(n, 1, WINDOW, WINDOW)`` that start at the rows of `starts`."""
    windows = np.lib.stride_tricks.sliding_window_view(canvas.image, (WINDOW, WINDOW), axis=(1, 2))
    return np.asarray(windows[:, starts[:, 0], starts[:, 1]].swapaxes(0, 1))
