"""Canvases: digits hidden among half digits, strokes and noise, and where they really are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SCALE = 3
WINDOW = 28
_LEVEL_OF_NOISE = 0.12


@dataclass(frozen=True)
class Canvas:
    """A picture ``(1, size, size)`` of float32 and its truth: ``file, x0, y0, x1, y1, label`` per digit."""

    name: str
    image: np.ndarray
    truth: pd.DataFrame


def enlarged(digits: np.ndarray) -> np.ndarray:
    """Return digits ``(n, 8, 8)`` of 0 to 16 as ``(n, 8 * SCALE, 8 * SCALE)`` of 0 to 1, bilinearly."""
    rows = _resampling(digits.shape[1])
    return np.einsum("ri,nij,cj->nrc", rows, digits / 16, rows).astype(np.float32)


def _resampling(extent: int) -> np.ndarray:
    """Return the matrix ``(extent * SCALE, extent)`` of linear interpolation between centres of samples."""
    places = (np.arange(extent * SCALE) + 0.5) / SCALE - 0.5
    weights = 1 - np.abs(np.clip(places, 0, extent - 1)[:, None] - np.arange(extent))
    return np.maximum(weights, 0)


def make_canvas(
    name: str,
    digits: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    size: int,
    count: int,
    halves: int,
    strokes: int,
) -> Canvas:
    """Hide `count` of the enlarged `digits`, each at most once, among halves of others and strokes.

    Digits and halves do not overlap each other; strokes cross whatever is there.
    """
    extent = digits.shape[1]
    image = np.zeros((size, size), np.float32)
    order = rng.permutation(len(digits))
    corners = _apart(rng, count + halves, size - extent, extent)
    for i, (row, column) in enumerate(corners):
        digit = digits[order[i % len(order)]]
        if i >= count:
            digit = _half(digit, rng)
        image[row : row + extent, column : column + extent] += digit
    for _ in range(strokes):
        _draw_stroke(image, rng)
    image += rng.normal(scale=_LEVEL_OF_NOISE, size=image.shape).astype(np.float32)
    truth = pd.DataFrame(
        {
            "file": name,
            "x0": corners[:count, 1],
            "y0": corners[:count, 0],
            "x1": corners[:count, 1] + extent,
            "y1": corners[:count, 0] + extent,
            "label": [str(labels[k]) for k in order[:count]],
        }
    )
    return Canvas(name, image[None], truth)


def _apart(rng: np.random.Generator, count: int, most: int, distance: int) -> np.ndarray:
    """Return corners ``(count, 2)`` from 0 to `most` that are `distance` apart on one axis at least."""
    corners = np.empty((0, 2), np.int64)
    while len(corners) < count:
        corner = rng.integers(0, most, size=2, endpoint=True)
        if (np.abs(corners - corner).max(axis=1, initial=0) >= distance).all():
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
    length, angle = rng.uniform(8, 8 * SCALE), rng.uniform(0, np.pi)
    reach = 8 * SCALE
    row, column = rng.integers(reach, np.array(image.shape) - reach)
    y, x = np.mgrid[-reach:reach, -reach:reach]
    along = np.clip(x * np.cos(angle) + y * np.sin(angle), -length / 2, length / 2)
    distance = np.hypot(x - along * np.cos(angle), y - along * np.sin(angle))
    ink = np.clip(SCALE / 2 + 0.5 - distance, 0, 1).astype(np.float32)
    area = image[row - reach : row + reach, column - reach : column + reach]
    np.maximum(area, rng.uniform(0.5, 1) * ink, out=area)
