"""Examples of classes as windows of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from scanwise.errors import ArgumentError
from scanwise.model import class_windows
from scanwise.sources import Clips


def test_images_come_as_they_are(shapes: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = shapes
    found = class_windows((x, y))
    assert np.array_equal(found.x, x)
    assert [found.classes[number] for number in found.y] == y.tolist()
    assert found.unit == "pixels"


def test_clips_of_several_sizes_get_the_median_size_or_the_one_asked_for() -> None:
    arrays = [np.zeros((1, size), np.float32) for size in (8, 10, 30)]
    clips = Clips(arrays, np.array([0, 1, 1]), ("a", "b"), ("p", "q", "r"))
    assert class_windows(clips).x.shape == (3, 1, 10)
    assert class_windows(clips, window=6).x.shape == (3, 1, 6)
    assert class_windows(clips).unit == "samples"


def test_sound_is_looked_at_as_spectra(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "1.wav", rng.normal(0, 0.1, 4000), 8000)
    seen, raw = class_windows(tmp_path), class_windows(tmp_path, features="raw")
    assert (seen.unit, raw.unit) == ("frames", "samples")
    assert raw.x.shape == (2, 1, 4000)
    assert seen.x.ndim == 3
    assert seen.x.shape[1] > 8
    assert seen.x.dtype == np.float32


def test_values_to_regress_are_no_classes() -> None:
    with pytest.raises(ArgumentError, match=r"task must suit the data, which is to regress; got classify"):
        class_windows((np.zeros((2, 8)), np.array([0.5, 1.5])))
