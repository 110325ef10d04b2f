"""From similarities to log-likelihood ratios, and from those to decisions."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from typing import Any

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.verify._costs import Costs, tar_of
from scanwise.verify._eer import eer_of
from scanwise.verify._roc import Roc, checked_scores

__all__ = ["Calibration", "calibrate", "threshold_at_costs", "threshold_at_eer", "threshold_at_far"]

_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """A straight line from scores to natural log-likelihood ratios.

    Attributes
    ----------
    scale, offset
        ``llr = scale * score + offset``; a scale of 0 says that scores tell nothing.
    """

    scale: float
    offset: float

    def __post_init__(self) -> None:
        if not (0 <= self.scale < np.inf and np.isfinite(self.offset)):
            raise ArgumentError(
                f"scale must be at least 0 and finite, as must offset; got {self.scale:g} and {self.offset:g}. "
                "More alike must not be less likely the same."
            )

    def llr(self, scores: Any) -> Any:
        """Natural logarithms of how much more likely scores are among target trials."""
        return self.scale * np.asarray(scores, np.float64) + self.offset

    def probability(self, scores: Any, p_target: float = 0.5) -> Any:
        """Probability that trials are target trials, of which `p_target` are before anything is seen."""
        return np.exp(-np.logaddexp(0, -self.llr(scores) - log(p_target / (1 - p_target))))

    def threshold(self, costs: Costs) -> float:
        """The score from which accepting is the cheaper decision; infinite where scores tell nothing."""
        if not self.scale:
            return -inf if self.offset >= costs.llr_threshold else inf
        return (costs.llr_threshold - self.offset) / self.scale


def calibrate(target: Any, nontarget: Any, p_target: float = 0.5) -> Calibration:
    """Fit the line by logistic regression (Brümmer and du Preez 2006), so that scores become log-likelihood ratios.

    Both kinds of trials weigh what the prior says, however many there are. Targets are a little less than certain, as
    in Platt (1999, section 2.2), so that the line stays finite where scores separate the kinds perfectly.

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` scores.
    p_target
        The prior at which ratios should be best, above 0 and below 1.

    Raises
    ------
    ArgumentError
        As `eer`, and if all scores are equal or targets do not score higher on the whole.

    Examples
    --------
    >>> line = calibrate([0.9, 0.8, 0.4], [0.1, 0.5, 0.2])
    >>> bool(line.probability(0.9) > 0.5 > line.probability(0.1))
    True
    """
    prior = Costs(p_target).p_target
    kinds = [checked_scores(n, s).astype(np.float64) for n, s in (("target", target), ("nontarget", nontarget))]
    scores = np.concatenate(kinds)
    centre, spread = scores.mean(), scores.std()
    if scores.min() == scores.max():
        raise ArgumentError(f"scores must differ; got {scores[0]:g} for all trials. Nothing can be told from them.")
    counts = [len(kind) for kind in kinds]
    wanted = np.repeat([(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
    weights = np.repeat([prior / counts[0], (1 - prior) / counts[1]], counts)
    design = np.stack([(scores - centre) / spread, np.ones(len(scores))], axis=1)
    line = _logistic(design, wanted, weights, log(prior / (1 - prior)))
    if not line[0] > 0:
        raise ArgumentError(
            f"target must score higher than nontarget on the whole; got means of {kinds[0].mean():g} and "
            f"{kinds[1].mean():g}. Similar samples would be called less likely the same."
        )
    return Calibration(float(line[0] / spread), float(line[1] - line[0] * centre / spread))


def _logistic(design: np.ndarray, wanted: np.ndarray, weights: np.ndarray, prior: float) -> np.ndarray:
    """Return the minimum of the weighted cross-entropy, by Newton steps that are halved until they descend."""

    def loss(line: np.ndarray) -> float:
        z = design @ line + prior
        return float(weights @ (np.logaddexp(0, z) - wanted * z))

    line, lowest = np.zeros(2), loss(np.zeros(2))
    for _ in range(_STEPS):
        p = np.exp(-np.logaddexp(0, -(design @ line + prior)))
        gradient = design.T @ (weights * (p - wanted))
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(hessian + 1e-12 * np.trace(hessian) * np.eye(2), gradient)
        while loss(line - step) > lowest and np.abs(step).max() > 1e-12:
            step = step / 2
        line = line - step
        lowest = loss(line)
        if np.abs(step).max() <= 1e-10 * (1 + np.abs(line).max()):
            break
    return line


def threshold_at_eer(target: Any, nontarget: Any) -> float:
    """Return the threshold of `eer`."""
    return eer_of(Roc.of(target, nontarget)).threshold


def threshold_at_far(target: Any, nontarget: Any, far: float) -> float:
    """Return the lowest threshold at which no larger a share of nontarget trials is accepted than `far`.

    Raises
    ------
    ArgumentError
        As `tar_at_far`, and if the bound is not measurable.
    """
    found = tar_of(Roc.of(target, nontarget), far)
    if found.threshold is None:
        raise ArgumentError(f"far must be measurable; {found}. Take more trials, or a larger rate.")
    return found.threshold


def threshold_at_costs(target: Any, nontarget: Any, costs: Costs) -> float:
    """Return the score from which accepting is the cheaper decision, by logistic calibration.

    Raises
    ------
    ArgumentError
        As `calibrate`.
    """
    return calibrate(target, nontarget, costs.p_target).threshold(costs)
