"""What is found against what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError
from scanwise.events._table import bounds_columns

__all__ = ["Match", "best_first", "match"]


@dataclass(frozen=True)
class Match:
    """How found events and true ones agree.

    Parameters
    ----------
    pairs
        Found row and true row of each agreement, row numbers counted from 0, the highest score first.
    found_count, true_count
        Rows of the two tables.
    """

    pairs: tuple[tuple[int, int], ...]
    found_count: int
    true_count: int

    @property
    def true_positives(self) -> int:
        """Found events that are true."""
        return len(self.pairs)

    @property
    def false_positives(self) -> int:
        """Found events that are not."""
        return self.found_count - len(self.pairs)

    @property
    def false_negatives(self) -> int:
        """True events that were missed."""
        return self.true_count - len(self.pairs)

    @property
    def precision(self) -> float:
        """True ones among the found; 1 when nothing was found."""
        return len(self.pairs) / self.found_count if self.found_count else 1.0

    @property
    def recall(self) -> float:
        """Found ones among the true; 1 when there was nothing to find."""
        return len(self.pairs) / self.true_count if self.true_count else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both, ``2 TP / (2 TP + FP + FN)``; 1 when both tables are empty."""
        total = self.found_count + self.true_count
        return 2 * len(self.pairs) / total if total else 1.0


def match(found: pd.DataFrame, truth: pd.DataFrame, *, tolerance: float | Sequence[float]) -> Match:
    """Match found events with true ones, each at most once.

    Found events are taken one by one, the highest score first, equal scores in the order of their rows. Each
    takes the nearest true event (by the larger of its distances on the axes, ties by row) that nobody took
    before, of its file and its label, whose centre lies within the tolerance of its own on every axis. What a
    found event takes depends on higher scores only; `threshold_table` relies on it.

    Parameters
    ----------
    found
        Columns of `events_table`.
    truth
        Columns of `event_columns`. Files are compared as they are written.
    tolerance
        Samples between the centres, at the most, in all or per axis, rows before columns. Half a window is
        usual.

    Raises
    ------
    ArgumentError
        When a table lacks columns, the tables are of different kinds, scores hold NaN, or a tolerance is
        negative.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"file": ["a"], "start": [10], "end": [20], "label": ["beat"]})
    >>> result = match(truth.assign(start=12, end=22, score=0.9), truth, tolerance=5)
    >>> result.pairs, result.f1
    (((0, 0),), 1.0)
    """
    bounds = bounds_columns(truth, "truth")
    if bounds_columns(found, "found") != bounds:
        raise ArgumentError("found and truth must both be of signals or both of images; got one of each.")
    limits = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), (len(bounds),))
    if not (limits >= 0).all():
        raise ArgumentError(f"tolerance must be at least 0; got {tolerance}. Half a window is usual.")
    found_at, truth_at = _centres(found, bounds), _centres(truth, bounds)
    groups = truth.reset_index(drop=True).groupby(["file", "label"], sort=False).indices
    taken = np.zeros(len(truth), dtype=bool)
    keys = list(zip(found["file"], found["label"], strict=True))
    pairs = []
    for row in best_first(found).tolist():
        near = groups.get(keys[row], np.empty(0, dtype=np.intp))
        distance = np.abs(truth_at[near] - found_at[row])
        near = near[(distance <= limits).all(axis=1) & ~taken[near]]
        if len(near):
            nearest = int(near[np.abs(truth_at[near] - found_at[row]).max(axis=1).argmin()])
            taken[nearest] = True
            pairs.append((row, nearest))
    return Match(tuple(pairs), len(found), len(truth))


def best_first(found: pd.DataFrame) -> np.ndarray:
    """Row numbers by falling score, equal scores in the order of the rows."""
    if "score" not in found:
        raise ArgumentError("found must have the column score; got none. Take it from events_table.")
    scores = found["score"].to_numpy(dtype=np.float64)
    if np.isnan(scores).any():
        raise ArgumentError(f"found must have a score in every row; got {int(np.isnan(scores).sum())} NaN.")
    return np.argsort(-scores, kind="stable")


def _centres(table: pd.DataFrame, bounds: tuple[tuple[str, str], ...]) -> np.ndarray:
    """`(rows, axes)` in samples; halves are exact."""
    sums = [table[first].to_numpy(np.float64) + table[last].to_numpy(np.float64) for first, last in bounds]
    return np.stack(sums, axis=1) / 2
