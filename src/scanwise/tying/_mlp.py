"""The sparse multi-layer perceptron whose edges share one vector of parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from scanwise._checks import choice
from scanwise.errors import ArgumentError
from scanwise.tying._arrays import Indices, digest, first_uses, integers, listed, shown, whole_array
from scanwise.tying._edge_kernels import EdgeKernel, GreatestEdge
from scanwise.tying._fingerprinted import Fingerprinted
from scanwise.tying._initial import drawn, smallest_bounds
from scanwise.tying._layers import EdgeLayer
from scanwise.tying._lower import KERNELS, lower
from scanwise.tying._sets import joined, learning_edges
from scanwise.tying._sums import SharedValues
from scanwise.tying._tie_map import TieMap

__all__ = ["TiedMLP"]

LayerEdge = tuple[int, int, int]
"""``(layer, row, column)``; layers of edges are counted from 0."""


@final
class TiedMLP(Fingerprinted):
    """A multi-layer perceptron in which every edge is listed, and says which shared parameter it uses.

    All layers share **one** vector of parameters, `theta`, so ties may reach across layers (``w_ij^k = w_mn^l``). It is
    the only parameter: there is nothing that could be tied wrongly, saved twice or lose its tie.

    Parameters
    ----------
    layers : sequence of TieMap, EdgeLayer or torch.nn.Module
        From input to output. A module acts on each unit by itself, such as an activation; the network has a copy.
    places : sequence of sequence of int, optional
        For each layer of edges, where in theta its parameters stand. By default the layers share nothing.
    theta : torch.Tensor, optional
        Values in the numbering of `places`. By default drawn uniformly within one over the root of the fan-in, which
        is counted from edges.
    kernel : {"sparse", "dense", "auto"}
        How the layers run. ``"sparse"`` goes by edges, as the map says; ``"auto"`` takes the fastest kernel for what
        is recognised, as `TiedLinear` does. Kernels are made when the network first runs, or by `prepare`.

    Attributes
    ----------
    theta : torch.nn.Parameter
        ``(parameters,)``, in the order in which the layers' edges first use them.
    layers : tuple of EdgeLayer or torch.nn.Module
        Maps as layers on flat grids, the others as given.
    places : tuple of numpy.ndarray
        For each layer of edges, the entries of theta that its parameters are.
    labels : numpy.ndarray
        The number given in `places` for each entry of theta.

    Raises
    ------
    ArgumentError
        If layers do not fit each other, `places` does not name every entry of theta, once per layer, or theta is no
        tensor of floats that has these entries.

    Examples
    --------
    A filter of two taps, then the same two weights once more as the output's:

    >>> taps = TieMap([0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 0, 1], shape=(2, 3))
    >>> last = TieMap([0, 0], [0, 1], [0, 1], shape=(1, 2))
    >>> mlp = TiedMLP([taps, last], places=[[0, 1], [0, 1]], theta=torch.tensor([1.0, 10.0]))
    >>> mlp(torch.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[341.0]]
    """

    def __init__(
        self,
        layers: Sequence[TieMap | EdgeLayer | nn.Module],
        places: Sequence[Indices] | None = None,
        theta: Tensor | None = None,
        kernel: str = "sparse",
    ) -> None:
        super().__init__()
        self.layers: tuple[EdgeLayer | nn.Module, ...] = tuple(map(_as_layer, layers))
        edges = self.edge_layers
        if not edges:
            raise ArgumentError("layers must hold a TieMap; got none. Modules alone have no edges.")
        _check_chain(edges)
        self.places, self.labels = _numbered(edges, places)
        self.kernel = choice("kernel", kernel, KERNELS)
        self.between = nn.ModuleList(layer for layer in self.layers if isinstance(layer, nn.Module))
        self.kernels, self._picks = nn.ModuleList(), nn.ModuleList()
        wanted = int(self.labels.max(initial=-1)) + 1
        if theta is None:
            values = drawn(smallest_bounds([layer.ties for layer in edges], self.places, len(self.labels)))
        elif not isinstance(theta, Tensor) or not theta.is_floating_point():
            raise ArgumentError(f"theta must be a tensor of floats; got {shown(theta)}. Make one with torch.tensor.")
        elif theta.ndim != 1 or len(theta) < wanted:
            raise ArgumentError(
                f"theta must have one axis with {wanted} entries; got {tuple(theta.shape)}. places names them."
            )
        else:
            values = theta.detach()[torch.from_numpy(self.labels).to(theta.device)]
        self.theta = nn.Parameter(values)
        self.set_fingerprint(_digest(self.layers, self.places))

    @property
    def edge_layers(self) -> tuple[EdgeLayer, ...]:
        """The layers of edges, without the modules between them."""
        return tuple(layer for layer in self.layers if isinstance(layer, EdgeLayer))

    @property
    def edges(self) -> int:
        """Number of edges in all layers."""
        return sum(layer.ties.edges for layer in self.edge_layers)

    @property
    def nbytes(self) -> int:
        """Bytes of the maps and of theta; kernels come on top when the network has run."""
        maps = sum(
            layer.ties.nbytes + places.nbytes for layer, places in zip(self.edge_layers, self.places, strict=True)
        )
        return maps + self.theta.numel() * self.theta.element_size()

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network makes of inputs.

        Parameters
        ----------
        x : torch.Tensor
            ``(batch, *in_grid)`` or ``(batch, inputs)``, of theta's type; under autocast of any.

        Returns
        -------
        torch.Tensor
            ``(batch, outputs)``.

        Raises
        ------
        ArgumentError
            If an input does not have as many values as the first layer reads, or is of another type.
        """
        self.prepare()
        layers = zip(self.kernels, self._picks, strict=True)
        return self._run(x, [partial(_shared, kernel, pick, self.theta) for kernel, pick in layers])

    def run_edges(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return the same for weights of the edges' own.

        Nothing is shared here: this is what the textbook's loop differentiates.

        Parameters
        ----------
        x : torch.Tensor
            As for `forward`.
        weights : sequence of torch.Tensor
            One ``(edges,)`` per layer of edges.

        Returns
        -------
        torch.Tensor
            ``(batch, outputs)``.

        Raises
        ------
        ArgumentError
            As for `forward`; or if the network does not run by edges.
        """
        if self.kernel != "sparse":
            raise ArgumentError(f"kernel must be sparse to run by edges; got {self.kernel}. Make the network with it.")
        self.prepare()
        layers = zip(self.kernels, weights, strict=True)
        return self._run(x, [partial(_own, kernel, own) for kernel, own in layers])

    def _run(self, x: Tensor, edge_layers: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        inputs = self.edge_layers[0].ties.shape[1]
        x = x.flatten(1) if x.ndim > 1 else x
        if x.ndim != 2 or x.shape[1] != inputs:
            raise ArgumentError(
                f"x must have {inputs} values per example; got {tuple(x.shape)}. The first axis is the batch."
            )
        self.check_type(x)
        by_edges, between = iter(edge_layers), iter(self.between)
        for layer in self.layers:
            x = next(by_edges)(x) if isinstance(layer, EdgeLayer) else next(between)(x)
        return x

    def prepare(self) -> TiedMLP:
        """Make the kernels, if they are not made; `torch.export` and `torch.compile` need it.

        Returns
        -------
        TiedMLP
            The network itself.

        Raises
        ------
        ArgumentError
            While torch traces the network: what is made then is no more than a name in a graph.
        """
        if not self.kernels:
            if torch.compiler.is_compiling():
                raise ArgumentError("network must have kernels to be traced; got none. Call prepare() before.")
            for layer, places in zip(self.edge_layers, self.places, strict=True):
                self.kernels.append(lower(layer, self.kernel).kernel)
                self._picks.append(SharedValues(places, len(self.theta)))
            for made in (self.kernels, self._picks):  # too late to hear what the network was told
                made.to(self.theta.device).train(self.training)
        return self

    def edge_weights(self) -> list[Tensor]:
        """Return theta, written back to the edges.

        Returns
        -------
        list of torch.Tensor
            The weight of every edge, one tensor ``(edges,)`` per layer of edges.
        """
        theta = self.theta.detach()
        return [
            SharedValues(layer.ties.params, layer.ties.parameters, layer.ties.constants)(
                theta[torch.from_numpy(places)]
            )
            for layer, places in zip(self.edge_layers, map(np.array, self.places), strict=True)
        ]

    def tie(self, a: LayerEdge | Sequence[LayerEdge], b: LayerEdge | Sequence[LayerEdge]) -> TiedMLP:
        """Return the network in which edge `a` and edge `b`, with their whole sets, share one parameter.

        Parameters
        ----------
        a, b : (layer, row, column) or sequence of them
            Edges that learn, pair by pair, in one layer or in two. Of two values the first edge's stays.

        Returns
        -------
        TiedMLP
            With a theta of its own.

        Raises
        ------
        ArgumentError
            If there is no such edge, it does not learn, or there are more of `a` than of `b`.

        Examples
        --------
        >>> full = TieMap([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3], shape=(2, 2))
        >>> mlp = TiedMLP([full, nn.Tanh(), full])
        >>> mlp.tie((0, 0, 1), (1, 1, 1)).theta.shape
        torch.Size([7])
        """
        left, right = (self._parameters_of(name, edges) for name, edges in (("a", a), ("b", b)))
        if len(left) != len(right):
            raise ArgumentError(f"a and b must be as many edges; got {len(left)} and {len(right)}. Pair them.")
        groups = joined(left, right, len(self.labels))
        kept = np.zeros(int(groups.max()) + 1, np.int64)
        kept[groups[::-1]] = np.arange(len(groups))[::-1]
        kept[groups[left]] = left
        places: list[np.ndarray] = []
        layers: list[EdgeLayer | nn.Module] = []
        for layer in self.layers:
            if isinstance(layer, EdgeLayer):
                ties, number = layer.ties, groups[self.places[len(places)]]
                raw = np.where(ties.params < 0, ties.params, number[ties.params] if len(number) else 0)
                layer = replace(layer, ties=TieMap._ordered(ties.indptr, ties.cols, raw, ties.shape, ties.constants))
                places.append(layer.ties.labels)
            layers.append(layer)
        return TiedMLP(layers, places, self.theta.detach()[torch.from_numpy(kept)], self.kernel)

    def _parameters_of(self, name: str, edges: LayerEdge | Sequence[LayerEdge]) -> np.ndarray:
        """Return where in theta the parameters of edges ``(layer, row, column)`` stand."""
        array = integers(name, edges)
        if array is None or array.ndim not in (1, 2) or array.shape[-1] != 3:
            raise ArgumentError(
                f"{name} must be an edge (layer, row, column) or several; got {shown(edges)}. Count from 0."
            )
        found = []
        for number, *edge in np.atleast_2d(array).tolist():
            if not 0 <= number < len(self.places):
                raise ArgumentError(
                    f"{name} must name one of the {len(self.places)} layers of edges; got {number}. Count from 0."
                )
            ties = self.edge_layers[number].ties
            found.append(self.places[number][ties.params[learning_edges(ties, np.array([edge]))[0]]])
        return np.array(found)

    def equals(self, other: object) -> bool:
        """Return whether both have the same layers, ties and values; how their grids are read does not matter.

        Parameters
        ----------
        other : object
            Another network. Nothing else equals this one.

        Returns
        -------
        bool
        """
        if not isinstance(other, TiedMLP) or self.fingerprint != other.fingerprint:
            return False
        return torch.equal(self.theta, other.theta.to(self.theta.device))

    def __repr__(self) -> str:
        lines = [f"TiedMLP: {self.edges:,} edges share {len(self.theta):,} parameters"]
        for layer in self.layers:
            if isinstance(layer, EdgeLayer):
                grids = " to ".join(" x ".join(map(str, grid)) for grid in (layer.in_grid, layer.out_grid))
                fixed = f", {int((layer.ties.params < 0).sum()):,} of them fixed" if layer.ties.constants else ""
                greatest = ", the greatest counts" if layer.maximum else ""
                lines.append(f"  {grids}: {layer.ties.edges:,} edges{fixed}{greatest}")
            else:
                lines.append(f"  {layer!r}")
        return "\n".join(lines)


def _shared(kernel: nn.Module, pick: nn.Module, theta: Tensor, x: Tensor) -> Tensor:
    """Return what one layer makes of `x` with its part of theta."""
    out: Tensor = kernel(x, pick(theta))
    return out


def _own(kernel: nn.Module, weights: Tensor, x: Tensor) -> Tensor:
    """Return what one layer makes of `x` with weights of its edges' own."""
    assert isinstance(kernel, EdgeKernel | GreatestEdge)
    return kernel.by_edges(x, weights)


def _as_layer(layer: TieMap | EdgeLayer | nn.Module) -> EdgeLayer | nn.Module:
    if isinstance(layer, TieMap):
        outputs, inputs = layer.shape
        return EdgeLayer(layer, (inputs,), (outputs,))
    if not isinstance(layer, EdgeLayer | nn.Module):
        raise ArgumentError(f"layers must be TieMaps and modules; got {shown(layer)}. Make a TieMap of it.")
    if isinstance(layer, nn.Module) and any(True for _ in layer.parameters()):
        raise ArgumentError(
            f"layers must have no parameters but theta; got {type(layer).__name__}. Give its edges; "
            "see edges_of and expand."
        )
    return copy.deepcopy(layer)  # a module of another network's would train and evaluate with that one


def _check_chain(layers: Sequence[EdgeLayer]) -> None:
    for number, (below, above) in enumerate(pairwise(layers)):
        if below.ties.shape[0] != above.ties.shape[1]:
            raise ArgumentError(
                f"layers must fit each other; got {below.ties.shape[0]} outputs of layer {number} for "
                f"{above.ties.shape[1]} inputs of layer {number + 1}. Count layers of edges only."
            )
    for number, layer in enumerate(layers):
        if layer.maximum and not np.diff(layer.ties.indptr).all():
            raise ArgumentError(f"layer {number} must have an edge for every output; got a greatest of none. Drop it.")


def _numbered(
    layers: Sequence[EdgeLayer], places: Sequence[Indices] | None
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return places in theta numbered by first use, and the given number of each."""
    counts = [layer.ties.parameters for layer in layers]
    if places is None:
        given = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    else:
        entries = enumerate(listed("places", places))
        given = [whole_array(f"places[{i}]", entry).astype(np.int64) for i, entry in entries]
    if [len(entry) for entry in given] != counts:
        raise ArgumentError(
            f"places must have an entry per parameter, {counts} by layer; got {[len(entry) for entry in given]}. "
            "See each map's parameters."
        )
    for number, entry in enumerate(given):
        distinct, times = np.unique(entry, return_counts=True)
        if (wrong := distinct[(times > 1) | (distinct < 0)]).size:
            found = f"{wrong[0]} twice" if wrong[0] >= 0 else str(wrong[0])
            raise ArgumentError(
                f"places[{number}] must name different entries of theta; got {found}. To share within a layer, tie its "
                "map's edges."
            )
    labels = first_uses(np.concatenate(given), 0)
    rank = np.argsort(labels)
    return tuple(rank[np.searchsorted(labels, entry, sorter=rank)] for entry in given), labels


def _digest(layers: Sequence[EdgeLayer | nn.Module], places: Sequence[np.ndarray]) -> str:
    texts = (
        f"{part.ties.fingerprint} {part.maximum}" if isinstance(part, EdgeLayer) else repr(part) for part in layers
    )
    return digest("scanwise tied mlp" + "".join(texts), ((entry, "<i8") for entry in places))
