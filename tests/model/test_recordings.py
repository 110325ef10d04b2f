"""Models of recordings: what they find, and what is learnt from data in whatever form."""

from __future__ import annotations

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
    class_folder,
    clip,
    f1,
    in_seconds,
    over_noise,
    recording,
    save,
)

import scanwise as sw
from scanwise.errors import ArgumentError, DataError
from scanwise.model._clips import padded
from scanwise.sources import Clips

COLUMNS = ["file", "start", "end", "start_s", "end_s", "label", "score"]
QUICK: dict[str, Any] = {"epochs": 2, **TINY}


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
