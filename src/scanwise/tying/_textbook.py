"""Learning with shared parameters, twice: as autograd does it, and as the textbook says it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from scanwise._checks import choice, real, whole
from scanwise.errors import ArgumentError, TrainingError
from scanwise.tying._arrays import shown
from scanwise.tying._mlp import TiedMLP
from scanwise.tying._sums import SumOverSets

__all__ = ["Divergence", "Learnt", "Shared", "Textbook", "learn"]

Divergence = Callable[[Tensor, Tensor], Tensor]
"""``Div(y, d)``: the loss of outputs `y` for the desired `d`, one number."""

Optimiser = Callable[[list[Tensor]], torch.optim.Optimizer]
"""Makes an optimiser of parameters, such as ``lambda p: torch.optim.Adam(p, lr=0.01)``."""


class _Loop(ABC):
    """What both ways of learning have in common: what is checked before theta is changed, and how it is."""

    def __init__(
        self, mlp: TiedMLP, divergence: Divergence, eta: float = 0.1, optimiser: Optimiser | None = None
    ) -> None:
        self.mlp, self.divergence = mlp, divergence
        self.eta = real("eta", eta, above=0)
        self.optimiser = None if optimiser is None else optimiser([mlp.theta])
        self._theta, self._kind = mlp.theta, (mlp.theta.dtype, mlp.theta.device)
        self._steps = 0

    @abstractmethod
    def step(self, x: Tensor, d: Tensor) -> float: ...

    def _refuse_unready(self) -> None:
        """Refuse a theta that cannot be learnt, or is not the one that this loop was made for."""
        theta = self.mlp.theta
        if theta is not self._theta or (theta.dtype, theta.device) != self._kind:
            dtype, device = self._kind
            raise ArgumentError(
                f"mlp must have the theta that it began with, {dtype} on {device}; got another, {theta.dtype} on "
                f"{theta.device}. Convert, move or load first, then make the loop."
            )
        if not theta.requires_grad:
            raise ArgumentError("theta must learn; got one that is frozen. Call mlp.requires_grad_().")
        self._refuse_infinite("theta", theta)

    def _measured(self, y: Tensor, d: Tensor) -> Tensor:
        """Return the divergence, if it is one finite number that can be differentiated."""
        div = self.divergence(y, d)
        if not isinstance(div, Tensor) or div.numel() != 1:
            raise ArgumentError(
                f"divergence must return one number, as a tensor; got {shown(div)}. Take the mean, say."
            )
        if not div.requires_grad:
            raise ArgumentError("divergence must follow from the outputs; got one without a gradient. Detach nothing.")
        self._refuse_infinite("divergence", div)
        return div

    def _update(self, gradient: Tensor) -> None:
        """``w_s <- w_s - eta * sum``, or what the optimiser makes of the sums."""
        self._refuse_infinite("gradient", gradient)
        theta: Tensor = self.mlp.theta
        theta.grad = gradient
        if self.optimiser is not None:
            self.optimiser.step()
        else:
            with torch.no_grad():
                theta -= self.eta * gradient
        self._steps += 1

    def _refuse_infinite(self, name: str, values: Tensor) -> None:
        """Refuse NaN and infinity while theta is as it was."""
        values = values.detach().flatten()
        wrong = torch.nonzero(~values.isfinite())
        if not len(wrong):
            return
        entry = int(wrong[0])
        where = "" if name == "divergence" else f" for entry {entry} of theta"
        remedy = "Use a smaller eta" if self.optimiser is None else "Change the optimiser"
        raise TrainingError(
            f"{name} must be finite; got {float(values[entry])}{where} in step {self._steps}. "
            f"{remedy if self._steps else 'Check the data and theta'}."
        )


@final
class Shared(_Loop):
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

    def step(self, x: Tensor, d: Tensor) -> float:
        """Update theta once.

        Parameters
        ----------
        x, d : torch.Tensor
            Inputs of the network, and what `divergence` compares its outputs with.

        Returns
        -------
        float
            The divergence before.

        Raises
        ------
        ArgumentError
            If theta was replaced, converted, moved or frozen, or the divergence is not one number of the outputs.
        TrainingError
            If theta, the divergence or its gradient is not finite; theta is as it was.
        """
        self._refuse_unready()
        div = self._measured(self.mlp(x), d)
        (gradient,) = torch.autograd.grad(div, [self.mlp.theta])
        self._update(gradient)
        return float(div.detach())


@final
class Textbook(_Loop):
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
        super().__init__(mlp, divergence, eta, optimiser)
        device = mlp.theta.device
        self._params = [torch.from_numpy(np.array(layer.ties.params, np.int64)).to(device) for layer in mlp.edge_layers]
        self._places = [torch.from_numpy(np.array(places)).to(device) for places in mlp.places]
        self._sums = [SumOverSets(layer.ties.params, layer.ties.parameters).to(device) for layer in mlp.edge_layers]
        self.edge_weights = [weights.requires_grad_() for weights in mlp.edge_weights()]
        self.edge_gradients = [torch.zeros_like(weights) for weights in self.edge_weights]
        self.set_sums = torch.zeros_like(mlp.theta)

    def step(self, x: Tensor, d: Tensor) -> float:
        """Take one turn of the loop.

        Parameters
        ----------
        x, d : torch.Tensor
            Inputs of the network, and what `divergence` compares its outputs with.

        Returns
        -------
        float
            The divergence before.

        Raises
        ------
        ArgumentError
            As for `Shared`.
        TrainingError
            As for `Shared`; or if weights in a tied set have drifted apart, because somebody wrote to `edge_weights`.
        """
        self._refuse_unready()
        self._refuse_drift()
        div = self._measured(self.mlp.run_edges(x, self.edge_weights), d)
        self.edge_gradients = list(torch.autograd.grad(div, self.edge_weights))
        self.set_sums = self._sum_over_sets()
        self._update(self.set_sums)
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
        Step size of plain gradient descent.
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
        If an argument breaks its rule, or the divergence is not one number of the outputs.
    TrainingError
        If theta, the divergence or its gradient is not finite. Theta is then as before the update that was not made.

    Examples
    --------
    >>> from scanwise.tying import TieMap
    >>> mlp = TiedMLP([TieMap([0, 1], [0, 1], [0, 0], shape=(2, 2))], theta=torch.tensor([1.0]))
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> learnt = learn(mlp, x, 3 * x, lambda y, d: ((y - d) ** 2).mean(), eta=0.1)
    >>> learnt.converged, round(mlp.theta.item(), 3)
    (True, 3.0)
    """
    choice("mode", mode, ("shared", "textbook"))
    real("tolerance", tolerance, least=0)
    whole("over", over)
    loop: _Loop = (Shared if mode == "shared" else Textbook)(mlp, divergence, eta, optimiser)
    divergences: list[float] = []
    for epoch in range(whole("most_epochs", most_epochs)):
        divergences.append(loop.step(x, desired))
        if epoch >= over:
            before = divergences[-1 - over]
            if abs(before - divergences[-1]) < tolerance * abs(before) or before == divergences[-1]:
                return Learnt(tuple(divergences), converged=True)
    return Learnt(tuple(divergences), converged=False)
