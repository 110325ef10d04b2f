"""Equal error rates against slow ways and against other people's."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from llreval.quick_eval import tarnon_2_eer_cllr_mincllr
from sklearn.metrics import roc_curve as sklearn_curve
from verify.cases import Points, interpolated, midpoint, on_hull, points, small_cases

from scanwise.errors import ArgumentError
from scanwise.verify import EER, eer

ORACLES: dict[str, Callable[[Points], Fraction]] = {
    "interpolated": interpolated,
    "convex_hull": on_hull,
    "midpoint": midpoint,
}


@pytest.mark.parametrize("method", sorted(ORACLES))
def test_rates_equal_those_of_fractions(method: str) -> None:
    oracle = ORACLES[method]
    for target, nontarget in small_cases(5000):
        found = eer(target, nontarget, method)
        assert found.value == float(oracle(points(target, nontarget)))


@pytest.mark.parametrize("method", sorted(ORACLES))
def test_the_rate_lies_within_its_bounds_and_the_threshold_does_what_is_said(method: str) -> None:
    for target, nontarget in small_cases(1000, seed=1):
        found = eer(target, nontarget, method)
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.misses == np.count_nonzero(target.astype(np.float64) < found.threshold)
        assert found.false_accepts == np.count_nonzero(nontarget.astype(np.float64) >= found.threshold)
        assert (found.targets, found.nontargets, found.method) == (len(target), len(nontarget), method)


def test_it_is_the_crossing_of_scikit_learns_curve() -> None:
    rng = np.random.default_rng(0)
    for decimals in (1, 2, 3, 15):
        target, nontarget = rng.normal(1, 1, 700).round(decimals), rng.normal(-0.5, 1, 3000).round(decimals)
        far, tar, _ = sklearn_curve(
            np.repeat([1, 0], [700, 3000]), np.append(target, nontarget), drop_intermediate=False
        )
        gap = far - (1 - tar)
        after = int(np.argmax(gap >= 0))
        share = gap[after] / (gap[after] - gap[after - 1])
        wanted = far[after] - share * (far[after] - far[after - 1])
        assert eer(target, nontarget).value == pytest.approx(wanted, abs=1e-12)


def test_the_hulls_rate_is_llrevals() -> None:
    for target, nontarget in small_cases(500, seed=2):
        wanted = tarnon_2_eer_cllr_mincllr(target.astype(np.float64), nontarget.astype(np.float64))[0]
        assert eer(target, nontarget, "convex_hull").value == pytest.approx(wanted, abs=1e-8)  # its own rounding


@pytest.mark.parametrize(
    ("target", "nontarget", "value", "threshold"),
    [
        ([3.0, 4.0], [1.0, 2.0], 0.0, 2.5),  # separated: half-way
        ([1.0, 2.0], [3.0, 4.0], 1.0, 2.5),  # the wrong way round
        ([1.0, 1.0], [1.0], 0.5, 1.0),  # nothing can be told
        ([0.0], [-0.0], 0.5, 0.0),  # zeros are equal
    ],
)
def test_what_anyone_can_work_out(target: list[float], nontarget: list[float], value: float, threshold: float) -> None:
    found = eer(target, nontarget)
    assert (found.value, found.threshold) == (value, threshold)


def test_thresholds_separate_scores_that_are_neighbours() -> None:
    low = 0.3
    found = eer([np.nextafter(low, 1)], [low])
    assert (found.value, found.misses, found.false_accepts) == (0.0, 0, 0)
    assert found.threshold == np.nextafter(low, 1)
    assert eer([1.7e308], [-1.7e308]).threshold == 0


@pytest.mark.parametrize("start", [0.5, 0.3, -0.3, 1e-45, -1e-45, 3e38])
def test_no_score_is_rounded_across_a_threshold(start: float) -> None:
    low = np.float32(start)
    high = np.nextafter(low, np.float32(np.inf))
    target, nontarget = np.array([high, high]), np.array([low, low])
    found = eer(target, nontarget)
    assert (found.misses, found.false_accepts) == (0, 0)
    assert not (target < found.threshold).any()
    assert not (nontarget >= found.threshold).any()


def test_the_order_of_trials_and_monotone_changes_of_scores_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    target, nontarget = rng.integers(0, 9, 50) / 10 + 0.2, rng.integers(0, 9, 80) / 10
    found = eer(target, nontarget)
    assert eer(rng.permutation(target), rng.permutation(nontarget)) == found
    assert eer(np.exp(3 * target), np.exp(3 * nontarget)).value == found.value
    turned = eer(-nontarget, -target)
    assert turned.value == pytest.approx(found.value, abs=1e-15)


def test_it_can_be_read() -> None:
    text = str(eer([0.9, 0.8, 0.3], [0.1, 0.5, 0.2, 0.4]))
    assert text == (
        "EER 33.3 % (interpolated, between 33.3 and 33.3 %) at 0.45: 1 of 3 targets missed, 1 of 4 nontargets accepted"
    )


@pytest.mark.parametrize(
    ("target", "nontarget", "message"),
    [
        ([], [1.0], "target must hold a score at least; got none"),
        ([1.0], [], "nontarget must hold a score at least; got none"),
        ([1.0, np.nan], [1.0], "target must be finite; got nan at 1"),
        ([1.0], [np.inf], "nontarget must be finite; got inf at 0"),
        ([[1.0]], [1.0], r"target must be numbers of shape \(trials,\); got float64 \(1, 1\)"),
        (["a"], [1.0], "target must be numbers"),
    ],
)
def test_what_no_rate_can_be_taken_from_is_refused(target: object, nontarget: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        eer(target, nontarget)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ArgumentError, match="method must be one of interpolated, convex_hull, midpoint; got 'rocch'"):
        eer([1.0], [0.0], "rocch")


def test_a_rate_is_a_value() -> None:
    assert isinstance(eer([1.0], [0.0]), EER)
    with pytest.raises(AttributeError):
        eer([1.0], [0.0]).value = 1.0  # type: ignore[misc]


def test_where_errors_are_equal_at_a_threshold_the_midpoint_is_there() -> None:
    found = eer([0.3, 0.6, 0.7, 0.8], [0, 0.05, 0.1, 0.35], "midpoint")
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)
    assert (found.misses, found.false_accepts) == (1, 1)
