"""Tied sets by their edges: joining, separating, and the orbits of symmetries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from scanwise.errors import ArgumentError
from scanwise.tying._arrays import Indices, integers, listed, shown, whole_array
from scanwise.tying._tie_map import ONE, Edge, TieMap

__all__ = ["by_sets", "joined", "learning_edges", "orbits", "tied", "untied"]


def by_sets(sets: Sequence[Sequence[Edge]], shape: Sequence[int]) -> TieMap:
    """Return the map of explicit tied sets."""
    edges = [np.zeros((0, 2), np.int64)]
    for number, members in enumerate(listed("sets", sets)):
        found = integers("sets", members)
        if found is not None and not found.size:
            raise ArgumentError(f"sets must each have an edge; got none in set {number}. Leave it out.")
        if found is None or found.ndim != 2 or found.shape[1] != 2:
            raise ArgumentError(
                f"sets must be lists of edges (row, column); got {shown(members)} for set {number}. "
                "Write [[(0, 1), (1, 0)]], say."
            )
        edges.append(found)
    rows, cols = np.concatenate(edges).T
    return TieMap(rows, cols, np.repeat(np.arange(len(sets)), list(map(len, edges[1:]))), shape)


def joined(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """Return a group number for each of `count` things, the same for ``a[i]`` and ``b[i]``."""
    links = sparse.coo_array((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    groups: np.ndarray = connected_components(links, directed=False)[1]
    return groups


def learning_edges(ties: TieMap, edges: np.ndarray) -> np.ndarray:
    """Return the numbers of edges ``(row, column)`` that learn."""
    found = np.array([ties.find(row, col) for row, col in edges.tolist()], np.int64)
    for (row, col), edge in zip(edges.tolist(), found.tolist(), strict=True):
        if ties.params[edge] < 0:
            raise ArgumentError(
                f"edge must be one that learns; got row {row}, column {col}, whose weight is fixed. Leave it as it is."
            )
    return found


def tied(ties: TieMap, a: np.ndarray, b: np.ndarray) -> TieMap:
    """Join the sets of ``a[i]`` and ``b[i]``."""
    if len(a) != len(b):
        raise ArgumentError(f"a and b must be as many edges; got {len(a)} and {len(b)}. They are tied pair by pair.")
    left, right = (ties.params[learning_edges(ties, edges)] for edges in (a, b))
    return _regrouped(ties, joined(left, right, ties.parameters)[ties.params])


def untied(ties: TieMap, edges: np.ndarray | None) -> TieMap:
    """Give edges a parameter of their own."""
    alone = np.flatnonzero(ties.params >= 0) if edges is None else np.unique(learning_edges(ties, edges))
    params = ties.params.astype(np.int64)
    params[alone] = ties.parameters + np.arange(len(alone))
    return _regrouped(ties, params)


def _regrouped(ties: TieMap, groups: np.ndarray) -> TieMap:
    """Return the map with other sets; each has the label of the parameter that its first edge used."""
    raw = np.where(ties.params < 0, ties.params, groups)
    changed = TieMap._ordered(ties.indptr, ties.cols, raw, ties.shape, ties.constants)
    numbers, first = np.unique(changed.params, return_index=True)
    return changed._labelled(ties.labels[ties.params[first[numbers >= 0]]])


def orbits(symmetries: Sequence[tuple[Indices, Indices]], shape: Edge, *, bias: bool) -> TieMap:
    """Return the full map whose sets are the orbits of its edges under `symmetries`."""
    outputs, inputs = shape
    width = inputs + bias  # an orbit of biases is that of their rows: nothing moves the constant one
    edges = np.arange(outputs * width).reshape(outputs, width)
    links = [np.zeros((2, 0), np.int64)]
    for number, pair in enumerate(listed("symmetries", symmetries)):
        if len(listed(f"symmetries[{number}]", pair)) != 2:
            raise ArgumentError(
                f"symmetries[{number}] must be a permutation of rows and one of columns; got {shown(pair)}. Give both."
            )
        rows, cols = pair
        to_row = _permutation(f"symmetries[{number}][0]", rows, outputs)
        to_col = _permutation(f"symmetries[{number}][1]", cols, inputs)
        to_col = np.append(to_col, inputs) if bias else to_col
        links.append(np.stack([edges.ravel(), edges[np.ix_(to_row, to_col)].ravel()]))
    left, right = np.concatenate(links, 1)
    groups = joined(left, right, edges.size)
    columns = np.append(np.arange(inputs), np.full(int(bias), ONE))
    return TieMap(np.repeat(np.arange(outputs), width), np.tile(columns, outputs), groups, shape)


def _permutation(name: str, value: Indices, count: int) -> np.ndarray:
    array = whole_array(name, value)
    if len(array) != count or not np.array_equal(np.sort(array), np.arange(count)):
        raise ArgumentError(
            f"{name} must be a permutation of {count} units; got {shown(value)}. Say where each unit goes."
        )
    return array
