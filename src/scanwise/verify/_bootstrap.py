"""How far figures would move with other people: the bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from scanwise._checks import real, whole
from scanwise.errors import ArgumentError
from scanwise.verify._eer import eer_of
from scanwise.verify._roc import Roc, Trials, allowed, checked_scores

__all__ = ["FEWEST_SUBJECTS", "DetBand", "Interval", "bootstrap", "det_band"]

FEWEST_SUBJECTS = 5
"""With fewer, draws repeat each other and an interval would promise too much."""

_TRIES = 20  # draws without trials of both kinds, for each that is wanted


@dataclass(frozen=True)
class Interval:
    """Where a figure lies, as far as the subjects at hand can tell.

    Attributes
    ----------
    value
        Of all trials.
    low, high
        The interval.
    level
        Share of other draws of subjects whose figure is expected inside.
    subjects
        How many there are.
    """

    value: float
    low: float
    high: float
    level: float
    subjects: int


@dataclass(frozen=True, eq=False)
class DetBand:
    """A DET curve with its band: miss rates at given false accept rates.

    Attributes
    ----------
    false_accept_rate
        ``(points,)`` rising.
    miss_rate, low, high
        ``(points,)``: of all trials, and the interval at each point.
    level, subjects
        As in `Interval`.
    """

    false_accept_rate: np.ndarray
    miss_rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    subjects: int


def bootstrap(
    scores: Any,
    first: Sequence[Any] | np.ndarray,
    second: Sequence[Any] | np.ndarray,
    statistic: Callable[[Roc], float] | None = None,
    *,
    level: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return a figure's confidence interval over subjects.

    Trials of one subject resemble each other, so drawing trials anew would promise too much. Subjects are drawn with
    replacement instead, and take all their trials with them: a trial of two subjects counts as often as one times as
    often as the other was drawn, a trial within a subject as often as that one was (the subsets bootstrap, Bolle, Ratha
    and Pankanti 2004). The interval is that of the figure's percentiles.

    Parameters
    ----------
    scores
        ``(trials,)``.
    first, second
        ``(trials,)`` subjects whose samples are compared; where they are the same, it is a target trial.
    statistic
        From the errors at all thresholds to the figure; by default the interpolated equal error rate.
    level
        Above 0 and below 1.
    rounds
        Draws of subjects.
    seed
        Of the draws.

    Raises
    ------
    ArgumentError
        As `eer`, and if lengths differ, or there are fewer than `FEWEST_SUBJECTS`, five, or too few for draws to
        have trials of both kinds.

    Examples
    --------
    >>> scores = [0.9, 0.4, 0.7, 0.6, 0.8, 0.3, 0.2, 0.5, 0.1, 0.3]
    >>> found = bootstrap(scores, list("abcdeabcde"), list("abcdebcdea"), rounds=200)
    >>> found.subjects, found.low <= found.value <= found.high
    (5, True)
    """
    read = statistic or (lambda roc: eer_of(roc).value)
    trials, draws, subjects = _prepared(scores, first, second, rounds, seed)
    values = np.array([read(trials.roc(weights)) for weights in draws])
    low, high = np.quantile(values, _tails(level))
    return Interval(float(read(trials.roc())), float(low), float(high), level, subjects)


def det_band(
    scores: Any,
    first: Sequence[Any] | np.ndarray,
    second: Sequence[Any] | np.ndarray,
    *,
    points: int = 200,
    level: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> DetBand:
    """Return a DET curve and its pointwise band over subjects, at false accept rates that are even in normal deviates.

    Parameters, and what is raised, as in `bootstrap`; ``points`` says at how many rates.
    """
    whole("points", points, least=2)
    trials, draws, subjects = _prepared(scores, first, second, rounds, seed)
    whole_curve = trials.roc()
    rates = _even_deviates(1 / whole_curve.nontargets, points)
    low, high = np.quantile([_miss_rates(trials.roc(weights), rates) for weights in draws], _tails(level), axis=0)
    return DetBand(rates, _miss_rates(whole_curve, rates), low, high, level, subjects)


def _prepared(
    scores: Any, first: Sequence[Any] | np.ndarray, second: Sequence[Any] | np.ndarray, rounds: int, seed: int
) -> tuple[Trials, Iterator[np.ndarray], int]:
    """Return trials in order, weights of drawn ones, and the number of subjects."""
    array = checked_scores("scores", scores)
    if not len(array) == len(first) == len(second):
        raise ArgumentError(
            f"first and second must name a subject for each of {len(array)} scores; got {len(first)} and {len(second)}."
        )
    names, numbers = np.unique(np.concatenate([np.asarray(first), np.asarray(second)]), return_inverse=True)
    one, other = numbers[: len(array)], numbers[len(array) :]
    if (one == other).all() or (one != other).all():
        raise ArgumentError(
            f"first and second must name trials within subjects and between them; got one kind, of {len(names)} "
            "subjects. Add trials of the other."
        )
    if len(names) < FEWEST_SUBJECTS:
        raise ArgumentError(
            f"subjects must be {FEWEST_SUBJECTS} at least for an interval over subjects; got {len(names)}. Add some."
        )
    same = one == other
    draws = _drawn_weights(one, other, same, len(names), whole("rounds", rounds), whole("seed", seed, least=0))
    return Trials.of(array, same), draws, len(names)


def _drawn_weights(
    one: np.ndarray, other: np.ndarray, same: np.ndarray, subjects: int, rounds: int, seed: int
) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    given = 0
    for _ in range(_TRIES * rounds):
        drawn = np.bincount(rng.integers(subjects, size=subjects), minlength=subjects)
        weights = np.where(same, drawn[one], drawn[one] * drawn[other])
        if weights[same].any() and weights[~same].any():
            yield weights
            given += 1
        if given == rounds:
            return
    raise ArgumentError(f"subjects must be more than {subjects} for drawn ones to have trials of both kinds. Add some.")


def _tails(level: float) -> tuple[float, float]:
    if real("level", level, above=0) >= 1:
        raise ArgumentError(f"level must be below 1; got {level}. 0.95 is usual.")
    return (1 - level) / 2, (1 + level) / 2


def _even_deviates(least: float, points: int) -> np.ndarray:
    """Return rates from `least`, or a quarter, to the other end whose normal deviates are equally far apart."""
    normal, first = NormalDist(), min(least, 0.25)
    end = normal.inv_cdf(first)
    inner = [normal.cdf(z) for z in np.linspace(end, -end, points)[1:-1].tolist()]
    return np.array([first, *inner, 1 - first])


def _miss_rates(roc: Roc, false_accept_rates: np.ndarray) -> np.ndarray:
    """Return the least miss rate at which no more is accepted falsely."""
    accepts = roc.false_accepts[::-1]  # rising
    points = len(accepts) - np.searchsorted(accepts, allowed(false_accept_rates, roc.nontargets), side="right")
    return np.asarray(roc.miss_rate[points])
