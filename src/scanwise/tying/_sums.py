"""From shared parameters to edges and back: the gather, and the sums over tied sets that are its gradient."""

from __future__ import annotations

import warnings
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from scanwise.tying._tables import Tables

__all__ = ["SharedValues", "SumOverSets", "plain"]

with warnings.catch_warnings():  # at the first sparse matrix of a process, torch says that they are in beta
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1))


def plain(x: Tensor) -> bool:
    """Whether only torch's own dense operators will do.

    That is so for export, for `torch.func`, which transforms operators one by one, and for types and devices that
    sparse matrices do not know.
    """
    sparse_too = x.dtype in (torch.float32, torch.float64) and x.device.type in ("cpu", "cuda")
    return not sparse_too or torch.compiler.is_exporting() or torch._C._are_functorch_transforms_active()


@final
class SumOverSets(Tables):
    """Sums over tied sets, each in one fixed order: ``sums[s]`` adds up ``values[e]`` over the edges of set ``s``.

    A sparse matrix of ones does it, which is as fast as anything and, unlike scattering, adds in the same order each
    time.

    Parameters
    ----------
    params : numpy.ndarray
        The set of each value; below 0 for none.
    sets : int
        How many sets there are.
    """

    order: Tensor
    offsets: Tensor

    def __init__(self, params: np.ndarray, sets: int) -> None:
        super().__init__()
        self.values, self.sets = len(params), sets
        order = np.argsort(params, kind="stable")[int((params < 0).sum()) :]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(params[params >= 0], minlength=sets))])
        self.keep(order=order, offsets=offsets)

    def forward(self, values: Tensor) -> Tensor:
        """Return the sums ``(sets,)`` of ``(values,)``."""
        if plain(values):
            picked = values[self.order]
            lengths = self.offsets.diff()
            owner = torch.repeat_interleave(torch.arange(self.sets, device=values.device), lengths)
            return values.new_zeros(self.sets).index_add(0, owner, picked)
        ones = values.new_ones(len(self.order))
        matrix = torch.sparse_csr_tensor(
            self.offsets, self.order, ones, (self.sets, self.values), check_invariants=False
        )
        with torch.autocast(values.device.type, enabled=False):  # sparse matrices do not know the types it casts to
            return matrix @ values


@final
class SharedValues(Tables):
    """The values that elements take: shared parameters, constants, or zero where an element is not used.

    Parameters
    ----------
    index : numpy.ndarray
        Per element its parameter; ``-1 - k`` for constant ``k``; any number below these for zero.
    parameters : int
        Length of theta.
    constants : tuple of float
        Values that do not learn.
    """

    gather: Tensor

    def __init__(self, index: np.ndarray, parameters: int, constants: tuple[float, ...] = ()) -> None:
        super().__init__()
        index = np.asarray(index, np.int64)
        self.constants = constants
        self.whole = len(index) == parameters and np.array_equal(index, np.arange(parameters))
        """Whether the elements simply are the parameters, in this order."""
        if self.whole:
            return
        fixed = index < 0
        none = index < -len(constants)
        gather = np.where(fixed, np.where(none, parameters + len(constants), parameters - 1 - index), index)
        used = index[~fixed]
        once = bool((np.bincount(used, minlength=parameters) <= 1).all())
        self.padded = bool(fixed.any())
        self.keep(gather=gather)
        self.sums = None if once else SumOverSets(index, parameters)

    def forward(self, theta: Tensor) -> Tensor:
        """Return the elements' values, ``(elements,)``, of theta, ``(parameters,)``."""
        if self.whole:
            return theta
        if self.padded:
            theta = torch.cat([theta, theta.new_tensor([*self.constants, 0.0])])
        if self.sums is None or plain(theta):  # no two elements are one parameter: nothing is summed
            return theta.index_select(0, self.gather)
        taken: Tensor = _Gather.apply(theta, self)  # type: ignore[no-untyped-call]
        return taken


class _Gather(Function):
    """``theta[index]``, whose gradient is summed over tied sets in one fixed order."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, values: SharedValues) -> Tensor:
        ctx.values, ctx.length = values, len(theta)
        return theta.index_select(0, values.gather)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        values: SharedValues = ctx.values
        assert values.sums is not None
        sums = values.sums(grad)
        extra = ctx.length - len(sums)  # constants and the zero, whose gradient nobody asks for
        return (torch.cat([sums, sums.new_zeros(extra)]) if extra else sums), None
