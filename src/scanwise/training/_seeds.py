"""Random numbers as a pure function of a seed and a place in the run."""

from __future__ import annotations

import numpy as np
import torch

AUGMENTATION, DROPOUT, ORDER, DRAWING, WHITENING = range(5)
"""Uses of randomness within one run; each has a stream of its own."""


def derived(*path: int) -> int:
    """Return 64 bits that depend on every number of `path` and on nothing else."""
    return int(np.random.SeedSequence(path).generate_state(1, np.uint64)[0])


def generator(*path: int) -> torch.Generator:
    """Return torch's generator for `path`."""
    return torch.Generator().manual_seed(derived(*path))


def seed_layers(*path: int) -> None:
    """Seed what layers such as dropout draw from; unlike `torch.manual_seed`, cheap enough for every step."""
    seed = derived(*path)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
