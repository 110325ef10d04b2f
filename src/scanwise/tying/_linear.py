"""One layer of tied edges, by the best exact kernel for what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from scanwise.errors import ArgumentError
from scanwise.tying._fingerprinted import Fingerprinted
from scanwise.tying._initial import bounds, drawn
from scanwise.tying._layers import EdgeLayer
from scanwise.tying._lower import lower
from scanwise.tying._recognise import Certificate, checked_grid
from scanwise.tying._tie_map import TieMap

__all__ = ["TiedLinear", "on_grids"]


@final
class TiedLinear(Fingerprinted):
    """A linear layer whose edges share parameters by a tie map.

    The map alone decides how it runs: what `recognise` certifies as dense, as a repeated block, a convolution, tiled or
    locally connected runs by that kernel, and what is none of these by sparse matrices or the full one. Which of the
    two is a rule on the share of places that are edges; nothing is timed, and neither the batch nor the machine
    changes the choice. Sums are taken in one fixed order.
    There are first derivatives only: torch has no second ones of sparse products and of locally connected kernels.

    Parameters
    ----------
    ties : TieMap or EdgeLayer
        The edges, summed over.
    in_grid, out_grid : sequence of int, optional
        How the flat inputs and outputs are read, ``(channels, *space)``; structure is looked for on these. By default
        the layer's own, or one channel along one axis.
    kernel : {"auto", "sparse", "dense"}
        ``"sparse"`` or ``"dense"`` to do without structure.

    Attributes
    ----------
    theta : torch.nn.Parameter
        ``(parameters,)``, numbered as in the map; the only parameter. It begins uniform within one over the root of
        the fan-in, which is counted from edges.
    certificate : Certificate or None
        What the map was found to be; None if it was not asked for, or is a pooling.

    Raises
    ------
    ArgumentError
        If a grid does not have as many places as the map has inputs or outputs, the kernel is unknown, or `ties` is
        neither a map nor a layer of edges that sums.

    Examples
    --------
    >>> import torch
    >>> ties = TieMap.of(nn.Conv1d(1, 1, 3), input_shape=(1, 8))
    >>> layer = TiedLinear(ties, in_grid=(1, 8), out_grid=(1, 6))
    >>> layer(torch.zeros(5, 8)).shape
    torch.Size([5, 6])
    >>> print(layer.explain())
    convolution: one filter bank everywhere. 24 edges share 4 parameters
    """

    def __init__(
        self,
        ties: TieMap | EdgeLayer,
        in_grid: Sequence[int] | None = None,
        out_grid: Sequence[int] | None = None,
        *,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        layer = on_grids("ties", ties, in_grid, out_grid)
        if layer.maximum:
            raise ArgumentError("ties must be summed over; got edges of which the greatest counts. Use TiedMLP([...]).")
        self.ties, self.in_grid, self.out_grid = layer.ties, layer.in_grid, layer.out_grid
        lowered = lower(layer, kernel)
        self.kernel, self.certificate, self.why = lowered.kernel, lowered.certificate, lowered.why
        self.theta = nn.Parameter(drawn(bounds(self.ties)))
        self.kernel.to(self.theta.device)
        self.set_fingerprint(self.ties.fingerprint)

    certificate: Certificate | None

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer makes of inputs.

        Parameters
        ----------
        x : torch.Tensor
            ``(*batch, inputs)``, of theta's type; under autocast of any.

        Returns
        -------
        torch.Tensor
            ``(*batch, outputs)``.

        Raises
        ------
        ArgumentError
            If the last axis has another size, or the type is another.
        """
        outputs, inputs = self.ties.shape
        if x.ndim == 0 or x.shape[-1] != inputs:
            raise ArgumentError(f"x must end with {inputs} inputs; got {tuple(x.shape)}. Flatten the grid.")
        self.check_type(x)
        out: Tensor
        if x.ndim == 2:
            out = self.kernel.forward(x, self.theta)  # `forward`: what calling a module costs shows beside small layers
            return out
        out = self.kernel.forward(x.reshape(-1, inputs), self.theta)
        return out.view(*x.shape[:-1], outputs)

    def explain(self) -> str:
        """Return which kernel runs, and why."""
        edges, parameters = f"{self.ties.edges:,}", f"{self.ties.parameters:,}"
        return f"{self.kernel.name}: {self.why}. {edges} edges share {parameters} parameters"

    def extra_repr(self) -> str:
        """Return the sizes, for ``print``."""
        return f"{self.ties!r}, kernel={self.kernel.name}"


def on_grids(
    name: str, layer: TieMap | EdgeLayer, in_grid: Sequence[int] | None, out_grid: Sequence[int] | None
) -> EdgeLayer:
    """Return edges on checked grids: those given, or the layer's own."""
    if not isinstance(layer, TieMap | EdgeLayer):
        raise ArgumentError(
            f"{name} must be a TieMap or an EdgeLayer; got {type(layer).__name__}. Make one with "
            "TieMap.of(layer, input_shape), or give one of a TiedMLP's edge_layers."
        )
    ties, maximum = (layer, False) if isinstance(layer, TieMap) else (layer.ties, layer.maximum)
    if isinstance(layer, EdgeLayer):
        in_grid = layer.in_grid if in_grid is None else in_grid
        out_grid = layer.out_grid if out_grid is None else out_grid
    outputs, inputs = ties.shape
    grids = checked_grid("in_grid", in_grid, inputs), checked_grid("out_grid", out_grid, outputs)
    return EdgeLayer(ties, *grids, maximum)
