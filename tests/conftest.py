"""Fixtures and settings that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

import scanwise as sw

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: the first example pays for imports and compilation. Drawn cases are the same on every run,
# except at night, when the point is to find new ones.
settings.register_profile("default", max_examples=15, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Tensors here are tiny, and on a busy machine threads that wait for each other cost more than they bring. It
# also makes training repeatable: sums are rounded differently on another number of threads.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data; the test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("SCANWISE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SCANWISE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def shapes() -> tuple[np.ndarray, np.ndarray]:
    """Noisy crosses and rings of 12 x 12 pixels: ``(60, 1, 12, 12)`` and their names."""
    rows, columns = np.mgrid[:12, :12] - 5.5
    cross = (np.abs(rows) < 1) & (np.abs(columns) < 4) | (np.abs(columns) < 1) & (np.abs(rows) < 4)
    ring = np.abs(np.hypot(rows, columns) - 3.2) < 0.8
    y = np.array(["cross", "ring"] * 30)
    clean = np.where((y == "ring")[:, None, None], ring, cross)
    noise = np.random.default_rng(0).normal(0.1, 0.05, clean.shape)
    return (clean + noise)[:, None].astype(np.float32), y


@pytest.fixture(scope="session")
def model(shapes: tuple[np.ndarray, np.ndarray]) -> sw.Model:
    """A small classifier of `shapes`, with a background class that was made for it."""
    return sw.train(shapes, channels=[8], kernels=5, hidden=[16], epochs=25, validation=0.2)


@pytest.fixture
def canvas(shapes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """``(1, 60, 80)``: a cross with its first pixel at row 8, column 20, and a ring at row 40, column 60."""
    canvas = np.random.default_rng(1).normal(0.1, 0.05, (1, 60, 80)).astype(np.float32)
    x, _ = shapes
    canvas[:, 8:20, 20:32], canvas[:, 40:52, 60:72] = x[0], x[1]
    return canvas
