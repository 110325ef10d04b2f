"""The threshold comes from validation data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError
from scanwise.events._match import best_first, match

__all__ = ["best_threshold", "threshold_table"]


def threshold_table(found: pd.DataFrame, truth: pd.DataFrame, *, tolerance: float | Sequence[float]) -> pd.DataFrame:
    """How well every threshold does, from one search at a low one.

    Parameters
    ----------
    found
        Events of one or several inputs, found at a threshold below all that are of interest, equal for all
        classes.
    truth, tolerance
        As in `match`.

    Returns
    -------
    DataFrame
        A row for each distinct score, falling: `threshold` (the score; events at it count), `true_positives`,
        `false_positives`, `false_negatives`, `precision`, `recall`, `f1`.

    Notes
    -----
    Nothing is matched or searched again. Both `find_peaks` and `match` take events by falling score, and a
    decision never depends on a lower score, so the events and pairs at a threshold are those above it.

    Raises
    ------
    ArgumentError
        As `match` does.
    """
    order = best_first(found)
    scores = found["score"].to_numpy(dtype=np.float64)[order]
    paired = np.zeros(len(found), dtype=bool)
    paired[[row for row, _ in match(found, truth, tolerance=tolerance).pairs]] = True
    last_of_score = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    counted = last_of_score + 1
    true_positives = np.cumsum(paired[order])[last_of_score]
    return pd.DataFrame(
        {
            "threshold": scores[last_of_score],
            "true_positives": true_positives,
            "false_positives": counted - true_positives,
            "false_negatives": len(truth) - true_positives,
            "precision": true_positives / counted,
            "recall": true_positives / len(truth) if len(truth) else np.ones(len(counted)),
            "f1": 2 * true_positives / (counted + len(truth)),
        }
    )


def best_threshold(
    found: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    tolerance: float | Sequence[float],
    floor: float | None = None,
) -> float:
    """Choose the threshold of the highest F1 over all inputs together.

    Any threshold between the lowest score that counts and the highest that does not gives the same events;
    the middle is taken. Of several with equal F1 the highest is taken.

    Parameters
    ----------
    found, truth, tolerance
        As in `threshold_table`.
    floor
        The threshold `found` was searched at: nothing lies between it and the lowest score. None means that
        score.

    Raises
    ------
    ArgumentError
        When either table is empty, `floor` is above a score, or as `match` does.
    """
    if found.empty or truth.empty:
        raise ArgumentError(
            f"found and truth must each hold an event; got {len(found)} and {len(truth)}. "
            "Search at a lower threshold, or give validation data in which there is something to find."
        )
    table = threshold_table(found, truth, tolerance=tolerance)
    scores = table["threshold"].to_numpy()
    floor = float(scores[-1]) if floor is None else floor
    if floor > scores[-1]:
        raise ArgumentError(f"floor must be at most the lowest score, {scores[-1]}; got {floor}.")
    best = int(table["f1"].to_numpy().argmax())
    return float((scores[best] + np.append(scores, floor)[best + 1]) / 2)
