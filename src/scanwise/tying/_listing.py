"""Lists of edges as people give them: checked, and brought into order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.tying._arrays import narrow

__all__ = ["ONE", "Edge", "check_range", "edge_list", "in_order", "shape_of"]

ONE = -1
"""The column of the constant one: an edge from it is a bias."""

Edge = tuple[int, int]
"""``(row, column)``; column `ONE` for a bias."""


def shape_of(shape: Sequence[int]) -> tuple[int, int]:
    """Return ``(outputs, inputs)`` if it is that."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError(f"shape must be (outputs, inputs); got {shape!r}. Do not count the constant one.")
    return whole("shape[0]", shape[0], 0), whole("shape[1]", shape[1], 0)


def edge_list(name: str, value: Any) -> np.ndarray:
    """Return one edge or several as an array ``(edges, 2)``."""
    edges = np.asarray(value)
    edges = edges[None] if edges.ndim == 1 else edges
    if edges.ndim != 2 or edges.shape[1] != 2 or not np.issubdtype(edges.dtype, np.integer):
        raise ArgumentError(f"{name} must be an edge (row, column) or several; got {value!r}. Write (0, 3), say.")
    return edges


def check_range(
    what: str, values: np.ndarray, least: int, stop: int | None, rows: np.ndarray, cols: np.ndarray
) -> None:
    """Refuse an index below `least` or not below `stop`, naming the first edge that has one."""
    if not len(values) or (values.min() >= least and (stop is None or values.max() < stop)):
        return
    wrong = (values < least) | (values >= (np.iinfo(np.int64).max if stop is None else stop))
    edge = int(np.flatnonzero(wrong)[0])
    rule = f"at least {least}" if stop is None else f"from {least} to {stop - 1}"
    raise ArgumentError(
        f"{what} of edge {edge} must be {rule}; got {values[edge]} (row {rows[edge]}, column {cols[edge]}). "
        "Indices count from 0."
    )


def in_order(
    rows: np.ndarray, cols: np.ndarray, params: np.ndarray, shape: Edge
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``indptr``, columns and parameters in the order of rows, then columns, if no edge stands twice."""
    outputs, inputs = shape
    step = np.diff(rows)
    if (step < 0).any() or ((step == 0) & (np.diff(cols) <= 0)).any():
        matrix = sparse.coo_array((params, (rows, cols - ONE)), shape=(outputs, inputs - ONE)).tocsr()
        if matrix.nnz != len(params):
            raise ArgumentError(_twice(rows, cols, params))
        return matrix.indptr.astype(np.int64), (matrix.indices + ONE).astype(narrow(inputs)), matrix.data
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=outputs))])
    return indptr, cols.astype(narrow(inputs)), params


def _twice(rows: np.ndarray, cols: np.ndarray, params: np.ndarray) -> str:
    """Return the complaint about the first edge that is listed twice."""
    order = np.lexsort((cols, rows))
    again = np.flatnonzero((np.diff(rows[order]) == 0) & (np.diff(cols[order]) == 0))[0]
    a, b = order[again], order[again + 1]
    return (
        f"an edge must have one parameter; got two, {params[a]} and {params[b]}, from column {cols[a]} to row "
        f"{rows[a]}. List each edge once."
    )
