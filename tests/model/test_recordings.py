"""Models of recordings: what they learn from, what they find, and how that is judged."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from signals import (
    LABELS,
    RATE_HZ,
    SLOW_HZ,
    TINY,
    bump,
    class_folder,
    clip,
    f1,
    finder,
    in_seconds,
    over_noise,
    recording,
    save,
)

import scanwise as sw
from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.model._clips import padded
from scanwise.model._evaluate_events import event_evaluation
from scanwise.model._labelled import Labelled
from scanwise.model._recording_sets import Wanted, sets_of
from scanwise.sources import Clips
from scanwise.training import Cuts, centre_of_energy

COLUMNS = ["file", "start", "end", "start_s", "end_s", "label", "score"]
QUICK: dict[str, Any] = {"epochs": 2, **TINY}


@pytest.fixture(scope="session")
def sound() -> sw.Model:
    return finder()


@pytest.fixture(scope="session")
def slow() -> sw.Model:
    return finder(slow=True)


@pytest.fixture(scope="session")
def of_clips(tmp_path_factory: pytest.TempPathFactory) -> sw.Model:
    """A model that learnt chirps from a folder of WAV clips per class."""
    return sw.train(class_folder(tmp_path_factory.mktemp("clips") / "wav"), epochs=20, **TINY)


@pytest.fixture(scope="session")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips."""
    return class_folder(tmp_path_factory.mktemp("forms") / "wav", each=4)


