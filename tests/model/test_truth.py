"""Events against the truth, whatever the rate of the file, and wherever the truth comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly
from signals import RATE_HZ, finder, in_seconds, recording, save

import scanwise as sw
from scanwise.errors import ArgumentError


@pytest.fixture
def night(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A recording with a chirp cut off at its end, and its labels in seconds."""
    x, table = recording(5)
    last = int(table["end"].iloc[-1]) - 400
    path = save(tmp_path / "night.wav", x[:, :last])
    return path, in_seconds(table).assign(file="night.wav")


@pytest.mark.parametrize("times", [3, 0.5])
def test_half_a_window_is_as_long_in_a_file_of_another_rate(
    night: tuple[Path, pd.DataFrame], tmp_path: Path, times: float
) -> None:
    path, truth = night
    x = sw.sources.read_recording(path).x
    up, down = (int(times), 1) if times > 1 else (1, int(1 / times))
    other = save(tmp_path / "other" / "night.wav", resample_poly(x, up, down, axis=1), RATE_HZ * times)
    model = finder()
    shift_s = 0.4 * model.info.window[0] / RATE_HZ  # a truth that is off, but by less than half a window
    late = truth.assign(start_s=truth["start_s"] + shift_s, end_s=truth["end_s"] + shift_s).iloc[:-1]
    far = truth.assign(start_s=truth["start_s"] + 3 * shift_s, end_s=truth["end_s"] + 3 * shift_s).iloc[:-1]
    for file in (path, other):
        assert model.evaluate_events(file, late, resample=True).match.recall >= 0.8
        assert model.evaluate_events(file, far, resample=True).match.recall <= 0.3


def test_what_a_scan_writes_is_read_as_the_truth(night: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    path, _ = night
    found = finder().scan(path, tmp_path / "found")
    assert (found["end"] > sw.sources.read_recording(path).x.shape[1]).any(), "none reaches beyond the end"
    truth = sw.events.parse_labels((tmp_path / "found" / "events.csv").read_text())
    result = finder().evaluate_events(path, truth.assign(file="night.wav"))
    assert result.failed == ()
    assert result.match.f1 == 1


def test_a_truth_may_say_that_there_is_no_pattern(night: tuple[Path, pd.DataFrame]) -> None:
    path, truth = night
    nothing = truth.iloc[:1].assign(start_s=0.0, end_s=0.01, label="Noise")
    both = finder().evaluate_events(path, pd.concat([truth.iloc[:-1], nothing], ignore_index=True))
    assert both.match == finder().evaluate_events(path, truth.iloc[:-1]).match


def test_the_least_distance_of_events_may_be_given_in_seconds(night: tuple[Path, pd.DataFrame]) -> None:
    path, _ = night
    pd.testing.assert_frame_equal(finder().find(path, merge_gap=1.5), finder().find(path, merge_gap=12_000))
    assert len(finder().find(path, merge_gap=5.0)) < len(finder().find(path))


def test_the_normalisation_is_that_of_all_frames_together() -> None:
    x = np.random.default_rng(0).normal(3, [[[2.0], [0.5]]], (150, 2, 40)).astype(np.float32)
    model = sw.train((x, np.arange(150) % 2), "mlp", hidden=[2], epochs=1, background=False, validation=0.01)
    assert np.allclose(model.info.mean, 3, atol=0.2)
    assert np.allclose(model.info.std, [2.0, 0.5], rtol=0.05)
    same = np.array([model.info.mean, model.info.std])
    doubled = sw.train((2 * x, np.arange(150) % 2), "mlp", hidden=[2], epochs=1, background=False, validation=0.01)
    assert np.allclose([doubled.info.mean, doubled.info.std], 2 * same)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": {"name": "logmel", "rate_hz": 44100}}, "features must leave out rate_hz; got 44100. It follows"),
        ({"features": {"name": "logmel", "channels": 2}}, "features must leave out channels; got 2. It follows"),
        ({"unlabelled": "foo"}, "unlabelled must be one of background, ignore; got 'foo'"),
    ],
)
def test_what_follows_from_the_data_is_not_asked_for(arguments: dict[str, object], message: str) -> None:
    x = np.zeros((4, 1, 900), np.float32)
    with pytest.raises(ArgumentError, match=message):
        sw.train((x, [0, 1, 0, 1]), sample_rate_hz=8000, **arguments)
