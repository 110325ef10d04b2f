"""The threshold comes from validation data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanwise._checks import real
from scanwise.errors import ArgumentError
from scanwise.events._match import best_first, match

__all__ = ["best_threshold", "threshold_table"]


def threshold_table(
    found: pd.DataFrame, truth: pd.DataFrame, *, tolerance: float | Sequence[float], seconds: float | None = None
) -> pd.DataFrame:
    """How well every threshold does, from one search at a low one.

    Parameters
    ----------
    found
        Events of one or several inputs, found at a threshold below all that are of interest, equal for all
        classes.
    truth, tolerance
        As in `match`.
    seconds
        Duration of all that was searched, inputs without events included. None leaves `false_alarms_per_hour`
        out.

    Returns
    -------
    DataFrame
        A row for each distinct score, falling: `threshold` (the score; events at it count), `true_positives`,
        `false_positives`, `false_negatives`, `precision`, `recall`, `f1`; with `seconds` also
        `false_alarms_per_hour`, which never falls as the threshold does.

    Notes
    -----
    Nothing is matched or searched again. Both `find_peaks` and `match` take events by falling score, and a
    decision never depends on a lower score, so the events and pairs at a threshold are those above it.

    Raises
    ------
    ArgumentError
        When `seconds` is not positive, or as `match` does.
    """
    order = best_first(found)
    scores = found["score"].to_numpy(dtype=np.float64)[order]
    paired = np.zeros(len(found), dtype=bool)
    paired[[row for row, _ in match(found, truth, tolerance=tolerance).pairs]] = True
    last_of_score = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    counted = last_of_score + 1
    true_positives = np.cumsum(paired[order])[last_of_score]
    table = pd.DataFrame(
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
    if seconds is not None:
        table["false_alarms_per_hour"] = table["false_positives"] * 3600 / real("seconds", seconds, above=0)
    return table


def best_threshold(
    found: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    tolerance: float | Sequence[float],
    floor: float | None = None,
    seconds: float | None = None,
    false_alarms_per_hour: float | None = None,
) -> float:
    """Choose the threshold of the highest F1, or the lowest with few enough false alarms, over all inputs together.

    Any threshold between the lowest score that counts and the highest that does not gives the same events;
    the middle is taken. Of several with equal F1 the highest is taken.

    Parameters
    ----------
    found, truth, tolerance
        As in `threshold_table`.
    floor
        The threshold `found` was searched at: nothing lies between it and the lowest score. None means that
        score.
    seconds
        Duration of all that was searched. For `false_alarms_per_hour` only.
    false_alarms_per_hour
        How many false alarms an hour are bearable. The lowest threshold with no more of them is chosen, as it
        finds the most; where even the highest score is one too many, that is the next number above this score,
        at which nothing is found. `truth` may then be empty, since in a recording without events all that is
        found is a false alarm. Where nothing was found the floor is chosen. None means the highest F1.

    Raises
    ------
    ArgumentError
        When `floor` is above a score, or as `match` does. For the highest F1, when either table is empty. For
        few false alarms, when `seconds` is missing or not positive, the number is negative, or nothing was
        found and there is no `floor`.

    Examples
    --------
    >>> import pandas as pd
    >>> found = pd.DataFrame({"file": "a", "start": [0, 90, 50], "end": [4, 94, 54], "label": "call"})
    >>> found = found.assign(score=[0.9, 0.7, 0.5])
    >>> truth = found.loc[:0, ["file", "start", "end", "label"]]
    >>> best_threshold(found, truth, tolerance=2)
    0.8
    >>> best_threshold(found, truth, tolerance=2, seconds=1800, false_alarms_per_hour=2)
    0.6
    """
    by_alarms = false_alarms_per_hour is not None
    if by_alarms and seconds is None:
        raise ArgumentError(
            "seconds must be given with false_alarms_per_hour; got None. Give the duration of all that was searched."
        )
    if not by_alarms and (found.empty or truth.empty):
        raise ArgumentError(
            f"found and truth must each hold an event; got {len(found)} and {len(truth)}. "
            "Search at a lower threshold, or give validation data in which there is something to find."
        )
    table = threshold_table(found, truth, tolerance=tolerance, seconds=seconds)
    scores = table["threshold"].to_numpy()
    if floor is None:
        if not len(scores):
            raise ArgumentError("floor must be given if nothing was found; got None. Give the search's threshold.")
        floor = float(scores[-1])
    if len(scores) and floor > scores[-1]:
        raise ArgumentError(f"floor must be at most the lowest score, {scores[-1]}; got {floor}.")
    if not by_alarms:
        return _between(scores, int(table["f1"].to_numpy().argmax()), floor)
    most = real("false_alarms_per_hour", false_alarms_per_hour, least=0)
    return _between(scores, int((table["false_alarms_per_hour"] <= most).sum()) - 1, floor)


def _between(scores: np.ndarray, last: int, floor: float) -> float:
    """A threshold that is reached by `scores` up to the one at `last`, -1 for none; they fall from 0 on."""
    if not len(scores):
        return floor
    if last < 0:
        return float(np.nextafter(scores[0], np.inf))
    lowest, next_lower = scores[last], np.append(scores, floor)[last + 1]
    middle = (lowest + next_lower) / 2
    # Between two numbers without another between them, the middle is one of them.
    return float(middle if middle > next_lower else lowest)
