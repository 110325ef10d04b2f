"""What is known of a model that verifies: measured on pairs or trials, kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from identities import UNSEEN, patterns, verifier, voices

import scanwise as sw
from scanwise.errors import ArgumentError, ModelError
from scanwise.model import Verification, _verification, threshold_rule
from scanwise.verify import all_pairs, bootstrap, calibrate, eer, min_cllr


class TestMeasuring:
    def test_all_pairs_of_clips_are_measured(self) -> None:
        x, y = patterns(UNSEEN, 6)
        model = verifier()
        found = model.evaluate((x, y))
        pairs = all_pairs(model.embed(x), y)
        known = found.verification
        assert known is not None
        wanted, line = eer(*pairs), calibrate(*pairs)
        assert (known.eer, known.threshold) == (pytest.approx(wanted.value), pytest.approx(wanted.threshold, abs=1e-6))
        assert (known.scale, known.offset) == (
            pytest.approx(line.scale, rel=1e-3),
            pytest.approx(line.offset, rel=1e-3),
        )
        assert known.low is not None
        assert known.high is not None
        assert known.low <= known.eer <= known.high
        assert min_cllr(*pairs) < 0.5
        assert str(found) == f"48 clips: {known}"

    def test_of_many_samples_the_rate_is_of_all_and_the_interval_of_some(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(0)
        y = np.repeat(np.arange(60), 4)
        z = rng.normal(size=(60, 8))[y] + rng.normal(0, 0.8, (240, 8))
        whole = Verification.of_pairs("mean", z, y, data="x")
        monkeypatch.setattr(_verification, "_MOST_SAMPLES", 100)
        found = Verification.of_pairs("mean", z, y, data="x")
        for name in ("eer", "threshold", "identities", "targets", "nontargets"):
            assert getattr(found, name) == pytest.approx(getattr(whole, name), abs=1e-12), name
        assert found.scale != whole.scale
        assert found.low != whole.low
        assert None not in (found.low, found.high, whole.low)

    def test_trials_give_threshold_calibration_and_interval(self) -> None:
        rng = np.random.default_rng(1)
        one, other = rng.integers(12, size=(2, 2000))
        scores = np.where(one == other, 0.6, 0.2) + rng.normal(0, 0.2, 2000)
        found = Verification.of_trials("mean", scores, one, other, data="x")
        spread = bootstrap(scores, one, other, rounds=200)
        assert (found.low, found.high, found.identities) == (spread.low, spread.high, 12)
        assert found.eer == eer(scores[one == other], scores[one != other]).value

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ("eer", "equal error rate"),
            ("far=0.05", "false accept rate 0.05"),
            ("p_target=0.2,c_miss=3", "costs p_target=0.2, c_miss=3, c_fa=1"),
        ],
    )
    def test_thresholds_are_for_a_purpose(self, rule: str, words: str) -> None:
        rng = np.random.default_rng(1)
        one, other = rng.integers(12, size=(2, 3000))
        same = one == other
        scores = np.where(same, 0.6, 0.2) + rng.normal(0, 0.2, 3000)
        found = Verification.of_trials("mean", scores, one, other, data="x", rule=rule)
        assert found.rule == words
        misses, accepts = np.mean(scores[same] < found.threshold), np.mean(scores[~same] >= found.threshold)
        if rule == "eer":
            assert misses == pytest.approx(accepts, abs=0.01)
        elif rule.startswith("far"):
            assert 0.045 < accepts <= 0.05
        else:
            asked = np.log(0.8 / (0.2 * 3))
            assert found.scale * found.threshold + found.offset == pytest.approx(asked, abs=0.1)

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ("0.5", "threshold must be eer, far=RATE, or costs such as p_target=0.01"),
            ("far=x", "threshold must be eer"),
            ("far=2", "far must be at most 1; got 2"),
            ("p=0.1", "threshold must be eer"),
            ("p_target=0", "p_target must be above 0; got 0"),
            ("far=0.1,p_target=0.1", "threshold must be eer"),
            ("far=0.1,far=0.2", "threshold must be eer"),
        ],
    )
    def test_other_rules_are_refused(self, rule: str, message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            threshold_rule(rule)

    def test_a_threshold_that_rejects_all_is_refused(self) -> None:
        one, other = np.array([0, 1, 2, 0, 1, 0]), np.array([0, 1, 2, 1, 2, 2])
        scores = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.1])
        with pytest.raises(ArgumentError, match=r"threshold must accept some; got far=0\.5, at which these trials are"):
            Verification.of_trials("mean", scores, one, other, data="x", rule="far=0.5")
        assert Verification.of_trials("mean", scores, one, other, data="x", rule="far=0.7").threshold == 0.5

    def test_where_nothing_can_be_told_no_score_does(self) -> None:
        rng = np.random.default_rng(1)
        one, other = rng.integers(12, size=(2, 2000))
        scores = np.where(one == other, 0.2, 0.6) + rng.normal(0, 0.2, 2000)
        found = Verification.of_trials("mean", scores, one, other, data="x")
        assert found.eer > 0.8
        assert (found.scale, found.offset) == (0, 0)
        with pytest.raises(ArgumentError, match="target must score higher than nontarget on the whole"):
            Verification.of_trials("mean", scores, one, other, data="x", rule="p_target=0.1")
        model = verifier().with_verification(found)
        x, _ = patterns(UNSEEN, 1)
        assert model.verify(x[0], x[1]).probability == 0.5

    def test_training_on_noise_and_evaluating_on_it_is_measured(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        y = np.repeat(np.arange(12), 5)
        rates = []
        for seed in range(4):
            x = rng.normal(size=(60, 1, 8, 8))
            model = sw.train((x, y), task="verify", channels=[4], dimensions=8, augment=False, epochs=1, seed=seed)
            model.save(tmp_path / str(seed))
            known = sw.load(tmp_path / str(seed)).info.verification
            assert known is not None
            rates.append(known.eer)
            assert model.evaluate((x, y)).verification is not None
        assert 0.3 < np.mean(rates) < 0.7

    def test_without_an_error_nothing_is_said_of_others(self) -> None:
        one, other = np.arange(6).repeat(2), np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0])
        scores = np.where(one == other, 0.9, 0.1) + np.linspace(0, 0.01, 12)
        found = Verification.of_trials("mean", scores, one, other, data="x")
        assert (found.eer, found.low, found.high) == (0, None, None)
        assert str(found).endswith("(too few of them, or of errors, to say what others would give)")


class TestFolder:
    def test_what_is_saved_comes_back(self, tmp_path: Path) -> None:
        for sound in (False, True):
            model = verifier(sound=sound)
            model.save(tmp_path / str(sound))
            back = sw.load(tmp_path / str(sound))
            assert back.info == model.info
            x = voices(UNSEEN, 1).x if sound else patterns(UNSEEN, 1)[0]
            np.testing.assert_array_equal(back.embed(list(x)), model.embed(list(x)))

    def test_the_card_says_what_counts_as_the_same(self, tmp_path: Path) -> None:
        verifier().save(tmp_path / "m")
        text = (tmp_path / "m" / "README.md").read_text()
        known = verifier().info.verification
        assert known is not None
        assert f"from a cosine of {known.threshold:.4f} on, the equal error rate of 5 of 24 identities" in text
        assert "scanwise verify <this folder> <file> <other file>" in text

    def test_another_threshold_is_kept(self, tmp_path: Path) -> None:
        known = verifier().info.verification
        assert known is not None
        verifier().with_verification(replace(known, threshold=0.25, rule="test")).save(tmp_path / "m")
        back = sw.load(tmp_path / "m")
        assert back.info == replace(verifier().info, verification=replace(known, threshold=0.25, rule="test"))
        assert "0.2500 of the cosine, for the test of 5 of 24 identities" in str(back.info)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda known: known.update(pooling="max"), "pooling must be one of mean, mean_std; got 'max'"),
            (lambda known: known.update(scale=-1), "scale must be at least 0"),
            (lambda known: known.pop("eer"), "eer"),
            (lambda known: known.update(threshold="high"), "threshold"),
            (lambda known: known.update(extra=1), "extra"),
        ],
    )
    def test_damage_is_noticed(self, change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
        verifier().save(tmp_path / "m")
        path = tmp_path / "m" / "model.json"
        layout = json.loads(path.read_text())
        change(layout["verification"])
        path.write_text(json.dumps(layout))
        with pytest.raises(ModelError, match=message):
            sw.load(tmp_path / "m")

    def test_task_and_verification_belong_together(self) -> None:
        with pytest.raises(ModelError, match=r"verify \(with verification\)"):
            replace(verifier().info, verification=None)
