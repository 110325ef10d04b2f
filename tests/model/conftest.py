"""Models of recordings that several tests ask; trained once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signals import (
    SLOW_HZ,
    TINY,
    class_folder,
    finder,
)

import scanwise as sw

QUICK: dict[str, Any] = {"epochs": 2, **TINY}


@pytest.fixture(scope="session")
def sound() -> sw.Model:
    return finder()


@pytest.fixture(scope="session")
def slow() -> sw.Model:
    return finder(slow=True)


@pytest.fixture(scope="session")
def of_clips(tmp_path_factory: pytest.TempPathFactory) -> sw.Model:
    """A model that learnt chirps from a folder of WAV clips per class."""
    return sw.train(class_folder(tmp_path_factory.mktemp("clips") / "wav"), epochs=20, **TINY)


@pytest.fixture(scope="session")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips."""
    return class_folder(tmp_path_factory.mktemp("forms") / "wav", each=4)


@pytest.fixture(scope="session")
def expected(wav: Path) -> sw.Model:
    """What is learnt from `wav`, in whatever form."""
    return sw.train(wav, **QUICK)


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> sw.Model:
    """Tells the height of a bump."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, 200)
    x = y[:, None] * np.hanning(30) + rng.normal(0, 0.01, (200, 30))
    path = tmp_path_factory.mktemp("regression") / "data.npz"
    np.savez(path, x=x, y=y)
    return sw.train(path, "mlp", sample_rate_hz=SLOW_HZ, hidden=[16], epochs=30)