@pytest.fixture(scope="session")
def expected(wav: Path) -> sw.Model:
    """What is learnt from `wav`, in whatever form."""
    return sw.train(wav, **QUICK)


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> sw.Model:
    """Tells the height of a bump."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, 200)
    x = y[:, None] * np.hanning(30) + rng.normal(0, 0.01, (200, 30))
    path = tmp_path_factory.mktemp("regression") / "data.npz"
    np.savez(path, x=x, y=y)
    return sw.train(path, "mlp", sample_rate_hz=SLOW_HZ, hidden=[16], epochs=30)


def weights(model: sw.Model) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.net.state_dict().items()}


def assert_same_model(one: sw.Model, other: sw.Model) -> None:
    assert one.info == other.info
    assert weights(one) == weights(other)


class TestFinding:
    """What a trained model finds in recordings it has not heard."""

    @pytest.mark.parametrize("seed", range(5, 8))
    def test_patterns_are_found_in_fresh_recordings(
        self, sound: sw.Model, slow: sw.Model, of_clips: sw.Model, seed: int
    ) -> None:
        for model, is_slow in ((sound, False), (slow, True), (of_clips, False)):
            x, table = recording(seed, slow=is_slow)
            assert f1(model.find(x), table, model.info.window[0] / 2) >= 0.9

    def test_found_is_a_table_of_samples_and_seconds_that_agree(self, sound: sw.Model, tmp_path: Path) -> None:
        path = save(tmp_path / "a.wav", recording(5)[0])
        found = sound.find(path)
        assert list(found.columns) == COLUMNS
        assert set(found["file"]) == {str(path)}
        assert set(found["label"]) == set(LABELS)
        assert (found["end"] - found["start"] == sound.info.window[0]).all()
        np.testing.assert_array_equal(found["start_s"], found["start"] / RATE_HZ)
        np.testing.assert_array_equal(found["end_s"], found["end"] / RATE_HZ)
        threshold = (sound.info.thresholds or ())[0]
        assert found["score"].between(threshold, 1).all()
        assert found["start"].is_monotonic_increasing

    def test_a_saved_model_finds_the_same_to_the_last_bit(
        self, sound: sw.Model, slow: sw.Model, tmp_path: Path
    ) -> None:
        for number, model in enumerate((sound, slow)):
            model.save(tmp_path / str(number))
            again = sw.load(tmp_path / str(number))
            assert_same_model(model, again)
            x, _ = recording(6, slow=model is slow)
            pd.testing.assert_frame_equal(model.find(x), again.find(x), check_exact=True)
            assert len(again.find(x)) > 0

    def test_whatever_the_format_the_events_are_the_same(self, sound: sw.Model, tmp_path: Path) -> None:
        x, _ = recording(7)
        expected = sound.find(x).drop(columns="file")
        for suffix in (".wav", ".flac", ".npy", ".csv"):
            found = sound.find(save(tmp_path / f"a{suffix}", x))
            pd.testing.assert_frame_equal(found.drop(columns="file"), expected, check_exact=True)

    def test_dense_scores_are_those_of_the_module_on_every_window(self, sound: sw.Model) -> None:
        """Position `i` is the window at sample ``origin + i * hop`` of the recording in its own level."""
        x, _ = recording(8, seconds=2, count=2)
        (window,) = sound.info.window
        around = padded(x, [(window, window)])
        for hop in (None, 37):
            (result,) = sound.search(x, hop=hop)
            assert result.scores is not None
            assert result.origin == (-(window // 2),)
            step = sound.info.hop[0] if hop is None else hop
            starts = range(window - window // 2, window + x.shape[1] - window // 2 + 1, step)
            windows = np.stack([around[:, start : start + window] for start in starts])
            with torch.inference_mode():
                expected = sound.module(torch.from_numpy(windows)).numpy().T
            assert result.scores.shape == expected.shape
            np.testing.assert_allclose(result.scores, expected, atol=2e-6)

    def test_a_hop_may_be_in_seconds(self, sound: sw.Model, slow: sw.Model) -> None:
        assert sound.info.hop == (160,)
        assert sound.scanner(0.02) is sound.scanner(160) is sound.scanner()
        assert sound.scanner(0.01).hop == (80,)
        assert slow.scanner(0.02).hop == (2,)
        x, _ = recording(8, seconds=2, count=2)
        pd.testing.assert_frame_equal(sound.find(x, hop=0.01), sound.find(x, hop=80))
        unknown = sw.Model(slow.net, replace(slow.info, sample_rate_hz=None))
        with pytest.raises(ArgumentError, match=r"hop must be a whole number .* where no rate is known; got 0\.5"):
            unknown.find(x, hop=0.5)

    def test_silence_holds_nothing(self, sound: sw.Model, slow: sw.Model) -> None:
        assert sound.find(np.zeros((1, 10_000), np.float32)).empty
        assert sound.find(np.full((1, 10_000), 0.5, np.float32)).empty
        assert slow.find(np.zeros((1, 10_000), np.float32)).empty

    def test_a_recording_shorter_than_the_window_is_refused(self, sound: sw.Model) -> None:
        (window,) = sound.info.window
        with pytest.raises(
            DataError, match=rf"array: must be at least as large as the window, \({window},\); got \({window - 1},\)"
        ):
            sound.find(np.zeros((1, window - 1), np.float32))
        assert sound.find(np.zeros((1, window), np.float32)).empty

    def test_a_resampled_recording_has_its_events_in_its_own_samples(self, slow: sw.Model, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        path = save(tmp_path / "a.csv", x.repeat(3, axis=1), rate_hz=3 * SLOW_HZ)
        with pytest.raises(DataError, match=r"a\.csv: has 300 Hz where 100 Hz is needed"):
            slow.find(path)
        found = slow.find(path, resample=True)
        mine = table.assign(start=3 * table["start"], end=3 * table["end"])
        assert f1(found, mine, 1.5 * slow.info.window[0]) == 1
        np.testing.assert_array_equal(found["start_s"], found["start"] / (3 * SLOW_HZ))
        assert (found["end"] - found["start"] == 3 * slow.info.window[0]).all()
        (result,) = slow.search(path, resample=True)
        assert (result.length, result.rate_hz, result.seconds) == (3 * x.shape[1], 300, 20)

    def test_clips_are_answered_whatever_their_length(self, of_clips: sw.Model, sound: sw.Model) -> None:
        rng = np.random.default_rng(9)
        for model in (of_clips, sound):
            for label in LABELS:
                short = clip(label, rng)
                long = over_noise([(6000, short[0])], 12_000, rng)
                assert model.predict([short, long, short[:, 300:900]]) == [label] * 3

    def test_several_channels_are_kept_apart(self) -> None:
        x, table = recording(1, seconds=30, count=20, slow=True)
        other, _ = recording(2, seconds=30, count=20, slow=True)
        model = sw.train(
            {"a": np.concatenate([x, other])}, labels=table.assign(file="a"), sample_rate_hz=100, epochs=40, **TINY
        )
        fresh, events = recording(3, slow=True)
        quiet = over_noise([], fresh.shape[1], np.random.default_rng(0))
        assert f1(model.find(np.concatenate([fresh, quiet])), events, 15) >= 0.9
        assert f1(model.find(np.concatenate([quiet, fresh])), events, 15) < 0.5
        with pytest.raises(DataError, match="must have as many channels as in training, 2; got 1"):
            model.find(fresh)


class TestForms:
    """The same examples make the same model, in whatever form they come."""

    def test_clips_are_sound_and_background_is_made(self, expected: sw.Model) -> None:
        info = expected.info
        assert info.classes == ("down", "up", "background")
        assert (info.background, info.background_labelled) == (("background",), False)
        assert (info.features or {})["name"] == "logmel"
        assert (info.sample_rate_hz, info.channels, info.columns) == (RATE_HZ, 1, None)
        assert 0.12 < (info.window[0] / RATE_HZ) < 0.22

    @pytest.mark.parametrize("suffix", [".flac", ".csv", ".npy"])
    def test_a_folder_per_class(self, expected: sw.Model, tmp_path: Path, suffix: str) -> None:
        folder = class_folder(tmp_path / "in", suffix=suffix, each=4)
        assert_same_model(sw.train(folder, sample_rate_hz=RATE_HZ if suffix == ".npy" else None, **QUICK), expected)

    def test_a_folder_per_class_of_ogg_which_is_near_enough(self, expected: sw.Model, tmp_path: Path) -> None:
        info = sw.train(class_folder(tmp_path / "in", suffix=".ogg", each=4), **QUICK).info
        assert info.window == expected.info.window
        assert info.mean == pytest.approx(expected.info.mean, abs=3)

    def test_a_manifest(self, wav: Path, expected: sw.Model) -> None:
        names = sorted(file.relative_to(wav).as_posix() for file in wav.rglob("*.wav"))
        manifest = wav / "all.csv"
        pd.DataFrame({"file": names, "label": [name.split("/")[0] for name in names]}).to_csv(manifest, index=False)
        assert_same_model(sw.train(manifest, **QUICK), expected)
        manifest.unlink()

    def test_clips_in_memory(self, expected: sw.Model) -> None:
        rng = np.random.default_rng(0)
        x = [clip(label, rng) for label in LABELS for _ in range(4)]
        data = Clips(x, np.repeat([0, 1], 4), LABELS, tuple(map(str, range(8))), rate_hz=RATE_HZ)
        assert_same_model(sw.train(data, **QUICK), expected)

    def test_a_recording_as_file_or_array_with_labels_in_samples_or_seconds(self, tmp_path: Path) -> None:
        x, table = recording(3, seconds=12, count=8)
        path = save(tmp_path / "a.wav", x)
        table = table.assign(file="a.wav")
        (tmp_path / "labels.csv").write_text(in_seconds(table).to_csv(index=False))
        one = sw.train(path, labels=tmp_path / "labels.csv", **QUICK)
        assert_same_model(sw.train(tmp_path, labels=table, **QUICK), one)
        assert_same_model(sw.train({"a.wav": x[0]}, labels=table, sample_rate_hz=RATE_HZ, **QUICK), one)
        assert one.info.classes == ("down", "up", "background")
        assert one.validation is not None
        assert one.validation.count >= 2

    def test_another_seed_makes_another_model(self, wav: Path, expected: sw.Model) -> None:
        assert weights(sw.train(wav, seed=1, **QUICK)) != weights(expected)


def wanted(window: int, **others: Any) -> Wanted:
    usual: dict[str, Any] = {
        "fraction": 0.25, "seed": 0, "background": True, "augment": True, "sound": False,
        "unlabelled": "background", "false_alarms_per_hour": None,
    }  # fmt: skip
    return Wanted(window=(window,), **(usual | others))


def marked_recording(count: int = 20) -> Labelled:
    """Bumps of 30 samples."""
    x, table = recording(4, seconds=2 * count, count=count, slow=True)
    return Labelled(("a",), [x], table.assign(file="a"), SLOW_HZ)


def numbered(data: Labelled) -> Labelled:
    """The same with a channel that tells each sample's number."""
    x = data.recordings[0]
    return replace(data, recordings=[np.concatenate([x, np.arange(x.shape[1], dtype=np.float32)[None]])])


