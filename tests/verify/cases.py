"""Small sets of scores, most of them with ties, and the slow way to judge them: fractions, and every pair of points."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np

Scores = tuple[np.ndarray, np.ndarray]
Points = list[tuple[Fraction, Fraction]]


def small_cases(count: int, seed: int = 0) -> Iterator[Scores]:
    """Draw sets of 1 to 12 scores of either kind, on few levels or many, of either sign, float32 and float64."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        sizes = rng.integers(1, 13, size=2)
        levels = rng.choice([1, 2, 3, 5, 1000])
        drawn = [rng.integers(levels, size=size) + rng.integers(2) * number % 3 for size in sizes]
        scale = rng.choice([-1.0, 0.1, 1.0])
        target, nontarget = (np.asarray(part * scale - 0.2, rng.choice(["f4", "f8"])) for part in drawn)
        yield target, nontarget


def points(target: np.ndarray, nontarget: np.ndarray) -> Points:
    """Miss rate and false accept rate at every threshold, from accepting all to rejecting all."""
    thresholds = [*sorted({*target.tolist(), *nontarget.tolist()}), float("inf")]
    return [
        (
            Fraction(sum(score < t for score in target.tolist()), len(target)),
            Fraction(sum(score >= t for score in nontarget.tolist()), len(nontarget)),
        )
        for t in thresholds
    ]


def crossing(a: tuple[Fraction, Fraction], b: tuple[Fraction, Fraction]) -> Fraction:
    """Where errors are equal between `a`, which accepts at least as much as it misses, and `b`, which does not."""
    gap_a, gap_b = a[1] - a[0], b[0] - b[1]
    return a[0] + (b[0] - a[0]) * gap_a / (gap_a + gap_b) if gap_a + gap_b else a[0]


def interpolated(curve: Points) -> Fraction:
    """The crossing of neighbouring points."""
    (value,) = {crossing(a, b) for a, b in pairwise(curve) if a[1] > a[0] and b[1] <= b[0]}
    return value


def on_hull(curve: Points) -> Fraction:
    """The lowest crossing of any two points: chords are all that a convex hull is made of."""
    return min(crossing(a, b) for a in curve for b in curve if a[1] >= a[0] and b[1] <= b[0])


def midpoint(curve: Points) -> Fraction:
    """The errors where they are equal, else half their sum at the better of the two points around equality."""
    ((a, b),) = [(a, b) for a, b in pairwise(curve) if a[1] > a[0] and b[1] <= b[0]]
    return b[0] if b[0] == b[1] else min(sum(a), sum(b)) / 2
