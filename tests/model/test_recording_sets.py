"""What a network trains on when patterns stand in recordings."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from signals import (
    LABELS,
    bump,
    marked_recording,
    of_lengths,
)

import scanwise as sw
from scanwise.errors import ArgumentError
from scanwise.model._labelled import Labelled
from scanwise.model._recording_sets import sets_of
from scanwise.model._sets import Wanted
from scanwise.sources import Clips
from scanwise.training import Cuts, centre_of_energy


def wanted(window: int, **others: Any) -> Wanted:
    usual: dict[str, Any] = {
        "fraction": 0.25, "seed": 0, "background": True, "augment": True, "sound": False,
        "unlabelled": "background", "false_alarms_per_hour": None, "task": None, "symmetries": False, "whiten": True,
    }  # fmt: skip
    return Wanted(window=(window,), **(usual | others))


def numbered(data: Labelled) -> Labelled:
    """The same with a channel that tells each sample's number."""
    x = data.recordings[0]
    return replace(data, recordings=[np.concatenate([x, np.arange(x.shape[1], dtype=np.float32)[None]])])


def correlation(window: np.ndarray, pattern: np.ndarray) -> float:
    return float(np.corrcoef(window, pattern)[0, 1])


class TestSets:
    """What is trained on, what is held back, and what sets the threshold."""

    def test_patterns_are_in_the_middle_but_for_a_tenth_and_background_is_off_by_a_sixth(self) -> None:
        data = numbered(marked_recording())
        parts = sets_of(data, wanted(30))
        assert parts.facts["classes"] == ("down", "up", "background")
        assert isinstance(parts.x, Cuts)
        offsets = np.array([part[1, 0] for part in parts.x.recordings])[parts.x.source]
        middles = (data.events["start"] + 15).to_numpy()
        marks = data.events["label"].map({"down": 0, "up": 1}).to_numpy()
        for start in (parts.x.first, parts.x.last):
            away = np.abs((offsets + start + 15)[:, None] - middles)
            for number in (0, 1):
                assert (parts.y == number).sum() >= 7
                assert (away[parts.y == number][:, marks == number].min(axis=1) == 3).all()
            assert away[parts.y == 2].min() == 6
        assert (parts.y == 2).sum() == (parts.y < 2).sum()

    def test_validation_shows_every_example_twice_and_none_that_is_trained_on(self) -> None:
        data = numbered(marked_recording())
        parts = sets_of(data, wanted(30))
        x, y = parts.validation
        half = len(y) // 2
        np.testing.assert_array_equal(y[:half], y[half:])
        assert not np.array_equal(x[:half], x[half:])
        assert isinstance(parts.x, Cuts)
        trained = np.concatenate([part[1] for part in parts.x.recordings])
        assert 2000 < len(trained) < 3600
        assert not set(x[:, 1].ravel()) & set(trained)
        apart = np.abs(x[:half, 1, 15] - x[half:, 1, 15])[y[:half] < 2]
        assert 0 < apart.max() <= 6  # the same event, jittered by 3 samples at the most
        again = sets_of(data, wanted(30))
        np.testing.assert_array_equal(again.validation[0], x)
        other = sets_of(data, wanted(30, seed=1)).x
        assert isinstance(other, Cuts)
        assert set(np.concatenate([part[1] for part in other.recordings])) != set(trained)

    def test_clips_that_are_held_back_validate_and_set_the_threshold(
        self, slow: sw.Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Four of 16 clips, in 6 mosaics, each window drawn twice."""
        parts = sets_of(of_lengths(*[40] * 16), wanted(30))
        assert (parts.y < 2).sum() == 6 * 12
        assert (parts.validation[1] < 2).sum() == 6 * 4 * 2
        heard: dict[str, Any] = {}

        def choose(found: pd.DataFrame, truth: pd.DataFrame, **others: Any) -> float:
            heard.update(others, truth=truth)
            return 0.25

        monkeypatch.setattr("scanwise.model._trial.best_threshold", choose)
        assert parts.settle(slow).thresholds[0] == 0.25
        assert len(heard["truth"]) == 6 * 4
        assert (heard["tolerance"], heard["floor"]) == (15, 0.05)
        assert 6 * 4 * 0.4 <= heard["seconds"] <= 6 * 4 * (0.4 + 2.4)

    def test_labelled_background_is_learnt_and_is_no_event(self, slow: sw.Model) -> None:
        data = marked_recording(60)
        events = data.events.assign(label=np.where(np.arange(60) % 3 == 0, "noise", data.events["label"]))
        parts = sets_of(replace(data, events=events), wanted(30, background=False))
        assert (parts.facts["classes"], parts.facts["background"]) == (("down", "noise", "up"), ("noise",))
        counts = np.bincount(parts.y)
        assert counts.max() - counts.min() <= 1
        more = sets_of(replace(data, events=events), wanted(30))
        assert np.bincount(more.y)[1] == counts[1] + np.bincount(more.y)[[0, 2]].sum()
        info = replace(slow.info, classes=parts.facts["classes"], background=("noise",), background_labelled=True)
        judged = parts.judge(sw.Model(slow.net, info))
        assert isinstance(judged, sw.model.EventEvaluation)
        assert set(judged.by_label["label"]) <= {"down", "up", "(all)"}
        assert 10 <= judged.count < 15  # a quarter of 40, or a few more where events stand close together

    def test_what_is_not_labelled_is_ignored_on_request(self) -> None:
        """All background then lies beside the events, where half of them is still to be seen."""
        data = marked_recording()
        data = replace(data, events=data.events.iloc[::2])  # the others stand there without a label
        far = {}
        for unlabelled in ("background", "ignore"):
            cuts = sets_of(data, wanted(30, unlabelled=unlabelled, fraction=0.1)).x
            assert isinstance(cuts, Cuts)
            shown = cuts.y < 2
            centres = (cuts.first + cuts.last) / 2
            far[unlabelled] = max(
                np.abs(centres[shown & (cuts.source == source)] - centre).min()
                for source, centre in zip(cuts.source[~shown], centres[~shown], strict=True)
            )
        assert far["background"] > 40
        assert far["ignore"] <= 15

    def test_without_background_there_is_none(self) -> None:
        for data in (marked_recording(), of_lengths(*[40, 45] * 8)):
            parts = sets_of(data, wanted(30, background=False))
            assert parts.facts["classes"] == LABELS
            assert set(parts.y) == {0, 1}

    def test_clips_of_a_rate_or_of_several_lengths_become_recordings(self) -> None:
        for data, is_joined in (
            (replace(of_lengths(*[40] * 8), x=np.stack(of_lengths(*[40] * 8).x)), True),
            (of_lengths(*[40, 50] * 4, rate_hz=None), True),
            (Clips(np.stack(of_lengths(*[40] * 8).x), np.arange(8) % 2, LABELS, tuple("abcdefgh")), False),
        ):
            assert isinstance(sets_of(data, wanted(40)).x, Cuts) == is_joined

    def test_a_clip_in_a_recording_is_shown_by_its_centre_of_energy(self) -> None:
        data = of_lengths(*[80] * 24)
        x = [np.roll(part, 25 if number % 2 else -25) for number, part in enumerate(data.x)]
        parts = sets_of(replace(data, x=x), wanted(30, augment=False))
        assert isinstance(parts.x, Cuts)
        rows = torch.arange(len(parts.x))
        windows = parts.x.draw(rows, torch.Generator().manual_seed(0)).numpy()[:, 0]
        for number, label in enumerate(LABELS):
            shown = windows[parts.y == number]
            right = [correlation(row, bump(label)) for row in shown]
            assert np.median(right) > 0.85
        assert abs(centre_of_energy(x[0]) - 15) < 3

    def test_few_clips_are_joined_six_times_and_many_are_not_kept_as_often(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = of_lengths(*[40] * 40)
        parts = sets_of(data, wanted(40))
        assert (parts.y < 2).sum() == 6 * 30
        assert isinstance(parts.x, Cuts)
        assert len(parts.x.recordings) == 6
        monkeypatch.setattr("scanwise.model._recording_sets._MOST_SAMPLES", 2 * 30 * (40 + 20))
        assert (sets_of(data, wanted(40)).y < 2).sum() == 2 * 30
        monkeypatch.setattr("scanwise.model._recording_sets._MOST_SAMPLES", 1)
        assert (sets_of(data, wanted(40)).y < 2).sum() == 30

    def test_more_than_thirty_clips_are_several_recordings(self) -> None:
        parts = sets_of(of_lengths(*[40] * 84), wanted(40))
        assert isinstance(parts.x, Cuts)
        assert len(parts.x.recordings) == 6 * 3  # 63 clips are learnt from

    def test_only_sound_varies_in_level(self) -> None:
        data, x = marked_recording(), torch.from_numpy(np.tile(bump("up"), (40, 1, 1))).float()
        for sound, least in ((True, 1.5), (False, None)):
            augment = sets_of(data, wanted(30, sound=sound)).augment
            assert augment is not None
            peaks = augment(x, torch.Generator().manual_seed(0)).amax(dim=(1, 2))
            spread = float(peaks.quantile(0.9) / peaks.quantile(0.1))
            assert (spread > least) if least else (spread < 1.5)
        assert sets_of(data, wanted(30, augment=False)).augment is None

    def test_the_threshold_keeps_to_the_false_alarms(self, slow: sw.Model) -> None:
        """Of a model that was trained elsewhere, on stretches it does not know."""
        data = marked_recording(60)
        best, few, none = (
            sets_of(data, wanted(30, false_alarms_per_hour=alarms)).settle(slow).thresholds[0]
            for alarms in (None, 3600, 0)
        )
        assert few < none
        held = sets_of(data, wanted(30))
        for threshold, most in ((few, 3600), (none, 0)):
            model = sw.Model(slow.net, replace(slow.info, thresholds=(threshold,) * 3))
            judged = held.judge(model)
            assert isinstance(judged, sw.model.EventEvaluation)
            assert judged.false_alarms_per_hour is not None
            assert judged.false_alarms_per_hour <= most
        model = sw.Model(slow.net, replace(slow.info, thresholds=(best,) * 3))
        judged = held.judge(model)
        assert isinstance(judged, sw.model.EventEvaluation)
        assert judged.match.f1 == pytest.approx(judged.by_threshold["f1"].max())

    def test_judges_are_of_the_kind_of_the_examples(self, slow: sw.Model) -> None:
        judged = sets_of(of_lengths(*[40] * 16), wanted(30)).judge(slow)
        assert isinstance(judged, sw.model.Evaluation)
        assert judged.count == 4
        assert judged.accuracy == 1
        events = sets_of(marked_recording(), wanted(30)).judge(slow)
        assert isinstance(events, sw.model.EventEvaluation)
        assert events.seconds is not None
        assert 4 <= events.seconds <= 20
        strict = sw.Model(slow.net, replace(slow.info, thresholds=(1.0, 1.0, 1.0)))
        judged_strictly = sets_of(marked_recording(), wanted(30)).judge(strict)
        assert isinstance(judged_strictly, sw.model.EventEvaluation)
        assert (judged_strictly.match.found_count, judged_strictly.match.true_count) == (0, events.match.true_count)
        unknown = sets_of(replace(marked_recording(), rate_hz=None), wanted(30)).judge(slow)
        assert isinstance(unknown, sw.model.EventEvaluation)
        assert unknown.seconds is None

    def test_where_nothing_is_found_the_threshold_is_a_half(self, slow: sw.Model) -> None:
        data = marked_recording()
        deaf = sw.Model(copy.deepcopy(slow.net), slow.info)
        with torch.no_grad():
            deaf.net.head.get_parameter("bias").copy_(torch.tensor([0.0, 0.0, 100.0]))
        deaf = sw.Model(deaf.net, deaf.info)
        assert sets_of(data, wanted(30)).settle(deaf).thresholds[0] == 0.5
        assert sets_of(data, wanted(30, false_alarms_per_hour=0)).settle(deaf).thresholds[0] == 0.05

    @pytest.mark.parametrize(
        "data", [of_lengths(40, 40, rate_hz=None), replace(marked_recording(), rate_hz=None)], ids=["clips", "marks"]
    )
    def test_false_alarms_an_hour_need_a_rate(self, data: Clips | Labelled) -> None:
        with pytest.raises(ArgumentError, match=r"false_alarms_per_hour must be for patterns in recordings of a known"):
            sets_of(data, wanted(30, false_alarms_per_hour=1))
