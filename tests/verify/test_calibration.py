"""From scores to probabilities and decisions."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from scanwise.errors import ArgumentError
from scanwise.verify import (
    Calibration,
    Costs,
    actual_dcf,
    calibrate,
    cllr,
    eer,
    min_cllr,
    min_dcf,
    threshold_at_costs,
    threshold_at_eer,
    threshold_at_far,
)


def normal_scores(targets: int = 4000, nontargets: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true ratio is a straight line: ``llr = 4 (s - 0.5)`` for means 0 and 1 and deviation 1/2."""
    rng = np.random.default_rng(0)
    return rng.normal(1, 0.5, targets), rng.normal(0, 0.5, nontargets)


def test_normal_scores_are_calibrated_to_their_true_ratio() -> None:
    line = calibrate(*normal_scores())
    assert line.scale == pytest.approx(4, rel=0.05)
    assert line.offset == pytest.approx(-2, rel=0.05)


@pytest.mark.parametrize("prior", [0.5, 0.01])
def test_it_is_a_weighted_logistic_regression(prior: float) -> None:
    target, nontarget = normal_scores(300, 2000)
    scores = np.concatenate([target, nontarget])
    # Targets that are a little less than certain are two weighted examples each.
    sure = np.repeat([301 / 302, 1 / 2002], [300, 2000])
    weight = np.repeat([prior / 300, (1 - prior) / 2000], [300, 2000])
    oracle = LogisticRegression(C=1e12, tol=1e-12, max_iter=10000).fit(
        np.concatenate([scores, scores])[:, None],
        np.repeat([1, 0], len(scores)),
        sample_weight=1000 * np.concatenate([weight * sure, weight * (1 - sure)]),
    )
    line = calibrate(target, nontarget, prior)
    assert line.scale == pytest.approx(oracle.coef_[0, 0], rel=1e-4)
    assert line.offset == pytest.approx(oracle.intercept_[0] - log(prior / (1 - prior)), rel=1e-4)


def test_calibrated_ratios_cost_little_more_than_the_best_and_decide_as_well() -> None:
    target, nontarget = normal_scores()
    line = calibrate(target, nontarget)
    ratios = line.llr(target), line.llr(nontarget)
    assert min_cllr(*ratios) <= cllr(*ratios) < min_cllr(*ratios) + 0.01
    fresh = np.random.default_rng(1)
    other = line.llr(fresh.normal(1, 0.5, 4000)), line.llr(fresh.normal(0, 0.5, 20000))
    assert actual_dcf(*other, p_target=0.1).value < min_dcf(*other, p_target=0.1).value + 0.02


def test_probabilities_follow_the_prior() -> None:
    line = Calibration(4.0, -2.0)
    assert line.probability(0.5) == 0.5
    assert line.probability(0.5, p_target=0.1) == pytest.approx(0.1)
    assert line.probability([-1e6, 1e6]).tolist() == [0.0, 1.0]


def test_scores_that_separate_perfectly_have_a_line() -> None:
    line = calibrate([0.9, 0.8], [0.1, 0.2])
    assert 0 < line.scale < np.inf
    assert line.probability(0.9) > 0.7 > 0.3 > line.probability(0.1)


def test_thresholds_keep_what_they_are_chosen_for() -> None:
    target, nontarget = normal_scores()
    assert threshold_at_eer(target, nontarget) == eer(target, nontarget).threshold
    threshold = threshold_at_far(target, nontarget, 0.01)
    assert np.mean(nontarget >= threshold) <= 0.01 < np.mean(nontarget >= np.nextafter(threshold - 0.001, 0))
    costs = Costs(p_target=0.05, c_miss=2.0)
    threshold = threshold_at_costs(target, nontarget, costs)
    assert calibrate(target, nontarget, 0.05).llr(threshold) == pytest.approx(costs.llr_threshold)


@pytest.mark.parametrize(
    ("target", "nontarget", "message"),
    [
        ([0.1] * 30, [0.1] * 77, "scores must differ; got 0.1 for all trials"),
        ([0.5], [0.5, 0.5], "scores must differ; got 0.5 for all trials"),
        ([0.1, 0.2], [0.8, 0.9], "target must score higher than nontarget on the whole; got means of 0.15 and 0.85"),
        ([0.1, np.nan], [0.8, 0.9], "target must be finite; got nan at 1"),
    ],
)
def test_scores_that_tell_nothing_are_refused(target: list[float], nontarget: list[float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        calibrate(target, nontarget)


def test_a_bound_that_cannot_be_measured_gives_no_threshold() -> None:
    with pytest.raises(ArgumentError, match=r"far must be measurable; TAR at FAR 0\.001: not measurable, 3 nontarget"):
        threshold_at_far([1.0], [0.1, 0.2, 0.3], 0.001)
    with pytest.raises(ArgumentError, match="p_target must be below 1"):
        calibrate([1.0], [0.0], 1.0)


def test_a_scale_of_0_says_nothing() -> None:
    line = Calibration(0.0, 0.0)
    assert line.llr([0.1, 0.9]).tolist() == [0, 0]
    assert line.probability(0.9) == 0.5
    assert line.threshold(Costs(p_target=0.1)) == np.inf
    assert line.threshold(Costs(p_target=0.9)) == -np.inf
