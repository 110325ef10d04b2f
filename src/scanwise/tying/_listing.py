"""Lists of edges as people give them: checked, and brought into order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from torch import Tensor

from scanwise._checks import real, whole
from scanwise.errors import ArgumentError
from scanwise.tying._arrays import Indices, chunks, first_uses, integers, listed, narrow, shown, whole_array

__all__ = ["ONE", "Edge", "checked", "edge_list", "fixed_weights", "in_order", "numbered", "shape_of"]

ONE = -1
"""The column of the constant one: an edge from it is a bias."""

Edge = tuple[int, int]
"""``(row, column)``; column `ONE` for a bias."""


def shape_of(shape: Sequence[int]) -> tuple[int, int]:
    """Return ``(outputs, inputs)`` if it is that."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError(f"shape must be (outputs, inputs); got {shown(shape)}. Do not count the constant one.")
    return whole("shape[0]", shape[0]), whole("shape[1]", shape[1])


def fixed_weights(constants: Sequence[float]) -> list[float]:
    """Return finite numbers, numpy's and torch's too, none of them a zero below 0."""
    values = listed("constants", constants)
    plain = [value.item() if isinstance(value, np.generic | Tensor) else value for value in values]
    return [real(f"constants[{k}]", value) + 0.0 for k, value in enumerate(plain)]


def edge_list(name: str, value: Any) -> np.ndarray:
    """Return one edge or several as an array ``(edges, 2)``."""
    edges = integers(name, value)
    if edges is None or edges.ndim not in (1, 2) or edges.shape[-1] != 2:
        raise ArgumentError(f"{name} must be an edge (row, column) or several; got {shown(value)}. Write (0, 3), say.")
    return np.atleast_2d(edges)


def checked(
    rows: Indices, cols: Indices, params: Indices, shape: Edge, constants: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `in_order` does, of edges that a map may have."""
    row, col, param = (whole_array(name, value) for name, value in (("rows", rows), ("cols", cols), ("params", params)))
    if not len(row) == len(col) == len(param):
        lengths = f"{len(row)}, {len(col)}, {len(param)}"
        raise ArgumentError(f"rows, cols and params must have one entry per edge; got {lengths}. Give all three.")
    outputs, inputs = shape
    _check_range("row", row, 0, outputs, row, col)
    _check_range("column", col, ONE, inputs, row, col)
    _check_range("parameter", param, -constants, None, row, col)
    return in_order(row, col, param, shape)


def _check_range(
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


def numbered(
    raw: np.ndarray, constants: Sequence[float], *, gaps: bool
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Return parameters numbered by first use, the given number of each, and the constants, numbered likewise."""
    fixed = len(constants)
    order = first_uses(raw, fixed)
    learning = order[order >= 0]
    most = int(learning.max(initial=-1)) + 1
    if not gaps and len(learning) != most:
        empty = int(np.flatnonzero(np.append(np.sort(learning), -1) != np.arange(len(learning) + 1))[0])
        raise ArgumentError(f"params must use every parameter; got no edge for {empty}. Number them from 0 on.")
    table = np.zeros(fixed + most, np.int64)
    table[learning + fixed] = np.arange(len(learning))
    values = list(dict.fromkeys(float(constants[-1 - k]) for k in order[order < 0].tolist()))
    for k in order[order < 0].tolist():
        table[k + fixed] = -1 - values.index(float(constants[-1 - k]))
    params = np.empty(len(raw), narrow(max(most, fixed)))
    table = table.astype(params.dtype)
    for part in chunks(len(raw)):
        np.take(table, raw[part].astype(np.intp) + fixed, out=params[part])
    return params, learning.astype(np.int64), tuple(values)


def _twice(rows: np.ndarray, cols: np.ndarray, params: np.ndarray) -> str:
    """Return the complaint about the first edge that is listed twice."""
    order = np.lexsort((cols, rows))
    again = np.flatnonzero((np.diff(rows[order]) == 0) & (np.diff(cols[order]) == 0))[0]
    a, b = order[again], order[again + 1]
    return (
        f"an edge must have one parameter; got two, {params[a]} and {params[b]}, from column {cols[a]} to row "
        f"{rows[a]}. List each edge once."
    )
