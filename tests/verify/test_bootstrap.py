"""Intervals over subjects."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scanwise.errors import ArgumentError
from scanwise.verify import DetBand, Roc, _bootstrap, bootstrap, det_band, det_curve, eer, min_dcf, tar_at_far
from scanwise.verify._bootstrap import _drawn_weights
from scanwise.verify._eer import eer_of
from scanwise.verify._roc import Trials


def people(count: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of samples of people, of whom some are harder to tell: scores and both subjects."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(count), each)
    hard = rng.normal(size=count)
    a, b = np.triu_indices(len(owner), 1)
    same = owner[a] == owner[b]
    scores = 2 * same + np.where(same, -1, 1) * (hard[owner[a]] + hard[owner[b]]) / 2 + rng.normal(0, 0.5, len(a))
    return scores, owner[a], owner[b]


def test_a_subject_takes_its_trials_along_as_often_as_it_is_drawn() -> None:
    one, other = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 2, 2, 0])
    same = one == other
    rng = np.random.default_rng(5)
    drawn = Counter(rng.integers(3, size=3).tolist())
    weights = next(_drawn_weights(one, other, same, 3, 1, 5))
    times = [drawn[k] for k in range(3)]
    assert weights.tolist() == [times[0], times[0] * times[1], times[1] * times[2], times[2], times[2] * times[0]]
    assert weights.sum() > 0


def test_a_weight_counts_as_so_many_trials() -> None:
    scores, one, other = people(6, 3)
    for weights in _drawn_weights(one, other, one == other, 6, 100, 0):
        roc = Trials.of(scores, one == other).roc(weights)
        repeated, same = np.repeat(scores, weights), np.repeat(one == other, weights)
        wanted = Roc.of(repeated[same], repeated[~same])
        assert (roc.targets, roc.nontargets) == (wanted.targets, wanted.nontargets)
        for mine, theirs in ((roc, wanted), (roc.convex_hull(), wanted.convex_hull())):
            assert mine.misses.tolist() == theirs.misses.tolist()
            assert mine.false_accepts.tolist() == theirs.false_accepts.tolist()
        assert roc.thresholds[-1] == np.inf
        assert eer_of(roc, "convex_hull").value == eer(repeated[same], repeated[~same], "convex_hull").value


def test_the_interval_holds_the_figure_of_other_people_as_often_as_it_says() -> None:
    truth = np.median([bootstrap(*people(60, 4, seed), rounds=1).value for seed in range(100, 140)])
    held = [
        found.low <= truth <= found.high
        for found in (bootstrap(*people(30, 4, seed), level=0.9, rounds=150) for seed in range(40))
    ]
    assert 0.75 <= np.mean(held) <= 1.0


def test_it_is_wider_than_drawing_trials_would_make_it() -> None:
    scores, one, other = people(12, 12)
    found = bootstrap(scores, one, other, rounds=300)
    rng = np.random.default_rng(0)
    same = one == other
    values = []
    for _ in range(300):
        target, nontarget = (rng.choice(scores[kind], kind.sum()) for kind in (same, ~same))
        values.append(bootstrap_value(target, nontarget))
    low, high = np.quantile(values, [0.025, 0.975])
    assert found.high - found.low > 2 * (high - low)


def bootstrap_value(target: np.ndarray, nontarget: np.ndarray) -> float:
    from scanwise.verify import eer

    return eer(target, nontarget).value


def test_any_figure_can_be_asked_for() -> None:
    scores, one, other = people(10, 3)
    same = one == other
    found = bootstrap(scores, one, other, lambda roc: float(roc.miss_rate[len(roc.misses) // 2]), rounds=50)
    assert found.low <= found.high
    assert min_dcf(scores[same], scores[~same]).value <= 1
    again = bootstrap(scores, one, other, lambda roc: float(roc.miss_rate[len(roc.misses) // 2]), rounds=50)
    assert again == found
    assert found.subjects == 10


def test_subjects_may_be_names() -> None:
    scores, one, other = people(5, 3)
    names = np.array(["anna", "ben", "eva", "ida", "tom"])
    assert bootstrap(scores, names[one], names[other], rounds=30) == bootstrap(scores, one, other, rounds=30)


def test_the_band_lies_around_the_curve() -> None:
    scores, one, other = people(20, 4)
    band = det_band(scores, one, other, points=30, rounds=200)
    assert isinstance(band, DetBand)
    assert (np.diff(band.false_accept_rate) > 0).all()
    assert (np.diff(band.miss_rate) <= 0).all()
    assert (band.low <= band.high).all()
    assert np.mean((band.low <= band.miss_rate) & (band.miss_rate <= band.high)) > 0.9
    curve = det_curve(scores[one == other], scores[one != other])
    for far, miss in zip(band.false_accept_rate, band.miss_rate, strict=True):
        assert miss == curve.miss_rate[curve.false_accept_rate <= far].min()
    least = tar_at_far(scores[one == other], scores[one != other], 1 / np.count_nonzero(one != other))
    assert least.value is not None
    assert band.miss_rate[0] == pytest.approx(1 - least.value, abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("ab", "abc", "first and second must name a subject for each of 3 scores; got 2 and 3"),
        ("aaa", "aaa", "trials within subjects and between them; got one kind, of 1 subjects"),
        ("aab", "abb", "subjects must be 5 at least for an interval over subjects; got 2"),
        ("aab", "bcc", "trials within subjects and between them; got one kind, of 3 subjects"),
    ],
)
def test_what_cannot_be_drawn_is_refused(first: str, second: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        bootstrap([0.1, 0.2, 0.3], list(first), list(second))


def test_levels_and_rounds_are_checked() -> None:
    scores, one, other = people(5, 2)
    with pytest.raises(ArgumentError, match=r"level must be below 1; got 1\.0"):
        bootstrap(scores, one, other, level=1.0)
    with pytest.raises(ArgumentError, match="rounds must be a whole number of at least 1"):
        bootstrap(scores, one, other, rounds=0)
    with pytest.raises(ArgumentError, match="points must be a whole number of at least 2"):
        det_band(scores, one, other, points=1)


def test_too_few_subjects_are_said_to_be_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bootstrap, "_TRIES", 1)  # a third of all draws lack the only subject of target trials
    with pytest.raises(ArgumentError, match="subjects must be more than 5 for drawn ones"):
        bootstrap(np.linspace(0, 1, 5), list("aabcd"), list("abcde"), rounds=1000, seed=0)
