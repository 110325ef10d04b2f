"""What wrong decisions cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from scanwise._checks import real
from scanwise.errors import ArgumentError
from scanwise.verify._roc import Roc, allowed, checked_scores

__all__ = ["DCF", "Costs", "TarAtFar", "actual_dcf", "cllr", "dcf_of", "min_cllr", "min_dcf", "tar_at_far", "tar_of"]


@dataclass(frozen=True)
class Costs:
    """What is at stake in a decision.

    Attributes
    ----------
    p_target
        Prior probability of a target trial, above 0 and below 1.
    c_miss, c_fa
        Cost of a miss and of a false accept, above 0.
    """

    p_target: float = 0.01
    c_miss: float = 1.0
    c_fa: float = 1.0

    def __post_init__(self) -> None:
        for name in ("p_target", "c_miss", "c_fa"):
            real(name, getattr(self, name), above=0)
        if self.p_target >= 1:
            raise ArgumentError(f"p_target must be below 1; got {self.p_target}. It is a probability.")

    @property
    def miss(self) -> float:
        """Expected cost of rejecting all."""
        return self.p_target * self.c_miss

    @property
    def false_accept(self) -> float:
        """Expected cost of accepting all."""
        return (1 - self.p_target) * self.c_fa

    @property
    def llr_threshold(self) -> float:
        """Log-likelihood ratio from which accepting is the cheaper decision, if the ratio is right."""
        return log(self.false_accept / self.miss)

    def of(self, miss_rate: Any, false_accept_rate: Any) -> Any:
        """Expected cost over that of the better of accepting all and rejecting all."""
        return (self.miss * miss_rate + self.false_accept * false_accept_rate) / min(self.miss, self.false_accept)


@dataclass(frozen=True)
class DCF:
    """A detection cost, normalised: 1 is what deciding without looking costs.

    Attributes
    ----------
    value
        The cost.
    threshold
        Scores of it and above are accepted. Infinity where rejecting all is cheapest.
    misses, false_accepts
        Trials that it decides wrongly.
    targets, nontargets
        Trials of each kind.
    """

    value: float
    threshold: float
    misses: int
    false_accepts: int
    targets: int
    nontargets: int


def min_dcf(target: Any, nontarget: Any, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> DCF:
    """Return the lowest normalised detection cost of any threshold; accepting all and rejecting all are among them.

    ``(p_target c_miss P_miss + (1 - p_target) c_fa P_fa) / min(p_target c_miss, (1 - p_target) c_fa)``, so never above
    1 (NIST speaker recognition evaluation plans).

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` scores, see `eer`.
    p_target, c_miss, c_fa
        See `Costs`.

    Raises
    ------
    ArgumentError
        As `eer`, and if a cost is not above 0 or the prior no probability.

    Examples
    --------
    >>> min_dcf([0.1, 0.9], [0.5], p_target=0.99).value
    1.0
    """
    return dcf_of(Roc.of(target, nontarget), Costs(p_target, c_miss, c_fa))


def dcf_of(roc: Roc, costs: Costs) -> DCF:
    """Return the lowest cost on a curve."""
    best = int(np.argmin(costs.of(roc.miss_rate, roc.false_accept_rate)))
    return _dcf(costs, float(roc.thresholds[best]), int(roc.misses[best]), int(roc.false_accepts[best]), roc)


def _dcf(costs: Costs, threshold: float, misses: int, false_accepts: int, roc: Roc) -> DCF:
    value = costs.of(misses / roc.targets, false_accepts / roc.nontargets)
    return DCF(float(value), threshold, misses, false_accepts, roc.targets, roc.nontargets)


def actual_dcf(target: Any, nontarget: Any, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> DCF:
    """Return the normalised detection cost at the threshold that log-likelihood ratios call for.

    The scores must be natural log-likelihood ratios, as `Calibration.llr` gives them: the threshold is
    ``log((1 - p_target) c_fa / (p_target c_miss))`` whatever the scores. What it costs more than `min_dcf` is due to
    calibration. Parameters, and what is raised, as there.

    Examples
    --------
    >>> actual_dcf([2.0, 3.0], [-3.0, -1.0], p_target=0.5).value
    0.0
    """
    costs = Costs(p_target, c_miss, c_fa)
    roc = Roc.of(target, nontarget)
    accepted = [int(np.count_nonzero(np.asarray(s, np.float64) >= costs.llr_threshold)) for s in (target, nontarget)]
    return _dcf(costs, costs.llr_threshold, roc.targets - accepted[0], accepted[1], roc)


def cllr(target: Any, nontarget: Any) -> float:
    """Return the cost of log-likelihood ratios over all priors, in bits (Brümmer and du Preez 2006, equation 12).

    0 is perfect, 1 says nothing, more misleads.

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` natural log-likelihood ratios.

    Raises
    ------
    ArgumentError
        As `eer`.

    Examples
    --------
    >>> cllr([0.0], [0.0])
    1.0
    """
    costs = [
        np.logaddexp(0, sign * checked_scores(name, scores).astype(np.float64)).mean()
        for name, scores, sign in (("target", target, -1), ("nontarget", nontarget, 1))
    ]
    return float(sum(costs) / (2 * log(2)))


def min_cllr(target: Any, nontarget: Any) -> float:
    """Return the `cllr` that is left when any scores are calibrated as well as their order allows.

    Every edge of the ROC's convex hull is a set of trials with one best ratio, that of its misses to its false accepts.

    Parameters, and what is raised, as in `eer`.

    Examples
    --------
    >>> min_cllr([3.0, 2.0], [1.0, 0.0])
    0.0
    """
    hull = Roc.of(target, nontarget).convex_hull()
    target_mass, nontarget_mass = np.diff(hull.miss_rate), -np.diff(hull.false_accept_rate)
    mixed = (target_mass > 0) & (nontarget_mass > 0)
    a, b = target_mass[mixed], nontarget_mass[mixed]
    return float((a * np.log2(1 + b / a) + b * np.log2(1 + a / b)).sum() / 2)


@dataclass(frozen=True)
class TarAtFar:
    """The true accept rate at a bound of the false accept rate.

    Attributes
    ----------
    value
        Share of target trials that are accepted; None if the trials are too few to measure the bound.
    far
        The bound.
    threshold
        Scores of it and above are accepted; None as above.
    false_accepts, nontargets
        How many nontarget trials it accepts, of how many.
    """

    value: float | None
    far: float
    threshold: float | None
    false_accepts: int | None
    nontargets: int

    def __str__(self) -> str:
        bound = f"TAR at FAR {self.far:g}"
        if self.value is None:
            least = f"{self.nontargets:,} nontarget trials can show {1 / self.nontargets:.3g} at the least"
            return f"{bound}: not measurable, {least}"
        return f"{bound}: {100 * self.value:.4g} % at {self.threshold:.6g}"


def tar_at_far(target: Any, nontarget: Any, far: float) -> TarAtFar:
    """Return the largest true accept rate at which no larger a share of nontarget trials is accepted than `far`.

    No two points are joined by a line: the rate is that of a threshold. Below one in the number of nontarget trials the
    bound cannot be told from 0, and there is no value.

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` scores, see `eer`.
    far
        From 0 to 1.

    Raises
    ------
    ArgumentError
        As `eer`, and if `far` is no share.

    Examples
    --------
    >>> tar_at_far([0.9, 0.6, 0.3], [0.5, 0.2], 0.5).value, tar_at_far([0.9], [0.5, 0.2], 0.1).value
    (1.0, None)
    """
    return tar_of(Roc.of(target, nontarget), far)


def tar_of(roc: Roc, far: float) -> TarAtFar:
    """Return the true accept rate of a curve, see `tar_at_far`."""
    if not 0 <= real("far", far) <= 1:
        raise ArgumentError(f"far must be from 0 to 1; got {far}. It is a share of the nontarget trials.")
    most = int(allowed(far, roc.nontargets))
    if not most:
        return TarAtFar(None, far, None, None, roc.nontargets)
    point = int(np.argmax(roc.false_accepts <= most))
    value = 1 - int(roc.misses[point]) / roc.targets
    return TarAtFar(value, far, float(roc.thresholds[point]), int(roc.false_accepts[point]), roc.nontargets)
