"""The score from which a class counts as found."""

from __future__ import annotations

import numpy as np

__all__ = ["class_thresholds"]


def class_thresholds(scores: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """Thresholds that tell each class' validation windows best from all the others.

    Parameters
    ----------
    scores
        ``(windows, classes)``.
    y
        ``(windows,)``, the true class numbers.

    Returns
    -------
    tuple of float
        Per class the threshold of the highest F1, the highest one of several. Of the scores between which
        it may lie without any difference, the middle.
    """
    return tuple(_best(scores[:, k], y == k) for k in range(scores.shape[1]))


def _best(scores: np.ndarray, is_class: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    hits = np.cumsum(is_class[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + is_class.sum())
    f1[:-1][falling[:-1] == falling[1:]] = -1  # equal scores are accepted together
    best = int(f1.argmax())
    below = falling[best + 1] if best + 1 < len(falling) else 0.0
    return float((falling[best] + below) / 2)
