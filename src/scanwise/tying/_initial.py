"""First values of shared parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scanwise.tying._tie_map import TieMap

__all__ = ["bounds", "drawn", "smallest_bounds"]


def bounds(ties: TieMap) -> np.ndarray:
    """Return one over the root of the fan-in that each parameter meets, ``(parameters,)``.

    The fan-in is that of edges, not of an array: a unit at the border of a padded layer has fewer. A parameter that
    units of different fan-in share goes by the largest.
    """
    fan_in = np.repeat(ties.fan_in, np.diff(ties.indptr))
    learning = ties.params >= 0
    largest = np.ones(ties.parameters, np.int64)
    np.maximum.at(largest, ties.params[learning], fan_in[learning])
    return 1 / np.sqrt(largest)


def smallest_bounds(maps: Sequence[TieMap], places: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Return the same for parameters in several layers, the smallest of what these ask for, ``(count,)``."""
    limits = np.full(count, np.inf)
    for ties, entry in zip(maps, places, strict=True):
        limits[entry] = np.minimum(limits[entry], bounds(ties))
    return limits


def drawn(limits: np.ndarray) -> Tensor:
    """Return values drawn uniformly within plus and minus each limit, from torch's global generator."""
    unit = torch.rand(len(limits))
    return (2 * unit - 1) * torch.from_numpy(limits).to(unit)
