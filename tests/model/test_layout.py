"""What one answer looks at, from the data and what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scanwise.errors import ArgumentError
from scanwise.model._labelled import Labelled
from scanwise.model._layout import Layout, layout_of
from scanwise.sources import Clips


def clips(*sizes: int, rate_hz: float | None = None, channels: int = 1) -> Clips:
    x = [np.zeros((channels, size), np.float32) for size in sizes]
    y = np.arange(len(sizes)) % 2
    return Clips(x, y, ("a", "b"), tuple(map(str, sizes)), rate_hz=rate_hz)


def labelled(*sizes: int, rate_hz: float | None = 100) -> Labelled:
    starts = 50 * np.arange(len(sizes))
    events = pd.DataFrame({"file": "a", "start": starts, "end": starts + np.array(sizes), "label": "up"})
    return Labelled(("a",), [np.zeros((2, 1000), np.float32)], events, rate_hz)


def images() -> Clips:
    return Clips(np.zeros((2, 3, 8, 9), np.float32), np.array([0, 1]), ("a", "b"), ("x", "y"))


def layout(data: Clips | Labelled, **asked: Any) -> Layout:
    return layout_of(data, **({"features": None, "window": None, "hop": None} | asked))


@pytest.mark.parametrize(
    ("rate_hz", "name"), [(None, "raw"), (100, "raw"), (3999, "raw"), (4000, "logmel"), (48000, "logmel")]
)
def test_sound_is_looked_at_as_spectra_and_slow_signals_as_they_are(rate_hz: float | None, name: str) -> None:
    made = layout(clips(5000, 5000, rate_hz=rate_hz))
    assert made.front is not None
    assert (made.front.name, made.spectral, made.rate_hz) == (name, name == "logmel", rate_hz)


@pytest.mark.parametrize("asked", ["raw", {"name": "raw"}])
def test_features_are_those_that_are_asked_for(asked: object) -> None:
    made = layout(clips(800, 800, rate_hz=8000, channels=2), features=asked)
    assert made.front is not None
    assert (made.front.name, made.front.outputs, made.window, made.spectral) == ("raw", 2, (800,), False)
    assert made.network_shape == [2, 800]


@pytest.mark.parametrize("name", [{"name": "logmel"}, {}])
def test_features_take_arguments_and_the_usual_ones_may_be_meant(name: dict[str, str]) -> None:
    made = layout(clips(8000, 8000, rate_hz=8000, channels=2), features=name | {"n_fft": 512, "bands": 20})
    assert made.front is not None
    assert (made.front.name, made.front.frame_samples, made.front.step_samples) == ("logmel", 512, 80)
    assert made.network_shape == [40, 95]  # 2 * 20 bands; (8000 - 512) / 80 = 93.6, so 94 steps


def test_the_rate_of_spectra_is_that_of_the_data() -> None:
    front = layout(clips(8000, 8000, rate_hz=16000)).front
    assert front is not None
    assert front.arguments["rate_hz"] == 16000


@pytest.mark.parametrize(
    ("asked", "frames"),
    [(256, 1), (295, 1), (297, 2), (1600, 18), (0.2, 18), (np.float64(0.2), 18), ([1600], 18), (0.0321, 1), (1655, 18)],
)
def test_a_window_is_samples_or_seconds_rounded_to_whole_frames(asked: object, frames: int) -> None:
    made = layout(clips(8000, 8000, rate_hz=8000), window=asked)
    assert made.window == (256 + (frames - 1) * 80,)
    assert made.network_shape == [40, frames]
    assert made.window_shape == (1, *made.window)


def test_raw_windows_are_not_rounded() -> None:
    assert layout(clips(50, 50, rate_hz=100), window=37).window == (37,)
    assert layout(clips(50, 50, rate_hz=100), window=0.255).window == (26,)
    assert layout(clips(50, 50, rate_hz=100), window=0.001).window == (1,)
    assert layout(clips(50, 50)).rate_hz is None


def test_the_usual_window_is_the_median_of_clips_or_of_events() -> None:
    assert layout(clips(10, 20, 21, 90)).window == (20,)
    assert layout(labelled(10, 30, 31)).window == (30,)
    assert layout(labelled(1, 2, 2)).window == (2,)
    assert layout(labelled(10, 30, 31)).channels == 2
    assert layout(images()).window == (8, 9)


def test_a_hop_is_samples_or_seconds_and_none_if_nobody_asks() -> None:
    data = clips(8000, 8000, rate_hz=8000)
    assert layout(data).hop is None
    assert layout(data, hop=40).hop == (40,)
    assert layout(data, hop=0.01).hop == (80,)
    assert layout(data, hop=1e-9).hop == (1,)
    assert layout(images(), hop=(2, 3)).hop == (2, 3)


def test_images_have_no_front_and_no_rate() -> None:
    made = layout(images(), window=4)
    assert (made.front, made.rate_hz, made.spectral) == (None, None, False)
    assert (made.channels, made.window, made.network_shape) == (3, (4, 4), [3, 4, 4])


@pytest.mark.parametrize(
    ("data", "asked", "message"),
    [
        (images(), {"features": "raw"}, r"features must be left out for images; got 'raw'\. They are for signals"),
        (
            images(),
            {"window": 0.5},
            r"window must be a whole number of samples or pixels where no rate is known; got 0\.5",
        ),
        (
            clips(50, 50),
            {"window": 0.5},
            r"window must be a whole number .* got 0\.5 seconds\. Count in samples, or give",
        ),
        (clips(50, 50), {"hop": 0.5}, r"hop must be a whole number .* got 0\.5 seconds"),
        (clips(50, 50, rate_hz=100), {"window": 0.0}, "window must be above 0; got 0.0"),
        (clips(50, 50, rate_hz=100), {"window": float("nan")}, "window must be a finite number; got nan"),
        (clips(50, 50, rate_hz=100), {"hop": -0.5}, "hop must be above 0; got -0.5"),
        (clips(50, 50, rate_hz=100), {"window": 0}, "window must be a whole number of at least 1"),
        (clips(50, 60), {"window": 601}, "window must be at most 10 times as long as the longest example, 60; got 601"),
        (clips(50, 60, rate_hz=100), {"window": 10000.0}, "longest example, 60; got 1000000. Whole numbers are sam"),
        (
            clips(50, 50, rate_hz=100),
            {"window": (3, 4)},
            r"window must be a whole number of at least 1, or one per axis",
        ),
        (
            clips(900, 900, rate_hz=8000),
            {"window": 255},
            r"window must hold a frame of logmel, 256 samples; got 255 \(0\.03188 s\)\. Whole numbers are samples, num",
        ),
        (clips(200, 200, rate_hz=8000), {}, r"window must hold a frame of logmel, 256 samples; got 200 \(0\.025 s\)"),
        (clips(900, 900), {"features": "logmel"}, "sample_rate_hz must be known for logmel; got none. Give the rec"),
        (clips(900, 900, rate_hz=8000), {"features": "wavelet"}, "features must be one of raw, logmel; got 'wavelet'"),
        (
            clips(900, 900, rate_hz=8000),
            {"features": [1]},
            r"features must be a name, or a name and arguments; got \[1\]",
        ),
        (clips(900, 900, rate_hz=8000), {"features": {"nfft": 3}}, "logmel takes no 'nfft'. It takes channels, rate"),
        (clips(900, 900, rate_hz=8000), {"features": {"name": "raw", "n_fft": 3}}, "raw takes no 'n_fft'"),
        (labelled(1, 1, 5), {}, r"window must be given, as the labels are points in time; got none\. Add a window"),
    ],
)
def test_what_makes_no_layout_is_refused(data: Clips | Labelled, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        layout(data, **asked)
