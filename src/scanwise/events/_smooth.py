"""Steadier scores."""

from __future__ import annotations

import numpy as np

from scanwise._checks import whole
from scanwise.errors import ArgumentError

__all__ = ["smooth"]


def smooth(scores: np.ndarray, width: int) -> np.ndarray:
    """Average the scores of a signal over neighbouring positions.

    Each position gets the mean over the `width` positions around it; near an end, over those of them that
    exist. Sums are taken in float64, in the order of the positions and each on its own, never as a difference
    of running sums. Hence a score depends on the `width` scores around it and on nothing else, to the last
    bit: parts that overlap by ``width - 1`` give what the whole gives.

    Parameters
    ----------
    scores
        ``(classes, positions)``.
    width
        Positions to average over, odd.

    Returns
    -------
    ndarray
        ``(classes, positions)``, float32. With a width of 1, `scores` itself.

    Raises
    ------
    ArgumentError
        When the scores have another number of axes, or the width is not an odd whole number of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> smooth(np.array([[0.0, 3.0, 0.0, 0.0, 6.0]]), 3)
    array([[1.5, 1. , 1. , 2. , 3. ]], dtype=float32)
    """
    if scores.ndim != 2:
        raise ArgumentError(f"scores must be (classes, positions); got shape {scores.shape}. Smooth signals only.")
    if whole("width", width) % 2 == 0:
        raise ArgumentError(f"width must be odd, to have a middle; got {width}. Take {width - 1} or {width + 1}.")
    if width == 1:
        return scores
    positions = scores.shape[1]
    reach = min(width // 2, positions - 1)
    total, count = np.zeros(scores.shape), np.zeros(positions)
    for offset in range(-reach, reach + 1):
        here = slice(max(0, -offset), positions - max(0, offset))
        there = slice(max(0, offset), positions - max(0, -offset))
        total[:, here] += scores[:, there]
        count[here] += 1
    return (total / count).astype(np.float32)
