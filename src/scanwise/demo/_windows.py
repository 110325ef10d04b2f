"""What the model learns from: windows cut from crowded canvases of training digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanwise.demo._canvas import EXTENT, Canvas

WINDOW = EXTENT + 4
BACKGROUND = "background"

_MARGIN = (WINDOW - EXTENT) // 2
_JITTER = 2
_NEGATIVES = 2  # windows of background per digit

Examples = tuple[np.ndarray, np.ndarray]


def drawn_windows(canvases: Sequence[Canvas], rng: np.random.Generator) -> Examples:
    """Return windows with a digit near their middle, and twice as many at random places that have none.

    Near is up to 2 pixels off, and background begins where no digit is within a quarter of a window; what
    lies between has no label.
    """
    x, y = [], []
    for canvas in canvases:
        starts = canvas.corners - _MARGIN
        jittered = starts + rng.integers(-_JITTER, _JITTER, size=starts.shape, endpoint=True)
        inside = _inside(jittered, canvas)
        most = canvas.image.shape[-1] - WINDOW
        anywhere = rng.integers(most, size=(2 * _NEGATIVES * len(starts), 2), endpoint=True)
        empty = anywhere[_apart_from_digits(anywhere, canvas)][: _NEGATIVES * len(starts)]
        x += [_cut(canvas, jittered[inside]), _cut(canvas, empty)]
        y += [canvas.truth["label"].to_numpy()[inside], np.full(len(empty), BACKGROUND)]
    return np.concatenate(x), np.concatenate(y).astype(str)


def false_alarms(canvases: Sequence[Canvas], found: pd.DataFrame) -> Examples:
    """Return the windows in which a digit was found where none is near: background that is hard to tell."""
    x = []
    for canvas in canvases:
        starts = found.loc[found["file"] == canvas.name, ["y0", "x0"]].to_numpy()
        x.append(_cut(canvas, starts[_inside(starts, canvas) & _apart_from_digits(starts, canvas)]))
    alarms = np.concatenate(x)
    return alarms, np.full(len(alarms), BACKGROUND)


def _inside(starts: np.ndarray, canvas: Canvas) -> np.ndarray:
    return ((starts >= 0) & (starts + WINDOW <= canvas.image.shape[-1])).all(axis=1)


def _apart_from_digits(starts: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Return which windows have no digit within a quarter of their extent from their middle."""
    distance = np.abs(starts[:, None] - (canvas.corners - _MARGIN)).max(axis=2)
    return distance.min(axis=1) > WINDOW / 4


def _cut(canvas: Canvas, starts: np.ndarray) -> np.ndarray:
    """Return windows ``(n, 1, WINDOW, WINDOW)`` that start at the rows of `starts`."""
    windows = np.lib.stride_tricks.sliding_window_view(canvas.image, (WINDOW, WINDOW), axis=(1, 2))
    return np.asarray(windows[:, starts[:, 0], starts[:, 1]].swapaxes(0, 1))
