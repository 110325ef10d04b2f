"""Training on recordings: options, refusals, and values to regress."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signals import (
    LABELS,
    RATE_HZ,
    SLOW_HZ,
    TINY,
    bump,
    f1,
    marked_recording,
    of_lengths,
    over_noise,
    recording,
    save,
)

import scanwise as sw
from scanwise.errors import ArgumentError, DataError
from scanwise.sources import Clips

QUICK: dict[str, Any] = {"epochs": 2, **TINY}


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
            ({"task": "guess"}, ArgumentError, "task must be classify, regress or verify; got 'guess'"),
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
        with pytest.raises(ArgumentError, match=r"labels must be left out without classes; got raven\. No events"):
            regression.scan(path, tmp_path / "out", scores=True, labels="raven")
        assert regression.scan(path, tmp_path / "out", scores=True).empty
        assert np.load(tmp_path / "out" / "scores" / "000000.npy").shape == (1, 61)

    def test_false_alarms_are_not_its_business(self) -> None:
        x = np.zeros((8, 30))
        with pytest.raises(ArgumentError, match="false_alarms_per_hour must be for patterns"):
            sw.train((x, np.linspace(0, 1, 8)), sample_rate_hz=SLOW_HZ, false_alarms_per_hour=1)
