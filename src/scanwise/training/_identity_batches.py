"""Batches that hold several examples of each identity in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.training._seeds import ORDER, derived


@dataclass(frozen=True, eq=False)
class IdentityBatches:
    """As `Batches`, but examples come in groups of one identity, so that a loss can compare them.

    In every epoch, the examples of each identity are divided anew into groups of `group` or up to twice as many, and
    the groups into batches. Every example is seen once an epoch.

    Parameters
    ----------
    identities : ndarray
        ``(n,)``, of each example.
    size : int
        Examples in a batch, about; two groups at least.
    seed : int
        Chooses the order.
    group : int
        Examples of one identity that stand together, at the least, if it has so many.

    Raises
    ------
    ArgumentError
        If a batch does not hold two groups.

    Examples
    --------
    >>> batches = IdentityBatches(np.repeat([0, 1], 4), size=4, seed=0, group=2)
    >>> sorted(batches.indices(epoch=0, index=0) // 4).count(0) % 2
    0
    """

    identities: np.ndarray
    size: int
    seed: int
    group: int = 4

    def __post_init__(self) -> None:
        whole("batch", self.size)
        whole("seed", self.seed, least=0)
        whole("group", self.group, least=2)
        if self.size < 2 * self.group:
            raise ArgumentError(
                f"batch must be at least {2 * self.group}, two groups of {self.group} examples, for a loss that "
                f"compares examples; got {self.size}. Enlarge it."
            )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(_epoch(self, 0))

    def indices(self, epoch: int, index: int) -> np.ndarray:
        """Return the examples of batch `index` of `epoch`, an array ``(batch,)`` of int64."""
        return _epoch(self, epoch)[index]


@lru_cache(maxsize=4)
def _epoch(batches: IdentityBatches, epoch: int) -> list[np.ndarray]:
    """Return the batches of one epoch; cached, for every batch of the epoch asks."""
    rng = np.random.default_rng(derived(batches.seed, ORDER, epoch))
    shuffled = rng.permutation(len(batches.identities))
    by_identity = shuffled[np.argsort(batches.identities[shuffled], kind="stable")]
    counts = np.unique(batches.identities, return_counts=True)[1]
    groups = []
    for mine in np.split(by_identity, np.cumsum(counts)[:-1]):
        groups += np.array_split(mine, max(len(mine) // batches.group, 1))
    order = rng.permutation(len(groups))
    # Groups may be twice as large as they should: there are still to be two in a batch, to be told apart.
    count = max(min(-(-len(batches.identities) // batches.size), len(groups) // 2), 1)
    found = [np.concatenate([groups[i] for i in part]) for part in np.array_split(order, count)]
    for batch in found:
        batch.setflags(write=False)
    return found
