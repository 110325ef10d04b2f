"""The score from which a pattern counts as found."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

__all__ = ["pattern_threshold"]


def pattern_threshold(scores: np.ndarray, y: np.ndarray, background: Collection[int]) -> float:
    """The threshold that finds the patterns among validation windows best.

    Each window is answered with its best class that is no background. The answer is a right one if that is
    the window's class, and counts if its score reaches the threshold.

    Parameters
    ----------
    scores
        ``(windows, classes)``.
    y
        ``(windows,)``, the true class numbers.
    background
        Numbers of the classes that mean "no pattern".

    Returns
    -------
    float
        The threshold of the highest F1, the highest one of several; of the scores between which it may lie
        without any difference, the middle. One for all classes, as a class alone has few validation windows.
    """
    patterns = np.array([k for k in range(scores.shape[1]) if k not in background])
    best = scores[:, patterns]
    answers = patterns[best.argmax(axis=1)]
    order = np.argsort(-best.max(axis=1), kind="stable")
    falling = best.max(axis=1)[order]
    right = np.cumsum((answers == y)[order])
    counted = np.arange(1, len(falling) + 1)
    f1 = 2 * right / (counted + np.isin(y, patterns).sum())
    f1[:-1][falling[:-1] == falling[1:]] = -1  # equal scores count together
    lowest = int(f1.argmax())
    below = falling[lowest + 1] if lowest + 1 < len(falling) else 0.0
    return float((falling[lowest] + below) / 2)
