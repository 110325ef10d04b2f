"""Which examples are seen when: batches as a pure function of (seed, epoch, index)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scanwise._checks import whole
from scanwise.training._seeds import ORDER, derived


@dataclass(frozen=True)
class Batches:
    """A division of `count` examples into batches, in a new order every epoch.

    Batches of one epoch differ in size by at most one, so there is never a small one left over (batch norm
    has no use for a single example). Whoever knows seed, epoch and index knows the batch: nothing depends
    on what was drawn before, so a run can be entered anywhere.

    Parameters
    ----------
    count : int
        Number of examples.
    size : int
        Largest number of examples in a batch.
    seed : int
        Chooses the order.

    Examples
    --------
    >>> batches = Batches(count=10, size=4, seed=0)
    >>> [len(batches.indices(epoch=0, index=i)) for i in range(len(batches))]
    [3, 3, 4]
    """

    count: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        whole("count", self.count)
        whole("batch", self.size)
        whole("seed", self.seed, least=0)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-self.count // self.size)

    def indices(self, epoch: int, index: int) -> np.ndarray:
        """Return the examples of batch `index` of `epoch`, an array ``(batch,)`` of int64."""
        start, stop = (self.count * i // len(self) for i in (index, index + 1))
        return _order(self.count, self.seed, epoch)[start:stop]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of one epoch; cached, for every batch of the epoch asks."""
    order = np.random.default_rng(derived(seed, ORDER, epoch)).permutation(count)
    order.setflags(write=False)
    return order
