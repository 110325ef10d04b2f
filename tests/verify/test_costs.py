"""Costs of decisions."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from llreval.cllr import cllr as llreval_cllr
from llreval.quick_eval import tarnon_2_eer_cllr_mincllr
from verify.cases import points, small_cases

from scanwise.errors import ArgumentError
from scanwise.verify import Costs, actual_dcf, cllr, det_curve, min_cllr, min_dcf, roc_curve, tar_at_far


@pytest.mark.parametrize("costs", [(0.01, 1, 1), (0.5, 1, 1), (0.99, 1, 1), (0.05, 10, 2)])
def test_the_least_cost_is_that_of_the_best_of_all_points(costs: tuple[float, float, float]) -> None:
    p, c_miss, c_fa = costs
    least = min(p * c_miss, (1 - p) * c_fa)
    for target, nontarget in small_cases(500):
        found = min_dcf(target, nontarget, p_target=p, c_miss=c_miss, c_fa=c_fa)
        wanted = min(float(p * c_miss * m + (1 - p) * c_fa * f) / least for m, f in points(target, nontarget))
        assert found.value == pytest.approx(wanted, abs=1e-12)
        assert found.value <= 1 + 1e-12
        assert found.misses == np.count_nonzero(target.astype("f8") < found.threshold)
        for scores in (nontarget.astype("f8"), nontarget.astype(np.result_type(target, nontarget))):
            assert found.false_accepts == np.count_nonzero(scores >= found.threshold)


def test_accepting_all_and_rejecting_all_are_choices() -> None:
    assert min_dcf([0.1, 0.9], [0.5], p_target=0.99).value == 1.0
    found = min_dcf([0.1], [0.5], p_target=0.01)
    assert (found.value, found.threshold) == (1.0, float("inf"))


def test_log_likelihood_ratios_call_for_a_threshold() -> None:
    found = actual_dcf([3.0, -1.0], [-5.0, 2.0], p_target=0.1, c_miss=2, c_fa=1)
    assert found.threshold == pytest.approx(log(0.9 / 0.2))
    assert (found.misses, found.false_accepts) == (1, 1)
    assert found.value == pytest.approx((0.2 / 2 + 0.9 / 2) / 0.2)
    assert found.value >= min_dcf([3.0, -1.0], [-5.0, 2.0], p_target=0.1, c_miss=2, c_fa=1).value


def test_the_cost_of_ratios_is_llrevals() -> None:
    rng = np.random.default_rng(0)
    for target, nontarget in small_cases(300):
        assert cllr(target, nontarget) == pytest.approx(
            llreval_cllr(target.astype("f8"), nontarget.astype("f8")), rel=1e-12
        )
        wanted = tarnon_2_eer_cllr_mincllr(target.astype("f8"), nontarget.astype("f8"))[2]
        assert min_cllr(target, nontarget) == pytest.approx(wanted, abs=1e-12)
    target, nontarget = rng.normal(2, 1, 900), rng.normal(-1, 2, 3000)
    assert min_cllr(target, nontarget) < cllr(target, nontarget)


def test_ratios_of_any_size_cost_what_they_should() -> None:
    assert cllr([800.0], [-800.0]) == 0
    assert cllr([-800.0], [-800.0]) == pytest.approx(400 / log(2))


@pytest.mark.parametrize("far", [0.0, 0.1, 0.25, 0.29, 0.5, 1.0])
def test_the_rate_at_a_bound_is_that_of_a_threshold(far: float) -> None:
    for target, nontarget in small_cases(500):
        found = tar_at_far(target, nontarget, far)
        allowed = [(m, f) for m, f in points(target, nontarget) if f <= far + 1e-9]
        if far * len(nontarget) < 1:
            assert (found.value, found.threshold, found.false_accepts) == (None, None, None)
            continue
        assert found.value == pytest.approx(float(1 - min(m for m, _ in allowed)), abs=1e-12)
        assert found.threshold is not None
        for scores in (nontarget.astype("f8"), nontarget.astype(np.result_type(target, nontarget))):
            assert found.false_accepts == np.count_nonzero(scores >= found.threshold)


def test_a_bound_that_trials_cannot_show_is_said_to_be_none() -> None:
    nontarget = np.linspace(0, 1, 200)
    assert str(tar_at_far([2.0], nontarget, 0.001)) == (
        "TAR at FAR 0.001: not measurable, 200 nontarget trials can show 0.005 at the least"
    )
    assert str(tar_at_far([2.0, 0.5], nontarget, 0.005)) == "TAR at FAR 0.005: 50 % at 0.997487"
    assert tar_at_far([2.0], np.arange(100.0), 0.29).false_accepts == 29
    for count in range(2, 400):
        for most in {1, count // 3, count - 1} - {0}:
            for far in (most / count, (most + 0.5) / count):
                assert tar_at_far([-1.0], np.arange(count), far).false_accepts == most


def test_curves_go_from_one_end_to_the_other() -> None:
    for target, nontarget in small_cases(200):
        wanted = points(target, nontarget)
        det, roc = det_curve(target, nontarget), roc_curve(target, nontarget)
        assert det.miss_rate.tolist() == [float(m) for m, _ in wanted]
        assert det.false_accept_rate.tolist() == [float(f) for _, f in wanted]
        assert roc.true_accept_rate.tolist() == pytest.approx([float(1 - m) for m, _ in reversed(wanted)])
        assert roc.false_accept_rate.tolist() == [float(f) for _, f in reversed(wanted)]
        for rate, threshold in zip(det.miss_rate, det.thresholds, strict=True):
            assert np.mean(target.astype("f8") < threshold) == rate
        assert roc.thresholds.tolist() == det.thresholds[::-1].tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p_target": 0.0}, "p_target must be above 0"),
        ({"p_target": 1.0}, "p_target must be below 1; got 1.0"),
        ({"c_miss": -1.0}, "c_miss must be above 0"),
        ({"c_fa": float("nan")}, "c_fa must be a finite number"),
    ],
)
def test_costs_that_mean_nothing_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Costs(**arguments)


def test_a_bound_is_a_share() -> None:
    with pytest.raises(ArgumentError, match=r"far must be from 0 to 1; got 1\.5"):
        tar_at_far([1.0], [0.0], 1.5)
