"""Networks and data to try the training loop on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scanwise.nn import WindowNet


def seeded(make: Any, *args: Any, **kwargs: Any) -> WindowNet:
    """Build a network whose initial weights are the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return make(*args, **kwargs)


def blobs(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return windows of three classes that differ by where their bump stands."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=count)
    x = rng.normal(scale=0.3, size=(count, 1, 9)).astype(np.float32)
    x[np.arange(count), 0, 2 + 2 * y] += 2
    return x, y
