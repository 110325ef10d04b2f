"""The equal error rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from scanwise._checks import choice
from scanwise.verify._roc import Roc

__all__ = ["EER", "METHODS", "Point", "crossing", "eer", "eer_between", "eer_of"]

METHODS = ("interpolated", "convex_hull", "midpoint")
"""Ways to read an equal error rate off a curve that has steps."""


@dataclass(frozen=True)
class EER:
    """An equal error rate, and what is known of it.

    No threshold need have equal errors. So a rate is read off between two neighbouring operating points, and both are
    told: the true crossing lies between their errors.

    Attributes
    ----------
    value
        The rate, from 0 to 1.
    low, high
        Bounds: any curve that falls from one of the two points to the other crosses between them.
    threshold
        Of the one of the two whose larger error is smaller, or whose errors are more equal; half-way between the two
        neighbouring scores. Scores of it and above are accepted.
    misses, false_accepts
        Trials that this threshold decides wrongly.
    targets, nontargets
        Trials of each kind.
    method
        How it was read, see `eer`.
    """

    value: float
    low: float
    high: float
    threshold: float
    misses: int
    false_accepts: int
    targets: int
    nontargets: int
    method: str

    def __str__(self) -> str:
        return (
            f"EER {100 * self.value:.3g} % ({self.method}, between {100 * self.low:.3g} and {100 * self.high:.3g} %) "
            f"at {self.threshold:.6g}: {self.misses:,} of {self.targets:,} targets missed, {self.false_accepts:,} of "
            f"{self.nontargets:,} nontargets accepted"
        )


def eer(target: Any, nontarget: Any, method: str = "interpolated") -> EER:
    """Return the equal error rate: where as large a share of nontarget trials is accepted as of targets rejected.

    Ties are merged, and accepting all and rejecting all are operating points like all others.

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` scores of trials that show the same identity, and of those that do not; higher is more alike.
    method
        ``"interpolated"``: where a straight line between neighbouring operating points crosses equality, as with
        scikit-learn's ``roc_curve``. ``"convex_hull"``: the same on the ROC's convex hull, the error that remains at
        the worst prior when scores are calibrated; never above 1/2 (Brümmer and de Villiers 2013, "The BOSARIS
        toolkit"). ``"midpoint"``: where errors are equal, else the mean of the two at the better of the
        neighbouring points, as in FVC2002 (Maio et al. 2002).

    Raises
    ------
    ArgumentError
        If there are no scores of one kind, one is not finite, or the method is unknown.

    Examples
    --------
    >>> found = eer([0.9, 0.8, 0.3], [0.1, 0.5, 0.2, 0.4])
    >>> round(found.value, 4), found.threshold, found.misses, found.false_accepts
    (0.3333, 0.45, 1, 1)
    """
    return eer_of(Roc.of(target, nontarget), method)


def eer_of(roc: Roc, method: str = "interpolated") -> EER:
    """Return the equal error rate of a curve, see `eer`."""
    curve = roc.convex_hull() if choice("method", method, METHODS) == "convex_hull" else roc
    points = [
        Point(float(curve.thresholds[i]), int(curve.misses[i]), int(curve.false_accepts[i]))
        for i in (crossing(curve) - 1, crossing(curve))
    ]
    return eer_between(*points, targets=roc.targets, nontargets=roc.nontargets, method=method)


def crossing(roc: Roc) -> int:
    """Return the first point at which targets are missed at least as often as nontargets are accepted; never the first.

    Found by halving, in Python's whole numbers, which do not overflow.
    """
    low, high = 0, len(roc.misses) - 1
    while high - low > 1:
        middle = (low + high) // 2
        reached = int(roc.misses[middle]) * roc.nontargets >= int(roc.false_accepts[middle]) * roc.targets
        low, high = (low, middle) if reached else (middle, high)
    return high


class Point(NamedTuple):
    """An operating point: scores from the threshold on are accepted."""

    threshold: float
    misses: int
    false_accepts: int


def eer_between(before: Point, after: Point, *, targets: int, nontargets: int, method: str) -> EER:
    """Return the equal error rate between the last point that accepts more than it misses and the first that does not.

    All fractions are exact until the last step.
    """
    misses = [Fraction(point.misses, targets) for point in (before, after)]
    accepts = [Fraction(point.false_accepts, nontargets) for point in (before, after)]
    larger = [max(pair) for pair in zip(misses, accepts, strict=True)]
    if method == "midpoint":
        sums = [sum(pair) for pair in zip(misses, accepts, strict=True)]
        better = int(sums[1] < sums[0] or misses[1] == accepts[1])
        value, low, high = sums[better] / 2, min(misses[better], accepts[better]), larger[better]
    else:
        gaps = [accept - miss for miss, accept in zip(misses, accepts, strict=True)]
        better = int((larger[1], -gaps[1]) < (larger[0], gaps[0]))
        value = misses[0] + (misses[1] - misses[0]) * gaps[0] / (gaps[0] - gaps[1])
        low, high = max(misses[0], accepts[1]), min(misses[1], accepts[0])
    chosen = (before, after)[better]
    return EER(
        float(value),
        float(low),
        float(high),
        chosen.threshold,
        chosen.misses,
        chosen.false_accepts,
        targets,
        nontargets,
        method,
    )
