"""The tie map: which edge of a layer uses which shared parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
from torch import nn

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.tying._arrays import Indices, digest, frozen, narrow
from scanwise.tying._listing import ONE, Edge, checked, edge_list, fixed_weights, in_order, numbered, shape_of

__all__ = ["ONE", "Edge", "TieMap"]


@final
class TieMap:
    """Which edge of a linear layer uses which shared parameter.

    Edge ``e`` joins input ``cols[e]`` to output ``rows[e]`` with the weight ``theta[params[e]]``, so the layer is

        ``y[i] = sum over e with rows[e] == i of theta[params[e]] * x[cols[e]]``.

    All edges that use one parameter are a *tied set*, and learning sums over it: ``dDiv/dtheta[s]`` is the sum of
    ``dDiv/dw_e`` over the edges ``e`` of set ``s``. A bias is an edge from the constant one, column `ONE`; biases
    are tied like any other edge. A fixed coefficient, such as the ``1/K`` of average pooling, is an edge that does
    not learn: ``params[e] == -1 - k`` gives it the weight ``constants[k]``.

    A map is checked once, then never changes. It is *canonical*: edges stand in the order of rows, then columns,
    and parameters are numbered by first use. Two maps that tie the same edges are therefore equal, however theirs
    were listed and numbered.

    Parameters
    ----------
    rows, cols, params : sequence of int
        One entry per edge.
    shape : (int, int)
        ``(outputs, inputs)``, at least 1 each; the constant one is not counted.
    constants : sequence of float
        Weights of the edges that do not learn.

    Attributes
    ----------
    shape : (int, int)
        ``(outputs, inputs)``.
    indptr : numpy.ndarray
        Edges ``indptr[i]`` to ``indptr[i + 1]`` end at output ``i``; int64.
    cols, params : numpy.ndarray
        Per edge in canonical order; int32 where that is enough. 8 bytes an edge are all that a map holds.
    constants : tuple of float
        Weights of the fixed edges, numbered by first use.
    labels : numpy.ndarray
        The number that was given for each parameter: ``theta_canonical == theta_given[labels]``. Not compared. A copy.

    Raises
    ------
    ArgumentError
        If the arrays differ in length, an index is out of range, an edge is listed twice (or has two parameters), or
        a number below the highest is used by no edge (an empty tied set). The message names the edge or the set.

    Examples
    --------
    A filter of two taps that looks at three positions; the two weights are numbered 5 and 6 for the sake of it:

    >>> ties = TieMap(rows=[0, 0, 1, 1], cols=[0, 1, 1, 2], params=[1, 0, 1, 0], shape=(2, 3))
    >>> ties.params.tolist(), ties.labels.tolist()
    ([0, 1, 0, 1], [1, 0])
    >>> ties.sets()[0].tolist()
    [[0, 0], [1, 1]]
    """

    __slots__ = ("_fingerprint", "_labels", "cols", "constants", "indptr", "params", "shape")

    shape: tuple[int, int]
    indptr: np.ndarray
    cols: np.ndarray
    params: np.ndarray
    constants: tuple[float, ...]
    _labels: np.ndarray
    _fingerprint: str | None

    def __init__(
        self, rows: Indices, cols: Indices, params: Indices, shape: Sequence[int], constants: Sequence[float] = ()
    ) -> None:
        shape, constants = shape_of(shape), fixed_weights(constants)
        self._set(*checked(rows, cols, params, shape, len(constants)), shape, constants, gaps=False)

    def _set(
        self, indptr: np.ndarray, cols: np.ndarray, raw: np.ndarray, shape: Edge, constants: Sequence[float], gaps: bool
    ) -> None:
        """Number the parameters of edges in canonical order, and freeze everything."""
        params, labels, values = numbered(raw, constants, gaps=gaps)
        self._assign(shape=shape_of(shape), constants=values, _labels=frozen(labels), _fingerprint=None)
        self._assign(indptr=frozen(indptr), cols=frozen(cols), params=frozen(params))

    def _assign(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TieMap must stay as it was made; got another {name}. Make another map.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a TieMap must stay as it was made; got {name} deleted. Make another map.")

    @classmethod
    def _ordered(
        cls, indptr: np.ndarray, cols: np.ndarray, raw: np.ndarray, shape: Edge, constants: Sequence[float] = ()
    ) -> TieMap:
        """Return the map of edges that stand in canonical order already; parameters without an edge are dropped."""
        ties = cls.__new__(cls)
        ties._set(indptr, cols, raw, shape, constants, gaps=True)
        return ties

    @classmethod
    def _listed(
        cls, rows: np.ndarray, cols: np.ndarray, raw: np.ndarray, shape: Edge, constants: Sequence[float] = ()
    ) -> TieMap:
        """Return the map of edges in any order; parameters without an edge are dropped."""
        return cls._ordered(*in_order(rows, cols, raw, shape), shape, constants)

    def _labelled(self, labels: np.ndarray) -> TieMap:
        """Give a new map's parameters other labels than those it was built with."""
        self._assign(_labels=frozen(np.array(labels)))
        return self

    @classmethod
    def of(cls, layer: nn.Module, input_shape: Sequence[int]) -> TieMap:
        """Return the map of a torch layer on inputs of one shape.

        Parameters
        ----------
        layer : torch.nn.Module
            ``Linear``, ``Conv1d``, ``Conv2d``, ``AvgPool1d``, ``AvgPool2d``, ``LocallyConnected1d`` or
            ``LocallyConnected2d``.
        input_shape : sequence of int
            ``(channels, *space)``, or ``(features,)`` for a linear layer, flattened in torch's order like the outputs.

        Returns
        -------
        TieMap
            Its `labels` count through the weight, then the bias, both flattened.

        Raises
        ------
        ArgumentError
            If the layer is of another kind, does not fit the shape, or uses two parameters on one edge (circular
            padding with a kernel longer than the input).

        Examples
        --------
        >>> ties = TieMap.of(nn.Conv1d(1, 1, kernel_size=2, bias=False), input_shape=(1, 3))
        >>> ties.rows.tolist(), ties.cols.tolist(), ties.params.tolist()
        ([0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 0, 1])
        """
        from scanwise.tying._layers import edges_of

        return edges_of(layer, input_shape).ties

    @classmethod
    def from_sets(cls, sets: Sequence[Sequence[Edge]], shape: Sequence[int]) -> TieMap:
        """Return the map of explicit tied sets, each a sequence of edges ``(row, column)``.

        Parameters
        ----------
        sets : sequence of sequence of (row, column)
            Every edge of the map, by the parameter that it uses.
        shape : (int, int)
            ``(outputs, inputs)``.

        Returns
        -------
        TieMap
            Its `labels` count through the sets.

        Raises
        ------
        ArgumentError
            If a set is empty, or as for the constructor.

        Examples
        --------
        A symmetric matrix of two by two:

        >>> TieMap.from_sets([[(0, 0)], [(0, 1), (1, 0)], [(1, 1)]], shape=(2, 2)).params.tolist()
        [0, 1, 1, 2]
        """
        from scanwise.tying._sets import by_sets

        return by_sets(sets, shape)

    @classmethod
    def from_orbits(
        cls, symmetries: Sequence[tuple[Indices, Indices]], shape: Sequence[int], *, bias: bool = False
    ) -> TieMap:
        """Return the full map whose layer commutes with the given permutations, tying nothing else.

        A symmetry is a pair of permutations, of the outputs and of the inputs. Edges that it takes to each other must
        share a parameter if permuting the inputs is to permute the outputs, so the tied sets are the orbits of edges
        under all symmetries (Ravanbakhsh, Schneider and Poczos 2017, "Equivariance through parameter-sharing").

        Parameters
        ----------
        symmetries : sequence of (row permutation, column permutation)
            Generators of the group. Entry ``i`` of a permutation says where unit ``i`` goes.
        shape : (int, int)
            ``(outputs, inputs)``.
        bias : bool
            Whether every output also has a bias; these are tied by the outputs' orbits.

        Returns
        -------
        TieMap
            With an edge for every output and input.

        Raises
        ------
        ArgumentError
            If a permutation is none of its side.

        Examples
        --------
        Moving all units by one place around a ring gives circular convolution:

        >>> ring = [1, 2, 0]
        >>> TieMap.from_orbits([(ring, ring)], shape=(3, 3)).params.reshape(3, 3).tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
        """
        from scanwise.tying._sets import orbits

        return orbits(symmetries, shape_of(shape), bias=bias)

    def tie(self, a: Edge | Sequence[Edge], b: Edge | Sequence[Edge]) -> TieMap:
        """Return the map in which edge `a` and edge `b`, with their whole sets, share one parameter.

        Parameters
        ----------
        a, b : (row, column) or sequence of them
            Edges that learn, pair by pair.

        Returns
        -------
        TieMap
            With the label of whichever edge stands first for each set.

        Raises
        ------
        ArgumentError
            If there is no such edge, it does not learn, or there are more of `a` than of `b`.

        Examples
        --------
        >>> full = TieMap([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3], shape=(2, 2))
        >>> full.tie((0, 1), (1, 0)).params.tolist()
        [0, 1, 1, 2]
        """
        from scanwise.tying._sets import tied

        return tied(self, edge_list("a", a), edge_list("b", b))

    def untie(self, edges: Edge | Sequence[Edge] | None = None) -> TieMap:
        """Return the map in which each of these edges has a parameter of its own; by default every edge that learns.

        Parameters
        ----------
        edges : (row, column) or sequence of them, optional
            Edges that learn.

        Returns
        -------
        TieMap
            With the label that each edge's parameter had, more than once if need be.

        Raises
        ------
        ArgumentError
            If there is no such edge, or it does not learn.

        Examples
        --------
        >>> TieMap.of(nn.Conv1d(1, 1, 2, bias=False), (1, 3)).untie().params.tolist()
        [0, 1, 2, 3]
        """
        from scanwise.tying._sets import untied

        return untied(self, None if edges is None else edge_list("edges", edges))

    @property
    def rows(self) -> np.ndarray:
        """The output of each edge, made anew each time."""
        return np.repeat(np.arange(self.shape[0], dtype=narrow(self.shape[0])), np.diff(self.indptr))

    @property
    def labels(self) -> np.ndarray:
        """The number that was given for each parameter, ``(parameters,)``; a copy."""
        return self._labels.copy()

    @property
    def edges(self) -> int:
        """Number of edges."""
        return len(self.cols)

    @property
    def parameters(self) -> int:
        """Number of shared parameters, which is that of tied sets."""
        return len(self._labels)

    @property
    def nbytes(self) -> int:
        """Bytes of all that the map holds."""
        return int(self.indptr.nbytes + self.cols.nbytes + self.params.nbytes + self._labels.nbytes)

    @property
    def fan_in(self) -> np.ndarray:
        """Edges that reach each output, biases not counted: what an initialisation divides by. ``(outputs,)``."""
        biases = np.zeros(len(self.indptr), np.int64)
        np.add.at(biases, np.searchsorted(self.indptr, np.flatnonzero(self.cols == ONE), side="right"), 1)
        return np.diff(self.indptr) - biases[1:]

    @property
    def multiplicity(self) -> np.ndarray:
        """Number of edges in each tied set, ``(parameters,)``."""
        return np.bincount(self.params[self.params >= 0], minlength=self.parameters)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical map, in hexadecimal: equal for equal maps, on any machine."""
        if self._fingerprint is None:
            arrays = (self.indptr, "<i8"), (self.cols, "<i4"), (self.params, "<i4")
            self._assign(_fingerprint=digest(f"scanwise tie map {self.shape} {self.constants}", arrays))
        return str(self._fingerprint)

    def find(self, row: int, col: int) -> int:
        """Return the number of the edge from input `col` to output `row`.

        Parameters
        ----------
        row, col : int
            Output, and input or `ONE`.

        Returns
        -------
        int
            Its place in `cols` and `params`.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        if 0 <= whole("row", row, None) < self.shape[0] and whole("col", col, None) < self.shape[1]:
            start, stop = self.indptr[row], self.indptr[row + 1]
            found = int(start + np.searchsorted(self.cols[start:stop], col))
            if found < stop and self.cols[found] == col:
                return found
        raise ArgumentError(f"edge must be one of the map's; got row {row}, column {col}. See rows and cols.")

    def sets(self) -> list[np.ndarray]:
        """Return the tied sets: per parameter its edges ``(row, column)``, an array ``(edges, 2)``."""
        order = np.argsort(self.params, kind="stable")[int((self.params < 0).sum()) :]
        pairs = np.stack([self.rows, self.cols], 1)[order]
        return np.split(pairs, np.cumsum(self.multiplicity)[:-1]) if self.parameters else []

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Yield ``(row, column, parameter)`` per edge."""
        yield from zip(self.rows.tolist(), self.cols.tolist(), self.params.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TieMap):
            return NotImplemented
        same = (self.shape, self.constants) == (other.shape, other.constants)
        arrays = ("indptr", "cols", "params")
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        fixed = f", {len(self.constants)} constants" if self.constants else ""
        return (
            f"TieMap({self.shape[0]:,} outputs, {self.shape[1]:,} inputs, {self.edges:,} edges, "
            f"{self.parameters:,} parameters{fixed})"
        )

    def __copy__(self) -> TieMap:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TieMap:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._labels, self.indptr, self.cols, self.params, self.shape, self.constants)


def _restored(labels: np.ndarray, *ordered: Any) -> TieMap:
    """Rebuild a pickled map."""
    return TieMap._ordered(*ordered)._labelled(labels)
