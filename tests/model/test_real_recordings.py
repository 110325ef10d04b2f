"""Real recordings: what the defaults reach, with margins for other machines; see ``benchmarks/spoken_digits.py``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from scanwise.sources import Clips

ROOT = Path(__file__).resolve().parents[2]


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return loaded("benchmarks/spoken_digits.py")


@pytest.mark.parametrize("one_level", [True, False])
def test_clips_stand_where_the_benchmark_says_ten_decibels_above_the_noise(
    benchmark: ModuleType, one_level: bool
) -> None:
    rng = np.random.default_rng(0)
    loudness = np.array([0.01, 0.1, 1.0])
    clips = [level * rng.normal(size=(1, 4000)).astype(np.float32) for level in loudness]
    names = ("a", "b", "c")
    x, truth = benchmark.recording_of(Clips(clips, np.arange(3), names, names), seed=0, one_level=one_level)
    assert x.shape == (1, 10 * 60 * 8000)
    noise = x[0, :4000].std()
    for row in truth.itertuples():
        level = x[0, row.start - 1000 : row.start + 1000].std()
        own = 1.0 if one_level else loudness[names.index(row.label)] / 0.1
        assert level / noise == pytest.approx(np.sqrt(own**2 * 10 + 1), rel=0.1)
    assert truth["start"].is_monotonic_increasing
    assert truth["start"].diff().min() > 4000


@pytest.mark.slow
@pytest.mark.realdata
def test_the_defaults_tell_spoken_digits_apart_and_find_them_in_noise(benchmark: ModuleType, realdata: Path) -> None:
    training, test = (benchmark.read_takes(realdata / "fsdd", takes) for takes in (range(5, 20), range(5)))
    figures = benchmark.measured(training, test, 0, {})
    assert figures["clips"] >= 0.97
    assert figures["one level"] >= 0.95
    assert figures["own levels"] >= 0.88


@pytest.mark.slow
@pytest.mark.realdata
def test_heartbeats_are_found_after_two_minutes_of_labels(realdata: Path) -> None:
    result = loaded("examples/heartbeats.py").learn_and_find(realdata / "ecg" / "ecg.dat", seed=0)
    assert result.true_count > 250
    assert result.f1 >= 0.985