def of_lengths(*lengths: int, rate_hz: float | None = SLOW_HZ) -> Clips:
    """A bump in the middle of each clip, up and down in turn."""
    rng = np.random.default_rng(0)
    x = [over_noise([((n - 30) // 2, bump(LABELS[k % 2]))], n, rng) for k, n in enumerate(lengths)]
    names = tuple(map(str, range(len(x))))
    return Clips(x, np.arange(len(x)) % 2, LABELS, names, rate_hz=rate_hz)


def correlation(window: np.ndarray, pattern: np.ndarray) -> float:
    return float(np.corrcoef(window, pattern)[0, 1])


class TestSets:
    """What is trained on, what is held back, and what sets the threshold."""

    def test_patterns_are_in_the_middle_but_for_a_tenth_and_background_is_off_by_a_sixth(self) -> None:
        data = numbered(marked_recording())
        parts = sets_of(data, wanted(30))
        assert parts.classes is not None
        assert parts.classes.names == ("down", "up", "background")
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
        assert parts.threshold(slow) == 0.25
        assert len(heard["truth"]) == 6 * 4
        assert (heard["tolerance"], heard["floor"]) == (15, 0.05)
        assert 6 * 4 * 0.4 <= heard["seconds"] <= 6 * 4 * (0.4 + 2.4)

    def test_labelled_background_is_learnt_and_is_no_event(self, slow: sw.Model) -> None:
        data = marked_recording(60)
        events = data.events.assign(label=np.where(np.arange(60) % 3 == 0, "noise", data.events["label"]))
        parts = sets_of(replace(data, events=events), wanted(30, background=False))
        assert parts.classes is not None
        assert (parts.classes.names, parts.classes.background) == (("down", "noise", "up"), ("noise",))
        counts = np.bincount(parts.y)
        assert counts.max() - counts.min() <= 1
        more = sets_of(replace(data, events=events), wanted(30))
        assert np.bincount(more.y)[1] == counts[1] + np.bincount(more.y)[[0, 2]].sum()
        info = replace(slow.info, classes=parts.classes.names, background=("noise",), background_labelled=True)
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
            assert parts.classes is not None
            assert parts.classes.names == LABELS
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
            sets_of(data, wanted(30, false_alarms_per_hour=alarms)).threshold(slow) for alarms in (None, 3600, 0)
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
        assert sets_of(data, wanted(30)).threshold(deaf) == 0.5
        assert sets_of(data, wanted(30, false_alarms_per_hour=0)).threshold(deaf) == 0.05

    @pytest.mark.parametrize(
        "data", [of_lengths(40, 40, rate_hz=None), replace(marked_recording(), rate_hz=None)], ids=["clips", "marks"]
    )
    def test_false_alarms_an_hour_need_a_rate(self, data: Clips | Labelled) -> None:
        with pytest.raises(ArgumentError, match=r"false_alarms_per_hour must be for patterns in recordings of a known"):
            sets_of(data, wanted(30, false_alarms_per_hour=1))


class TestTrain:
    """The door, where signals differ from images."""

    def test_labels_named_noise_are_background_beside_what_is_made(self) -> None:
        data = marked_recording(30)
        events = data.events.assign(
            label=["Noise" if k % 3 == 0 else label for k, label in enumerate(data.events.label)]
        )
        model = sw.train({"a": data.recordings[0]}, labels=events, sample_rate_hz=SLOW_HZ, **QUICK)
        assert model.info.classes == ("Noise", "down", "up")
        assert (model.info.background, model.info.background_labelled) == (("Noise",), True)

    def test_the_default_hop_is_the_networks_stride_in_samples(self, slow: sw.Model, sound: sw.Model) -> None:
        assert slow.info.hop == (slow.net.stride[0],)
        assert sound.info.hop == (sound.net.stride[0] * 80,)

    def test_window_hop_and_features_arrive(self) -> None:
        x, table = recording(3, seconds=12, count=8)
        model = sw.train(
            {"a": x}, labels=table.assign(file="a"), sample_rate_hz=RATE_HZ, window=0.1, hop=0.005,
            features={"name": "logmel", "n_fft": 128, "bands": 16}, **QUICK,
        )  # fmt: skip
        assert (model.info.window, model.info.hop) == ((768,), (40,))  # 128 + 10 * 64
        assert (model.info.features or {})["arguments"]["bands"] == 16
        assert model.info.arguments["window_shape"] == [16, 11]

    def test_raw_sound_is_learnt_if_wanted(self) -> None:
        x, table = recording(3, seconds=12, count=8)
        model = sw.train(
            {"a": x}, labels=table.assign(file="a"), sample_rate_hz=RATE_HZ, features="raw", window=400, **QUICK
        )
        assert (model.info.features or {})["name"] == "raw"
        assert model.info.window == (400,)
        assert set(model.find(x)["label"]) <= set(LABELS)

    def test_a_time_delay_network_finds_patterns(self) -> None:
        x, table = recording(1, seconds=50, count=40)
        labels = table.assign(file="a")
        model = sw.train({"a": x}, "tdnn", labels=labels, sample_rate_hz=RATE_HZ, epochs=50, channels=8, hidden=[16])
        fresh, events = recording(5)
        assert f1(model.find(fresh), events, model.info.window[0] / 2) >= 0.9

    def test_recordings_of_a_table_without_their_name_are_background(self) -> None:
        """A class of patterns in a recording that the table does not name is learnt as nothing."""
        data = marked_recording(30)
        other = over_noise([(k, bump("up")) for k in range(100, 5900, 200)], 6000, np.random.default_rng(0))
        events = data.events[data.events["label"] == "down"]
        model = sw.train(
            {"a": data.recordings[0], "b": other}, labels=events, sample_rate_hz=SLOW_HZ, epochs=20, **TINY
        )
        assert model.find(other).empty

    def test_clips_of_silence_are_no_trouble(self) -> None:
        data = of_lengths(*[40, 45] * 6)
        x = [*data.x, *(np.zeros((1, 40), np.float32) for _ in range(3))]
        y = np.append(data.y, [2, 2, 2])
        silent = Clips(x, y, (*LABELS, "silence"), tuple(map(str, range(len(x)))), rate_hz=SLOW_HZ)
        model = sw.train(silent, window=30, epochs=20, **TINY)
        assert model.info.classes == (*LABELS, "silence", "background")
        assert all(np.isfinite(row["loss"]) for row in model.history)
        assert model.predict(data.x[0]) == "down"

    @pytest.mark.parametrize(
        ("asked", "error", "message"),
        [
            ({"task": "regress"}, ArgumentError, "task must suit the data, which is to classify; got regress"),
            ({"task": "guess"}, ArgumentError, "task must be classify or regress; got 'guess'"),
            (
                {"columns": ("a", "b")},
                ArgumentError,
                "columns must be left out for recordings that are no CSV, which have 1",
            ),
            ({"columns": "ab"}, ArgumentError, "columns must be different names, at least one; got 'ab'"),
            ({"unlabelled": "skip"}, ArgumentError, "unlabelled must be one of background, ignore; got 'skip'"),
            ({"false_alarms_per_hour": -1}, ArgumentError, "false_alarms_per_hour must be at least 0; got -1"),
            (
                {"false_alarms_per_hour": 1},
                ArgumentError,
                "false_alarms_per_hour must be for patterns in recordings of a",
            ),
            ({"background": False, "label": "up"}, ArgumentError, "classes must be at least one pattern and one other"),
            ({"label": "noise"}, ArgumentError, "classes must be at least one pattern and one other class; got noise"),
            ({"rows": slice(1)}, DataError, "class 'down' must have two events that can be separated"),
            (
                {"window": 5000},
                DataError,
                "recordings with labels must be at least as long as the window, 5000 samples",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore:a. is shorter")
    def test_what_cannot_be_is_refused_before_training(
        self, asked: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        data = marked_recording()
        events = data.events[asked.pop("rows", slice(None))]
        events = events.assign(label=asked.pop("label", events["label"]))
        with pytest.raises(error, match=message):
            sw.train({"a": data.recordings[0]}, labels=events, on_epoch=pytest.fail, **asked)

    def test_a_class_of_one_clip_is_refused(self) -> None:
        with pytest.raises(DataError, match="class 'up' must have at least two examples; got one"):
            sw.train(replace(of_lengths(40, 41, 42), y=np.array([0, 0, 1])), window=30)

    def test_images_have_no_false_alarms_an_hour(self, shapes: tuple[np.ndarray, np.ndarray]) -> None:
        with pytest.raises(ArgumentError, match="false_alarms_per_hour must be for patterns in recordings"):
            sw.train(shapes, false_alarms_per_hour=1)


class TestRegression:
    """Values of windows of signals."""

    def test_it_knows_its_rate(self, regression: sw.Model) -> None:
        info = regression.info
        assert (info.task, info.sample_rate_hz, info.window, info.classes) == ("regress", SLOW_HZ, (30,), None)
        assert regression.validation is not None
        assert regression.validation.mean_absolute_error < 0.1  # type: ignore[union-attr, operator]

    def test_clips_of_any_length_are_answered_by_the_mean_over_windows(self, regression: sw.Model) -> None:
        clip = 0.5 * np.hanning(30)[None]
        assert regression.predict(clip) == pytest.approx(0.5, abs=0.15)
        assert regression.predict(clip[:, 1:-1]) == pytest.approx(0.5, abs=0.15)
        long = np.tile(clip, 3)
        scores = regression.scanner().scan(long.astype(np.float32))
        assert regression.predict([clip, long])[1] == pytest.approx(float(np.mean(scores)), abs=1e-6)

    def test_of_another_rate_it_wants_to_be_told(self, regression: sw.Model, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", np.hanning(60)[None] * 0.5, rate_hz=200)
        with pytest.raises(DataError, match=r"a\.csv: has 200 Hz where 100 Hz is needed"):
            regression.predict(path)
        assert regression.predict(path, resample=True) == pytest.approx(0.5, abs=0.15)

    def test_it_has_no_events_to_label(self, regression: sw.Model, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", np.hanning(60)[None], rate_hz=SLOW_HZ)
        with pytest.raises(ArgumentError, match=r"labels must be left out for a regression; got raven\. It finds no"):
            regression.scan(path, tmp_path / "out", scores=True, labels="raven")
        assert regression.scan(path, tmp_path / "out", scores=True).empty
        assert np.load(tmp_path / "out" / "scores" / "000000.npy").shape == (1, 61)

    def test_false_alarms_are_not_its_business(self) -> None:
        x = np.zeros((8, 30))
        with pytest.raises(ArgumentError, match="false_alarms_per_hour must be for patterns"):
            sw.train((x, np.linspace(0, 1, 8)), sample_rate_hz=SLOW_HZ, false_alarms_per_hour=1)


class TestEvaluation:
    """Found events against true ones."""

    @pytest.fixture
    def nights(self, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
        """Two recordings of 20 s in a folder, and what is where in them."""
        parts = []
        for seed, name in ((5, "a.csv"), (6, "x/b.csv")):
            x, table = recording(seed, slow=True)
            save(tmp_path / "in" / name, x, rate_hz=SLOW_HZ)
            parts.append(table.assign(file=name))
        return tmp_path / "in", pd.concat(parts, ignore_index=True)

    def test_truth_may_be_in_seconds_or_samples_and_names_files_in_the_folder(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        for labels in (truth, in_seconds(truth, SLOW_HZ)):
            result = slow.evaluate_events(folder, labels)
            assert (result.count, result.match.f1) == (24, 1)
            assert (result.seconds, result.false_alarms_per_hour, result.failed) == (40, 0, ())
        manifest = folder.parent / "all.csv"
        manifest.write_text("file\nin/a.csv\nin/x/b.csv\n")
        result = slow.evaluate_events(manifest, truth.assign(file="in/" + truth["file"]))
        assert (result.count, result.match.f1) == (24, 1)
        assert slow.evaluate_events(folder / "a.csv", truth[truth["file"] == "a.csv"]).count == 12
        (folder / "x" / "b.csv").rename(folder / "x" / "a.csv")
        result = slow.evaluate_events(folder, truth.replace("x/b.csv", "x/a.csv"))
        assert (result.count, result.match.f1) == (24, 1)

    def test_false_alarms_are_counted_by_the_hour(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, truth = nights
        result = slow.evaluate_events(folder, truth.iloc[2:])
        assert result.match.false_positives == 2
        assert result.false_alarms_per_hour == 180  # 2 in 40 s
        assert result.summary == "F1 0.957, precision 0.917, recall 1.000, 180 false alarms per hour"

    def test_half_a_window_is_near_enough(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, _ = nights
        found = slow.find(folder / "a.csv")
        shifted = found[["start", "end", "label"]].assign(file="a.csv")
        for by, right in ((15, len(found)), (16, 0)):
            labels = shifted.assign(start=found["start"] + by, end=found["end"] + by)
            labels = labels[labels["end"] <= 2000]
            result = slow.evaluate_events(folder / "a.csv", labels)
            assert result.match.true_positives == min(right, len(labels))

    @pytest.mark.parametrize("threshold", [0.02, 0.1, 0.45, 0.8])
    def test_the_table_by_threshold_is_what_searches_at_these_thresholds_find(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame], threshold: float
    ) -> None:
        folder, truth = nights
        table = slow.evaluate_events(folder, truth, threshold=min(threshold, 0.05)).by_threshold
        reached = table[table["threshold"] >= threshold].iloc[-1]
        result = slow.evaluate_events(folder, truth, threshold=threshold)
        assert result.match.true_positives == reached["true_positives"]
        assert result.match.false_positives == reached["false_positives"]
        assert result.match.false_negatives == reached["false_negatives"]
        assert result.false_alarms_per_hour == pytest.approx(reached["false_alarms_per_hour"])
        assert result.match.found_count == len(slow.find(folder, threshold=threshold))

    def test_it_prints_a_table_by_class_and_one_by_threshold(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        first, by_label, by_threshold = str(slow.evaluate_events(folder, truth)).split("\n\n")
        assert first == "24 events: F1 1.000, precision 1.000, recall 1.000, 0 false alarms per hour"
        assert [line.split()[0] for line in by_label.splitlines()] == ["label", "down", "up", "(all)"]
        header, *lines = by_threshold.splitlines()
        assert header.split() == ["threshold", "precision", "recall", "f1", "false_alarms_per_hour"]
        assert [line.split()[0] for line in lines] == [f"0.{k}00" for k in range(1, len(lines) + 1)]
        assert len(lines) >= 6
        for line in lines:
            threshold, precision, recall, score, alarms = map(float, line.split())
            match = slow.evaluate_events(folder, truth, threshold=threshold)
            assert (precision, recall, score) == pytest.approx(
                (match.match.precision, match.match.recall, match.match.f1), abs=5e-4
            )
            assert alarms == pytest.approx(match.false_alarms_per_hour, abs=5e-4)

    def test_many_false_alarms_are_printed_as_a_number(self) -> None:
        found = pd.DataFrame({"file": "a", "start": range(2000), "end": range(2000), "label": "up", "score": 0.9})
        result = event_evaluation(found, found.iloc[:0], 1, {"up": 0.9}, seconds=3600)  # a score at it counts
        assert result.summary.endswith(", 2,000 false alarms per hour")

    def test_an_unreadable_recording_misses_its_events_for_its_own_reason(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        (folder / "a.csv").write_text("time_s,c0\n0,1\n0.01,nan\n")
        for labels in (truth, in_seconds(truth, SLOW_HZ)):
            result = slow.evaluate_events(folder, labels)
            assert (result.match.true_positives, result.match.false_negatives) == (12, 12)
            ((file, reason),) = result.failed
            assert file == str(folder / "a.csv")
            assert reason.startswith("row 2: c0 must be a finite number; got 'nan'")
            assert result.seconds == 20

    def test_a_recording_whose_labels_cannot_be_true_is_left_out(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        wrong = pd.concat([truth, truth.iloc[-1:].assign(start=2000, end=2030)], ignore_index=True)
        result = slow.evaluate_events(folder, wrong)
        assert (result.count, result.match.f1, result.seconds) == (12, 1, 20)
        ((file, reason),) = result.failed
        assert file == str(folder / "x" / "b.csv")
        assert reason.startswith("labels, row 25 must lie within the recording, samples 0 to 2000")

    def test_a_recording_that_nobody_reviewed_is_left_out(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        labels = folder.parent / "labels"
        labels.mkdir()
        in_seconds(truth[truth["file"] == "a.csv"], SLOW_HZ).to_csv(labels / "a.csv", index=False)
        result = slow.evaluate_events(folder, labels)
        assert (result.count, result.match.f1, result.seconds) == (12, 1, 20)
        assert result.failed == (
            (str(folder / "x" / "b.csv"), "has no labels. If there is nothing in it, give it an empty file of labels."),
        )
        (labels / "b.txt").write_text("")
        empty = slow.evaluate_events(folder, labels)
        assert (empty.match.false_positives, empty.seconds, empty.failed) == (12, 40, ())

    def test_when_nothing_can_be_compared_each_reason_is_told(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        with (
            pytest.warns(InputFailed) as warned,
            pytest.raises(DataError, match=r"inputs must have one that can be compared with the truth; got 2 without"),
        ):
            slow.evaluate_events(folder, truth.assign(start=5000, end=6000))
        assert [str(warning.message).split(": ")[0] for warning in warned] == [
            str(folder / "a.csv"), str(folder / "x" / "b.csv"),
        ]  # fmt: skip
        (folder / "a.csv").write_text("")
        with pytest.raises(DataError, match=r"a\.csv: the file is empty"):
            slow.evaluate_events(folder / "a.csv", truth[truth["file"] == "a.csv"])

    def test_a_label_that_the_model_does_not_know_is_said_before_anything_is_searched(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, truth = nights
        monkeypatch.setattr(sw.Model, "search", pytest.fail)
        with pytest.raises(
            DataError, match=r"truth must name a label that there is; got 'siren'\. There is down, up\."
        ):
            slow.evaluate_events(folder, truth.assign(label="siren"))
        with pytest.raises(DataError, match=r"gone\.csv: no such file"):
            slow.evaluate_events(folder, folder / "gone.csv")

    def test_background_in_the_truth_is_no_event(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, truth = nights
        more = pd.concat([truth, truth.iloc[:1].assign(start=1, end=5, label="background")], ignore_index=True)
        assert slow.evaluate_events(folder, more).count == 24

    def test_without_a_rate_there_is_no_hour(self, slow: sw.Model, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        save(tmp_path / "a.npy", x)
        unknown = sw.Model(slow.net, replace(slow.info, sample_rate_hz=None))
        result = unknown.evaluate_events(tmp_path, table.assign(file="a.npy"))
        assert (result.match.f1, result.seconds, result.false_alarms_per_hour) == (1, None, None)
        assert str(result).count("\n\n") == 1
        assert "false alarms" not in str(result)

    def test_labels_are_in_samples_of_a_file_that_is_resampled(self, slow: sw.Model, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        save(tmp_path / "a.csv", x.repeat(2, axis=1), rate_hz=200)
        truth = table.assign(file="a.csv", start=2 * table["start"], end=2 * table["end"])
        for labels in (truth, in_seconds(truth, 200)):
            result = slow.evaluate_events(tmp_path, labels, resample=True)
            assert (result.match.f1, result.seconds) == (1, 20)
