"""Recordings at the rate that is needed, and inputs of either kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import encoded, tones

from scanwise.errors import ArgumentError, DataError
from scanwise.sources import Reading, read_input, read_recording


def test_a_recording_of_another_rate_is_refused(tmp_path):
    path = encoded(tmp_path / "a.wav", tones(90), 16_000)
    with pytest.raises(
        DataError, match=r"a.wav: has 16000 Hz where 8000 Hz is needed. Convert it, or allow resampling"
    ):
        read_recording(path, Reading(8000))
    assert read_recording(path, Reading(16_000)).rate_hz == 16_000
    assert read_recording(path, Reading(16_000.001)).rate_hz == 16_000.001
    assert read_recording(path).rate_hz == 16_000
    with pytest.raises(DataError, match=r"has 16000 Hz where 16000\.1 Hz is needed"):
        read_recording(path, Reading(16_000.1))


def test_a_recording_of_another_rate_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = encoded(tmp_path / "a.wav", tones(90), 16_000)
    monkeypatch.setattr("scanwise.sources._recordings.Recording.read", lambda _: pytest.fail("was read"))
    with pytest.raises(DataError, match="has 16000 Hz"):
        read_recording(path, Reading(8000))


def test_a_file_that_states_no_rate_is_taken_to_have_the_one_needed(tmp_path):
    np.save(tmp_path / "a.npy", tones(9))
    signal = read_recording(tmp_path / "a.npy", Reading(360, resample=True))
    assert (signal.x.shape, signal.rate_hz, signal.file_rate_hz) == ((2, 9), 360.0, None)
    assert read_recording(tmp_path / "a.npy").rate_hz is None


@pytest.mark.parametrize(("rate_hz", "needed"), [(16_000, 8000), (8000, 16_000), (44_100, 8000), (360, 250.0)])
def test_resampling_keeps_a_slow_tone(tmp_path, rate_hz, needed):
    time = np.arange(2 * rate_hz) / rate_hz
    pitch = min(rate_hz, needed) / 40
    x = (0.3 + 0.5 * np.sin(2 * np.pi * pitch * time))[None].astype(np.float32)
    path = encoded(tmp_path / "a.wav", x, rate_hz, subtype="FLOAT")
    signal = read_recording(path, Reading(needed, resample=True))
    wanted = 0.3 + 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(2 * needed)) / needed)
    assert signal.x.shape == (1, int(2 * needed))
    assert (signal.x.dtype, signal.rate_hz, signal.file_rate_hz) == (np.float32, needed, rate_hz)
    np.testing.assert_allclose(signal.x[0, 40:-40], wanted[40:-40], atol=2e-3)


@pytest.mark.parametrize("length", [1, 2, 1001])
def test_resampling_keeps_a_level_up_to_the_ends(tmp_path, length):
    path = encoded(tmp_path / "a.wav", np.full((1, length), 0.75, np.float32), 1000, subtype="FLOAT")
    np.testing.assert_allclose(read_recording(path, Reading(800, resample=True)).x, 0.75, atol=1e-5)


def test_resampling_keeps_a_drift_up_to_the_ends(tmp_path):
    path = encoded(tmp_path / "a.wav", np.linspace(0, 1, 1000, dtype=np.float32)[None], 1000, subtype="FLOAT")
    x = read_recording(path, Reading(800, resample=True)).x[0]
    np.testing.assert_allclose(x, np.arange(800) * 1.25 / 999, atol=5e-3)


@pytest.mark.parametrize("needed", [1e9, 1e-3])
def test_rates_that_are_worlds_apart_are_refused(tmp_path, needed):
    path = encoded(tmp_path / "a.wav", tones(90), 44_100)
    with pytest.raises(DataError, match=r"cannot be resampled from 44100 Hz to .* Hz: no ratio of numbers to 10,000"):
        read_recording(path, Reading(needed, resample=True))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rate_hz": 0}, "rate_hz must be above 0; got 0"),
        ({"rate_hz": float("inf")}, "rate_hz must be a finite number"),
        ({"resample": 1}, "resample must be true or false; got 1"),
        ({"columns": "left"}, r"columns must be different names, at least one; got 'left'. Give a tuple of names"),
        ({"columns": ()}, "columns must be different names"),
        ({"columns": ("a", "a")}, "columns must be different names"),
        ({"columns": (1,)}, "columns must be different names"),
        ({"columns": 1}, "columns must be different names"),
    ],
)
def test_a_reading_is_checked(options, text):
    with pytest.raises(ArgumentError, match=text):
        Reading(**options)


def test_equal_readings_are_one():
    assert {Reading(8000, columns=["a"])} == {Reading(8000.0, columns=("a",))}


# Inputs of either kind


def test_an_input_is_a_recording_or_an_image_as_its_axes_say(tmp_path):
    wav = encoded(tmp_path / "a.wav", tones(9))
    (tmp_path / "a.csv").write_text("left,right\n1,2\n")
    np.save(tmp_path / "a.npy", np.ones((2, 9)))
    assert read_input(wav, axes=1).rate_hz == read_input(wav).rate_hz == 8000
    assert read_input(tmp_path / "a.csv", axes=1, reading=Reading(columns=("right",))).x.tolist() == [[2.0]]
    assert read_input(tmp_path / "a.npy", axes=1, reading=Reading(360)).rate_hz == 360
    assert read_input(tmp_path / "a.npy", axes=2, reading=Reading(360)).rate_hz is None
    for path in (wav, tmp_path / "a.csv"):
        with pytest.raises(DataError, match=r"is a recording where an image is needed. Name an image"):
            read_input(path, axes=2)
    with pytest.raises(DataError, match=r"a.png: is an image where a recording is needed. Name a recording"):
        read_input(tmp_path / "a.png", axes=1)


@pytest.mark.realdata
def test_spoken_digits_are_read_as_soundfile_reads_them(realdata: Path):
    for path in sorted(realdata.glob("fsdd/*/*_0.wav")):
        signal = read_recording(path, Reading(8000))
        np.testing.assert_array_equal(signal.x[0], soundfile.read(path, dtype="float32")[0])
