"""How a map's positions are found in the tensor that holds another map: slices where possible, else indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

Positions = range | list[int]


@dataclass(frozen=True)
class Read:
    """How one axis of a source tensor gives every (position, tap) pair.

    After `apply`, pair ``(i, t)`` lies at index ``i * stride + t * dilation`` of the axis.
    """

    index: slice | torch.Tensor
    stride: int
    dilation: int

    @classmethod
    def of(cls, held: Positions, wanted: Positions, taps: Sequence[int]) -> Read:
        """Find ``wanted[i] + taps[t]`` among the positions ``held``; all are present."""
        regular = _regular(held, wanted, taps)
        if regular is not None:
            return regular
        place = {position: i for i, position in enumerate(held)}
        index = torch.tensor([place[position + tap] for position in wanted for tap in taps])
        return cls(index, len(taps), 1)

    def apply(self, x: torch.Tensor, axis: int) -> torch.Tensor:
        if isinstance(self.index, slice):
            return x.narrow(axis, self.index.start, self.index.stop - self.index.start)
        return x.index_select(axis, self.index)


def _regular(held: Positions, wanted: Positions, taps: Sequence[int]) -> Read | None:
    if not isinstance(held, range) or not isinstance(wanted, range) or not isinstance(taps, range):
        return None
    stride, left = divmod(wanted.step, held.step) if len(wanted) > 1 else (1, 0)
    dilation, rest = divmod(taps.step, held.step) if len(taps) > 1 else (1, 0)
    if left or rest:
        return None
    first = (wanted[0] + taps[0] - held[0]) // held.step
    last = first + (len(wanted) - 1) * stride + (len(taps) - 1) * dilation
    return Read(slice(first, last + 1), stride, dilation)


def pick(held: Positions, wanted: Positions) -> slice | torch.Tensor:
    """Return the index of ``wanted`` among the positions ``held``: a slice with a step, or a tensor."""
    read = Read.of(held, wanted, range(1))
    return slice(read.index.start, read.index.stop, read.stride) if isinstance(read.index, slice) else read.index
