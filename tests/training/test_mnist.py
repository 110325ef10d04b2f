"""What the defaults reach on real digits; see ``benchmarks/mnist.py``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mnist_benchmark", ROOT / "benchmarks" / "mnist.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_digit_is_placed_at_its_corner(benchmark: ModuleType) -> None:
    digits = np.random.default_rng(0).random((6, 1, 28, 28), np.float32)
    corners = benchmark.anywhere(6, np.random.default_rng(1))
    canvases = benchmark.place(digits, corners)
    for canvas, digit, (row, column) in zip(canvases, digits, corners, strict=True):
        assert np.array_equal(canvas[:, row : row + 28, column : column + 28], digit)
        assert canvas.sum() == pytest.approx(digit.sum(), rel=1e-5)
    pieces = benchmark.clutter(digits, np.random.default_rng(2))
    assert 4 * 32 < (pieces[0] > 0).sum() <= 4 * 64
    assert (benchmark.place(digits, corners, pieces) >= np.maximum(canvases, pieces)).all()


def test_a_shift_is_that_far(benchmark: ModuleType) -> None:
    for pixels in range(5):
        offsets = benchmark.shifted(300, pixels, np.random.default_rng(0)) - 16
        assert (np.abs(offsets).max(axis=1) == pixels).all()
        assert len(np.unique(offsets, axis=0)) == max(8 * pixels, 1)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_defaults_find_digits_anywhere_and_an_mlp_does_not(benchmark: ModuleType, realdata: Path) -> None:
    x, y = benchmark.read_mnist(realdata / "mnist")
    convnet = benchmark.measure_convnet(x, y, seed=0)
    assert convnet["centred"] >= 0.990
    assert convnet["anywhere"] >= 0.985
    assert convnet["cluttered"] >= 0.95
    mlp = benchmark.measure_mlp(x, y, seed=0)
    assert mlp["shift 0"] >= 0.94
    assert mlp["shift 4"] < 0.35
    assert mlp["anywhere"] < 0.2
