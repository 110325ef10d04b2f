"""Canvases: digits hidden among half digits, strokes and noise, and where they really are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SCALE = 3
EXTENT = 8 * SCALE
"""Pixels of a digit on a canvas, along both axes."""

_NOISE = 0.12
_DIGITS, _HALVES, _STROKES = 80, 60, 150
"""What stands on 1024x1024 pixels."""


@dataclass(frozen=True)
class Canvas:
    """A picture ``(1, size, size)`` of float32 and its truth: ``file, x0, y0, x1, y1, label`` of every digit."""

    name: str
    image: np.ndarray
    truth: pd.DataFrame

    @property
    def corners(self) -> np.ndarray:
        """Upper left corners ``(digits, 2)``, rows before columns."""
        return np.asarray(self.truth[["y0", "x0"]])


def enlarged(digits: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return digits ``(n, 8, 8)`` of 0 to 16 as ``(n, EXTENT, EXTENT)`` of 0 to 1, by linear interpolation.

    With `rng`, each is turned by up to 10 degrees and stretched by up to a tenth, as another hand might have
    written it.
    """
    turn = np.eye(2)[None]
    if rng is not None:
        angle = np.deg2rad(rng.uniform(-10, 10, len(digits)))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
        turn = turn * rng.uniform(0.9, 1.1, (len(digits), 1, 2))
    middle = (digits.shape[1] - 1) / 2
    places = (np.arange(EXTENT) + 0.5) / SCALE - 0.5 - middle
    grid = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1)
    sources = np.einsum("nab,rcb->nrca", turn, grid) + middle
    rows, columns = (np.maximum(1 - np.abs(sources[..., a, None] - np.arange(8)), 0) for a in range(2))
    drawn = np.einsum("nrci,nij,nrcj->nrc", rows, digits / 16, columns, optimize=True)
    return np.asarray(drawn, np.float32)


def make_canvas(
    name: str, digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator, *, size: int, crowd: int = 1
) -> Canvas:
    """Hide digits among halves of other digits, strokes and noise.

    Digits and halves stand apart; strokes cross whatever is there.

    Parameters
    ----------
    name : str
        The truth's ``file``.
    digits, labels : ndarray
        Enlarged digits ``(n, EXTENT, EXTENT)`` and their names ``(n,)``. None is shown twice while there are
        enough of them.
    rng : numpy.random.Generator
        Draws everything.
    size : int
        Pixels along both axes.
    crowd : int
        How many times as much to show as on a canvas that is to be searched.
    """
    share = crowd * (size / 1024) ** 2
    shown, halves, strokes = (round(share * count) for count in (_DIGITS, _HALVES, _STROKES))
    order = np.resize(rng.permutation(len(digits)), shown + halves)
    corners = _apart(rng, shown + halves, size - EXTENT)
    image = np.zeros((size, size), np.float32)
    for i, (row, column) in enumerate(corners):
        digit = digits[order[i]]
        image[row : row + EXTENT, column : column + EXTENT] = digit if i < shown else _half(digit, rng)
    for _ in range(strokes):
        _draw_stroke(image, rng)
    image += _NOISE * rng.standard_normal(image.shape, np.float32)
    y, x = corners[:shown].T
    truth = {"file": name, "x0": x, "y0": y, "x1": x + EXTENT, "y1": y + EXTENT, "label": labels[order[:shown]]}
    return Canvas(name, image[None], pd.DataFrame(truth))


def _apart(rng: np.random.Generator, count: int, most: int) -> np.ndarray:
    """Return corners ``(count, 2)`` from 0 to `most` of squares that do not overlap."""
    corners = np.empty((0, 2), np.int64)
    while len(corners) < count:
        corner = rng.integers(most, size=2, endpoint=True)
        if (np.abs(corners - corner).max(axis=1) >= EXTENT).all():
            corners = np.vstack([corners, corner])
    return corners


def _half(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the upper, lower, left or right half of a digit."""
    half = np.zeros_like(digit)
    middle = len(digit) // 2
    part = [slice(None), slice(None)]
    part[rng.integers(2)] = slice(middle) if rng.integers(2) else slice(middle, None)
    half[tuple(part)] = digit[tuple(part)]
    return half


def _draw_stroke(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a straight line of a pen's width, as long as a digit at the most."""
    length, angle = rng.uniform(EXTENT / 3, EXTENT), rng.uniform(0, np.pi)
    row, column = rng.integers(EXTENT, np.array(image.shape) - EXTENT)
    y, x = np.mgrid[-EXTENT:EXTENT, -EXTENT:EXTENT]
    along = np.clip(x * np.cos(angle) + y * np.sin(angle), -length / 2, length / 2)
    distance = np.hypot(x - along * np.cos(angle), y - along * np.sin(angle))
    ink = np.clip((SCALE + 1) / 2 - distance, 0, 1).astype(np.float32)
    area = image[row - EXTENT : row + EXTENT, column - EXTENT : column + EXTENT]
    np.maximum(area, rng.uniform(0.5, 1) * ink, out=area)
