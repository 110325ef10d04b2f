"""Learning with shared parameters, twice: as autograd does it, and as the textbook says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor

from scanwise._checks import choice, real, whole
from scanwise.errors import ArgumentError, TrainingError
from scanwise.tying._mlp import TiedMLP
from scanwise.tying._sums import SumOverSets

__all__ = ["Divergence", "Learnt", "Shared", "Textbook", "learn"]

Divergence = Callable[[Tensor, Tensor], Tensor]
"""``Div(y, d)``: the loss of outputs `y` for the desired `d`, one number."""

Optimiser = Callable[[list[Tensor]], torch.optim.Optimizer]
"""Makes an optimiser of parameters, such as ``lambda p: torch.optim.Adam(p, lr=0.01)``."""


class _Steps(Protocol):
    def step(self, x: Tensor, d: Tensor) -> float: ...


@final
class Shared:
    """Gradient descent on the shared parameters: theta is all there is, and autograd sums.

    Parameters
    ----------
    mlp : TiedMLP
        The network; its theta is updated in place.
    divergence : callable
        ``Div(y, d)``.
    eta : float
        Step size.
    optimiser : callable, optional
        Makes a torch optimiser of a list of parameters, in place of plain gradient descent.
    """

    def __init__(
        self, mlp: TiedMLP, divergence: Divergence, eta: float = 0.1, optimiser: Optimiser | None = None
    ) -> None:
        self.mlp, self.divergence = mlp, divergence
        self.eta = real("eta", eta, above=0)
        self.optimiser = None if optimiser is None else optimiser([mlp.theta])

    def step(self, x: Tensor, d: Tensor) -> float:
        """Update theta once; return the divergence before."""
        div = self.divergence(self.mlp(x), d)
        (self.mlp.theta.grad,) = torch.autograd.grad(div, [self.mlp.theta])
        _update(self.mlp.theta, self.eta, self.optimiser)
        return float(div.detach())


@final
class Textbook:
    """The field's own loop. Every edge has a weight of its own, and the sets are held together by hand.

    1. Initialise: every edge of set ``s`` gets the weight ``w_s``.
    2. One backward pass gives every edge its gradient, as if nothing were shared.
    3. For each tied set, sum the gradients of its edges: ``dDiv/dw_s = sum over e in s of dDiv/dw_e``.
    4. Update each set once: ``w_s <- w_s - eta * sum``.
    5. Write ``w_s`` back to every edge of the set.
    6. Repeat from 2 until the divergence has converged.

    It follows the same path as `Shared`, up to rounding; the point is to see it. With an optimiser that keeps state,
    such as momentum or Adam, the state belongs to the set, which has one gradient, not to its edges.

    Parameters
    ----------
    mlp : TiedMLP
        The network, run by edges; its theta is kept up to date.
    divergence : callable
        ``Div(y, d)``.
    eta : float
        Step size.
    optimiser : callable, optional
        Makes a torch optimiser of a list of parameters, in place of step 4.

    Attributes
    ----------
    edge_weights : list of torch.Tensor
        Per layer of edges, each edge's own weight, ``(edges,)``.
    edge_gradients : list of torch.Tensor
        The same for the gradients of the last backward pass.
    set_sums : torch.Tensor
        ``(parameters,)``, the sums of the last step.

    Examples
    --------
    >>> from scanwise.tying import TieMap
    >>> _ = torch.manual_seed(0)
    >>> mlp = TiedMLP([TieMap([0, 1], [0, 1], [0, 0], shape=(2, 2))])  # one weight, two edges
    >>> loop = Textbook(mlp, lambda y, d: ((y - d) ** 2).sum() / 2, eta=0.1)
    >>> _ = loop.step(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2))
    >>> float(loop.set_sums) == float(loop.edge_gradients[0].sum())
    True
    """

    def __init__(
        self, mlp: TiedMLP, divergence: Divergence, eta: float = 0.1, optimiser: Optimiser | None = None
    ) -> None:
        if mlp.kernel != "sparse":
            raise ArgumentError(f"mlp must run by edges, with kernel='sparse'; got {mlp.kernel!r}. Make it so.")
        self.mlp, self.divergence = mlp, divergence
        self.eta = real("eta", eta, above=0)
        self.optimiser = None if optimiser is None else optimiser([mlp.theta])
        device = mlp.theta.device
        self._params = [torch.from_numpy(np.array(layer.ties.params, np.int64)).to(device) for layer in mlp.edge_layers]
        self._places = [torch.from_numpy(np.array(places)).to(device) for places in mlp.places]
        self._sums = [SumOverSets(layer.ties.params, layer.ties.parameters).to(device) for layer in mlp.edge_layers]
        self.edge_weights = [weights.requires_grad_() for weights in mlp.edge_weights()]
        self.edge_gradients = [torch.zeros_like(weights) for weights in self.edge_weights]
        self.set_sums = torch.zeros_like(mlp.theta)

    def step(self, x: Tensor, d: Tensor) -> float:
        """Take one turn of the loop; return the divergence before.

        Raises
        ------
        TrainingError
            If weights in a tied set have drifted apart, because somebody wrote to `edge_weights`.
        """
        self._refuse_drift()
        div = self.divergence(self.mlp.run_edges(x, self.edge_weights), d)
        self.edge_gradients = list(torch.autograd.grad(div, self.edge_weights))
        self.set_sums = self._sum_over_sets()
        self.mlp.theta.grad = self.set_sums
        _update(self.mlp.theta, self.eta, self.optimiser)
        self._write_back()
        return float(div.detach())

    def _sum_over_sets(self) -> Tensor:
        sums = torch.zeros_like(self.mlp.theta)
        for layer, gradients in enumerate(self.edge_gradients):
            sums[self._places[layer]] += self._sums[layer](gradients)
        return sums

    def _write_back(self) -> None:
        with torch.no_grad():
            for edges, weights in zip(self.edge_weights, self.mlp.edge_weights(), strict=True):
                edges.copy_(weights)

    def _refuse_drift(self) -> None:
        for number, (edges, weights) in enumerate(zip(self.edge_weights, self.mlp.edge_weights(), strict=True)):
            apart = torch.nonzero(edges.detach() != weights)
            if len(apart):
                edge = int(apart[0])
                ties = self.mlp.edge_layers[number].ties
                row = int(np.searchsorted(ties.indptr, edge, side="right")) - 1
                raise TrainingError(
                    f"weights in a tied set must be equal; got {float(edges[edge].detach()):.6g} on the edge from "
                    f"column {ties.cols[edge]} to row {row} of layer {number}, and {float(weights[edge]):.6g} for its "
                    "set. Write to theta, not to edges."
                )


def _update(theta: Tensor, eta: float, optimiser: torch.optim.Optimizer | None) -> None:
    """``w_s <- w_s - eta * sum``, or what the optimiser makes of the sums."""
    if optimiser is not None:
        optimiser.step()
        return
    assert theta.grad is not None
    with torch.no_grad():
        theta -= eta * theta.grad


@dataclass(frozen=True)
class Learnt:
    """How learning went.

    Attributes
    ----------
    divergences
        One per epoch, before its update.
    converged
        Whether it ended because nothing changed any more.
    """

    divergences: tuple[float, ...]
    converged: bool


def learn(
    mlp: TiedMLP,
    x: Tensor,
    desired: Tensor,
    divergence: Divergence,
    *,
    mode: str = "shared",
    eta: float = 0.1,
    optimiser: Optimiser | None = None,
    tolerance: float = 1e-6,
    over: int = 10,
    most_epochs: int = 1000,
) -> Learnt:
    """Teach a network until its divergence has converged.

    Parameters
    ----------
    mlp : TiedMLP
        The network; its theta is updated in place.
    x, desired : torch.Tensor
        ``(batch, inputs)`` and what `divergence` compares the outputs with. All of it is one step of every epoch.
    divergence : callable
        ``Div(y, d)``.
    mode : {"shared", "textbook"}
        `Shared` or `Textbook`.
    eta : float
        Step size.
    optimiser : callable, optional
        Makes a torch optimiser of a list of parameters, in place of plain gradient descent.
    tolerance : float
        The divergence has converged when its relative change over `over` epochs is below this.
    over : int
        Epochs.
    most_epochs : int
        At most so many.

    Returns
    -------
    Learnt

    Raises
    ------
    ArgumentError
        If an argument breaks its rule.
    TrainingError
        If the divergence is no longer finite.
    """
    choice("mode", mode, ("shared", "textbook"))
    real("tolerance", tolerance, least=0)
    whole("over", over)
    steps: _Steps = (Shared if mode == "shared" else Textbook)(mlp, divergence, eta, optimiser)
    divergences: list[float] = []
    for epoch in range(whole("most_epochs", most_epochs)):
        divergences.append(steps.step(x, desired))
        if not np.isfinite(divergences[-1]):
            raise TrainingError(
                f"divergence must be finite; got {divergences[-1]} in epoch {epoch}. Use a smaller eta."
            )
        if epoch >= over:
            before = divergences[-1 - over]
            if abs(before - divergences[-1]) < tolerance * abs(before) or before == divergences[-1]:
                return Learnt(tuple(divergences), converged=True)
    return Learnt(tuple(divergences), converged=False)
