"""How many trials each threshold decides wrongly: the one core from which every figure of verification is taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scanwise.errors import ArgumentError

__all__ = ["Roc", "Trials", "allowed", "between", "checked_scores"]


@dataclass(frozen=True, eq=False)
class Roc:
    """Errors at every threshold; a trial is accepted if its score is the threshold or more.

    Trials of one score are decided together, so ties are merged: between two neighbouring points lies one distinct
    score. The first point accepts all, the last rejects all.

    Attributes
    ----------
    thresholds
        ``(points,)`` rising: the lowest score, half-way between neighbouring ones, and infinity.
    misses
        ``(points,)``: target trials that are rejected, weighted.
    false_accepts
        ``(points,)``: nontarget trials that are accepted, weighted.
    """

    thresholds: np.ndarray
    misses: np.ndarray
    false_accepts: np.ndarray

    @classmethod
    def of(cls, target: Any, nontarget: Any) -> Roc:
        """Count the errors of target and nontarget scores.

        Raises
        ------
        ArgumentError
            If there are no scores of one kind, or one is not finite.
        """
        scores = checked_scores("target", target), checked_scores("nontarget", nontarget)
        return Trials.of(np.concatenate(scores), np.repeat([True, False], [len(part) for part in scores])).roc()

    @property
    def targets(self) -> int:
        """Target trials."""
        return int(self.misses[-1])

    @property
    def nontargets(self) -> int:
        """Nontarget trials."""
        return int(self.false_accepts[0])

    @property
    def miss_rate(self) -> np.ndarray:
        """Share of target trials that are rejected, at each point."""
        return self.misses / self.targets

    @property
    def false_accept_rate(self) -> np.ndarray:
        """Share of nontarget trials that are accepted, at each point."""
        return self.false_accepts / self.nontargets

    def at(self, points: np.ndarray) -> Roc:
        """Some of the points."""
        return Roc(self.thresholds[points], self.misses[points], self.false_accepts[points])

    def convex_hull(self) -> Roc:
        """The points on the lower convex hull of misses over false accepts, without those on its edges.

        Its errors are those of scores that are calibrated as well as can be (Fawcett and Niculescu-Mizil 2007, "PAV
        and the ROC convex hull").
        """
        x, y = -np.diff(self.false_accepts), np.diff(self.misses)
        corner = np.ones(len(self.misses), bool)
        corner[1:-1] = y[:-1] * x[1:] < y[1:] * x[:-1]  # no other can be on the hull, and there are few
        candidates = self.at(np.flatnonzero(corner))
        x, y = candidates.false_accepts.tolist(), candidates.misses.tolist()  # Python's whole numbers do not overflow
        kept: list[int] = []
        for c in range(len(x)):
            while len(kept) > 1:
                a, b = kept[-2:]
                if (y[b] - y[a]) * (x[b] - x[c]) < (y[c] - y[b]) * (x[a] - x[b]):
                    break
                kept.pop()
            kept.append(c)
        return candidates.at(np.array(kept))


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials in the order of their scores, so that they can be counted often with other weights.

    Attributes
    ----------
    scores
        ``(trials,)`` rising.
    same
        ``(trials,)``: whether each is a target trial.
    order
        ``(trials,)``: where each stood in the order in which they were given.
    """

    scores: np.ndarray
    same: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, same: np.ndarray) -> Trials:
        """Bring trials in order."""
        order = np.argsort(scores, kind="stable")
        return cls(scores[order], same[order], order)

    @cached_property
    def firsts(self) -> np.ndarray:
        """The first trial of each distinct score."""
        return np.flatnonzero(np.append(True, self.scores[1:] != self.scores[:-1]))

    @cached_property
    def thresholds(self) -> np.ndarray:
        """A threshold for each point: the lowest score, half-way between neighbouring ones, infinity."""
        distinct = self.scores[self.firsts]
        return np.concatenate([distinct[:1], between(distinct[:-1], distinct[1:]), [np.inf]])

    def roc(self, weights: np.ndarray | None = None) -> Roc:
        """Count errors, each trial as often as its whole weight says, in the order in which they were given."""
        count = np.ones(len(self.scores), np.int64) if weights is None else weights[self.order]
        target = np.add.reduceat(np.where(self.same, count, 0), self.firsts)
        nontarget = np.add.reduceat(np.where(self.same, 0, count), self.firsts)
        curve = Roc(
            self.thresholds,
            np.append(0, np.cumsum(target)),
            np.append(np.cumsum(nontarget[::-1])[::-1], 0),
        )
        return curve if weights is None else curve.at(np.flatnonzero(np.append(target + nontarget > 0, True)))


def allowed(rates: Any, trials: int) -> np.ndarray:
    """Return how many of some trials are no larger a share than each rate: 29 of 100 for 0.29, 1 of 49 for 1/49."""
    nearest = np.rint(np.multiply(rates, trials)).astype(np.int64)
    return np.asarray(nearest - (nearest / trials > rates))


def between(low: Any, high: Any) -> np.ndarray:
    """Return thresholds half-way between scores; where none lies between two, the higher one.

    They are of the scores' own type: in another, a score could be rounded across a threshold when it is compared.
    """
    middle = low / 2 + high / 2
    return np.asarray(np.where(middle > low, middle, high))


def checked_scores(name: str, scores: Any) -> np.ndarray:
    """Return scores as ``(n,)`` numbers, if there are any and all are finite.

    Raises
    ------
    ArgumentError
        Otherwise.
    """
    array = np.asarray(scores)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise ArgumentError(
            f"{name} must be numbers of shape (trials,); got {array.dtype} {array.shape}. Give one score a trial."
        )
    if not len(array):
        raise ArgumentError(
            f"{name} must hold a score at least; got none. Without trials of both kinds no error can be measured."
        )
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        at = int(finite.argmin())
        raise ArgumentError(f"{name} must be finite; got {array[at]} at {at}. Find out why there is no score.")
    return array
