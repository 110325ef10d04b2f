"""Kernels for any map: by sparse matrices, edge by edge, or by the full matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from scanwise.tying._arrays import narrow
from scanwise.tying._sums import SharedValues, plain
from scanwise.tying._tables import Tables
from scanwise.tying._tie_map import ONE, TieMap

__all__ = ["EdgeKernel", "FullMatrix", "GreatestEdge"]


class EdgeKernel(Tables):
    """Sum over edges: what a tie map says, by a sparse matrix of the edges' weights.

    It never touches what is not an edge. The two products that learning needs are sparse too: with the transposed
    matrix for the inputs, and, for the weights, a product of two dense matrices that is only computed where there is
    an edge.
    """

    indptr: Tensor
    cols: Tensor
    t_indptr: Tensor
    t_rows: Tensor
    t_edge: Tensor
    name = "sparse"

    def __init__(self, ties: TieMap) -> None:
        super().__init__()
        self.outputs, self.inputs = ties.shape
        self.values = SharedValues(ties.params, ties.parameters, ties.constants)
        cols = np.where(ties.cols == ONE, self.inputs, ties.cols)
        self.bias = bool((ties.cols == ONE).any())
        width = self.inputs + self.bias
        order = np.argsort(cols, kind="stable")
        small = narrow(max(ties.edges, width))
        self.keep(
            indptr=ties.indptr.astype(small),
            cols=cols.astype(small),
            t_indptr=np.concatenate([[0], np.cumsum(np.bincount(cols, minlength=width))]).astype(small),
            t_rows=ties.rows[order].astype(small),
            t_edge=order,
        )

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        return self.by_edges(x, self.values(theta))

    def by_edges(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return the same of a weight for each edge, ``(edges,)``."""
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(weights.dtype)  # sparse matrices do not know the types that autocast casts to
        if self.bias:
            x = torch.cat([x, x.new_ones(x.shape[0], 1)], 1)
        if plain(x):
            rows = torch.repeat_interleave(torch.arange(self.outputs, device=x.device), self.indptr.diff())
            terms = x.index_select(1, self.cols) * weights
            return terms.new_zeros(x.shape[0], self.outputs).index_add(1, rows, terms)
        summed: Tensor = _SparseProduct.apply(x, weights, self)  # type: ignore[no-untyped-call]
        return summed.t()

    def matrix(self, weights: Tensor) -> Tensor:
        """Return the edges' weights as a sparse matrix, ``(outputs, inputs)`` and the constant one last."""
        return torch.sparse_csr_tensor(
            self.indptr, self.cols, weights, (self.outputs, self.inputs + self.bias), check_invariants=False
        )

    def transposed(self, weights: Tensor) -> Tensor:
        """Return the same, transposed."""
        return torch.sparse_csr_tensor(
            self.t_indptr,
            self.t_rows,
            weights.index_select(0, self.t_edge),
            (self.inputs + self.bias, self.outputs),
            check_invariants=False,
        )


class _SparseProduct(Function):
    """``(outputs, batch)``: not transposed here, or activations in place could not change it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, kernel: EdgeKernel) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.kernel = kernel
        with torch.autocast(x.device.type, enabled=False):
            return kernel.matrix(weights) @ x.t().contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weights = ctx.saved_tensors
        kernel: EdgeKernel = ctx.kernel
        grad_x = grad_weights = None
        across = grad.contiguous()
        with torch.autocast(x.device.type, enabled=False):
            if ctx.needs_input_grad[0]:
                grad_x = (kernel.transposed(weights) @ across).t()
            if ctx.needs_input_grad[1]:
                nothing = kernel.matrix(torch.zeros_like(weights))
                grad_weights = torch.sparse.sampled_addmm(nothing, across, x.contiguous(), beta=0.0).values()
        return grad_x, grad_weights, None


class FullMatrix(Tables):
    """The full matrix, zeros where there is no edge: faster than a sparse one if not many are missing.

    An input that is not finite reaches all outputs through the zeros, also those that no edge joins it to.
    """

    places: Tensor
    name = "dense"

    def __init__(self, ties: TieMap) -> None:
        super().__init__()
        self.outputs, self.inputs = ties.shape
        bias = ties.cols == ONE
        self.values = SharedValues(ties.params, ties.parameters, ties.constants)
        self.bias = bool(bias.any())
        places = ties.rows.astype(np.int64) * self.inputs + ties.cols
        places[bias] = self.outputs * self.inputs + ties.rows[bias]
        self.keep(places=places)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        weights = self.values(theta)
        full = weights.new_zeros(self.outputs * (self.inputs + self.bias)).index_copy(0, self.places, weights)
        matrix = full[: self.outputs * self.inputs].view(self.outputs, self.inputs)
        return functional.linear(x, matrix, full[self.outputs * self.inputs :] if self.bias else None)


class GreatestEdge(Tables):
    """The greatest of each output's weighted inputs; of equal ones the first counts, as in torch's pools."""

    table: Tensor
    edge: Tensor
    name = "edges"

    def __init__(self, ties: TieMap) -> None:
        super().__init__()
        self.values = SharedValues(ties.params, ties.parameters, ties.constants)
        lengths = np.diff(ties.indptr)
        place = np.arange(int(lengths.max(initial=1)))
        edge = np.minimum(place, np.maximum(lengths - 1, 0)[:, None]) + ties.indptr[:-1, None]
        edge = np.minimum(edge, max(ties.edges - 1, 0))
        cols = np.where(ties.cols == ONE, ties.shape[1], ties.cols).astype(np.int64)
        self.keep(edge=edge, table=cols[edge])  # short rows repeat their last edge

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        return self.by_edges(x, self.values(theta))

    def by_edges(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return the same of a weight for each edge, ``(edges,)``."""
        x = torch.cat([x, x.new_ones(x.shape[0], 1)], 1)
        read = x.index_select(1, self.table.flatten()).view(x.shape[0], *self.table.shape)
        terms = read * weights[self.edge]
        first = terms.detach().argmax(-1, keepdim=True)
        return terms.gather(-1, first).squeeze(-1)
