"""Real digits: the figures that the project promises."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

Digits = tuple[np.ndarray, np.ndarray]
TRAINING = 8000
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def digits(realdata: Path) -> Digits:
    """``(10000, 1, 28, 28)`` in [0, 1], and the digits they show."""

    def read(name: str, header: int) -> np.ndarray:
        packed = (realdata / "mnist" / name).read_bytes()
        return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)

    x = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    return x.astype(np.float32) / 255, read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)


@pytest.fixture(scope="module")
def models(digits: Digits) -> list[sw.Model]:
    x, y = digits
    return [sw.train((x[:TRAINING], y[:TRAINING]), seed=seed) for seed in SEEDS]


def placed(digits: Digits, *, pieces: int) -> Digits:
    """The test digits at random places of 60 x 60 pixels, among pieces of 8 x 8 pixels of training digits."""
    x, y = digits
    rng = np.random.default_rng(0)
    canvases = np.zeros((len(x) - TRAINING, 1, 60, 60), np.float32)
    for canvas, digit in zip(canvases, x[TRAINING:], strict=True):
        for _ in range(pieces):
            source, (row, column) = x[rng.integers(TRAINING)], rng.integers(0, 21, 2)
            _add(canvas, source[:, row : row + 8, column : column + 8], rng)
        _add(canvas, digit, rng)
    return canvases, y[TRAINING:]


def _add(canvas: np.ndarray, patch: np.ndarray, rng: np.random.Generator) -> None:
    height, width = patch.shape[1:]
    row, column = (rng.integers(0, 61 - extent) for extent in (height, width))
    place = canvas[:, row : row + height, column : column + width]
    np.maximum(place, patch, out=place)


def accuracies(models: list[sw.Model], data: Digits) -> list[float]:
    evaluations = [model.evaluate(data) for model in models]
    return [evaluation.accuracy for evaluation in evaluations if evaluation.accuracy is not None]


def test_digits_are_told_apart(models: list[sw.Model], digits: Digits) -> None:
    x, y = digits
    assert np.mean(accuracies(models, (x[TRAINING:], y[TRAINING:]))) >= 0.990


def test_digits_at_random_places_are_answered_by_the_best_window(models: list[sw.Model], digits: Digits) -> None:
    assert np.mean(accuracies(models, placed(digits, pieces=0))) >= 0.985


def test_digits_among_clutter_are_answered_by_the_best_window(models: list[sw.Model], digits: Digits) -> None:
    assert np.mean(accuracies(models, placed(digits, pieces=4))) >= 0.95
