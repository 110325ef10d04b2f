"""From a network of torch's layers to the sparse perceptron with tied sets that it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from scanwise.errors import ArgumentError
from scanwise.nn import WindowNet
from scanwise.tying._arrays import narrow
from scanwise.tying._layers import EdgeLayer, Grid, edges_of, grid_of, has_rule, padded_convolution
from scanwise.tying._mlp import TiedMLP
from scanwise.tying._tie_map import ONE, TieMap
from scanwise.tying._trusted import trusted

__all__ = ["expand"]

_PER_UNIT = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign,
    nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Tanhshrink, nn.Hardshrink,
    nn.Softshrink, nn.Threshold, nn.Dropout, nn.AlphaDropout,
)  # fmt: skip
_RESHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)
_PADS = (nn.ZeroPad1d, nn.ZeroPad2d, nn.CircularPad1d, nn.CircularPad2d)
_OVER_FEATURES = (nn.Softmax, nn.LogSoftmax)
_ZERO = ONE - 1


def expand(module: nn.Module, input_shape: Sequence[int], *, kernel: str = "sparse") -> TiedMLP:
    """Return the sparse multi-layer perceptron with tied sets that a network is on inputs of one shape.

    Every multiplication becomes an edge, edges of one weight a tied set. The result has the network's outputs,
    gradients and, trained alike, its weights. Padding clips edges away; flattening costs nothing; average pooling is
    made of edges that do not learn; maximum pooling of edges of which the greatest counts. Memory is that of the
    edges, 8 bytes each, never of the full matrices.

    Parameters
    ----------
    module : torch.nn.Module
        A chain, as ``nn.Sequential`` or a `WindowNet`, of ``Linear``, ``Conv1d``, ``Conv2d``, ``LocallyConnected1d``,
        ``LocallyConnected2d``, average and maximum pooling, ``Flatten``, ``Unflatten``, padding by zeros or around a
        circle, activations and dropout. A layer or a parameter that occurs twice is tied across layers. Norms and
        layers with a forward, hooks or parametrizations of their own are refused. Whether a parameter is frozen is not
        kept.
    input_shape : sequence of int
        ``(channels, *space)`` or ``(features,)``, without the batch.
    kernel : {"sparse", "dense", "auto"}
        As for `TiedMLP`.

    Returns
    -------
    TiedMLP
        On flattened inputs. Entry ``s`` of its theta is entry ``labels[s]`` of
        ``torch.nn.utils.parameters_to_vector(module.parameters())``.

    Raises
    ------
    ArgumentError
        If a layer is of another kind or does not fit its input; the message has its path.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Tanh(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(4, 1))
    >>> mlp = expand(net, input_shape=(1, 6))
    >>> mlp.edges, len(mlp.theta)
    (45, 13)
    >>> x = torch.randn(3, 1, 6)
    >>> torch.allclose(mlp(x), net(x), atol=1e-6)
    True
    """
    grid = input_grid = grid_of("input_shape", input_shape)
    where = _offsets(module)
    layers: list[EdgeLayer | nn.Module] = []
    places: list[np.ndarray] = []
    pending: _Moved | None = None
    for path, layer in _chain(module, ""):
        try:
            if has_rule(layer):
                edges = edges_of(layer, grid) if pending is None else _reading(layer, grid, pending)
                pending = None
                if not places and len(edges.in_grid) == 1:  # was flattened: what comes in is still a grid
                    edges = replace(edges, in_grid=input_grid)
                layers.append(edges)
                places.append(_global(layer, where)[edges.ties.labels])
                grid = edges.out_grid
            elif trusted(layer, _PADS):
                pending, grid = _padded(layer, grid, pending)
            elif trusted(layer, _RESHAPES):
                grid = _reshaped(layer, grid)
            elif pending is None and (trusted(layer, _PER_UNIT) or _over_features(layer, grid)):
                layers.append(layer)
            else:
                raise ArgumentError(_refusal(layer))
        except (ArgumentError, RuntimeError) as error:
            raise ArgumentError(f"layer {path or 'module'}: {error}") from error
    if pending is not None:
        raise ArgumentError("module must not end with padding; got nothing after it. Leave it out.")
    if not places:
        raise ArgumentError("module must have a layer of edges; got none. Activations alone have no weights.")
    return TiedMLP(layers, places, _theta(module), kernel)


def _reshaped(layer: nn.Module, grid: Grid) -> Grid:
    """Return the grid after a reshaping, which must leave the batch alone."""
    batch = 7
    after = tuple(layer(torch.empty(batch, *grid, device="meta")).shape)
    if len(after) < 2 or after[0] != batch:
        raise ArgumentError(f"layer must keep the batch; got {layer}. Flatten and unflatten from dimension 1 on.")
    return after[1:]


def _over_features(layer: nn.Module, grid: Grid) -> bool:
    """Whether a layer normalises over all features of a vector."""
    return trusted(layer, _OVER_FEATURES) and len(grid) == 1 and layer.dim in (1, -1)


def _refusal(layer: nn.Module) -> str:
    name = type(layer).__name__
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return f"layer must be a sum over edges; got {name}. Fold it into the layer before, or build without norms."
    return (
        f"layer must be a convolution, a pool, linear, locally connected, an activation or a reshaping; got {name}. "
        "Expand the parts around it."
    )


def _chain(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers in the order in which they run, with their paths."""
    if trusted(module, (nn.Sequential, WindowNet)):
        for name, child in module._modules.items():
            assert child is not None
            yield from _chain(child, f"{path}.{name}" if path else name)
    else:
        yield path, module


def _offsets(module: nn.Module) -> dict[int, int]:
    """Return where in the vector of all parameters each one begins, by its identity."""
    offsets, start = {}, 0
    for parameter in module.parameters():
        offsets[id(parameter)] = start
        start += parameter.numel()
    return offsets


def _theta(module: nn.Module) -> Tensor | None:
    parameters = [parameter.detach() for parameter in module.parameters()]
    if len({parameter.dtype for parameter in parameters}) > 1:
        raise ArgumentError("module must have parameters of one type; got several. Convert it with .to(dtype).")
    return torch.cat([parameter.flatten() for parameter in parameters]) if parameters else None


def _global(layer: nn.Module, where: dict[int, int]) -> np.ndarray:
    """Return where a layer's weight and bias, flattened, stand in the vector of all parameters."""
    parts = [getattr(layer, name, None) for name in ("weight", "bias")]
    ranges = [where[id(part)] + np.arange(part.numel()) for part in parts if part is not None]
    return np.concatenate(ranges) if ranges else np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Moved:
    """A grid that padding made of another one: which unit of that one each place is, or `_ZERO`.

    `zeros` has the zeros before and behind, per axis, if there is nothing else to it.
    """

    units: np.ndarray
    grid: Grid
    zeros: tuple[tuple[int, int], ...] | None


def _padded(layer: nn.Module, grid: Grid, pending: _Moved | None) -> tuple[_Moved, Grid]:
    """Return which unit each place of a padded grid is, by letting the padding layer move their numbers."""
    if isinstance(layer, nn.CircularPad1d | nn.CircularPad2d) and min(layer.padding) < 0:
        raise ArgumentError(f"layer must not crop and go around at once; got {layer}. Crop with ZeroPad after it.")
    below = _Moved(np.arange(math.prod(grid)), grid, ((0, 0),) * (len(grid) - 1)) if pending is None else pending
    moved: Tensor = layer(torch.from_numpy(below.units - float(_ZERO)).view(1, *grid))  # what is new is 0
    units = (moved.flatten().numpy() + _ZERO).astype(narrow(len(below.units)))
    zeros = None
    if below.zeros is not None and isinstance(layer, nn.ZeroPad1d | nn.ZeroPad2d):
        sides = layer.padding  # the last axis first
        more = [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -2, -2)]
        zeros = tuple((a + c, b + d) for (a, b), (c, d) in zip(below.zeros, more, strict=True))
        if min(min(pair) for pair in zeros) < 0:
            zeros = None
    return _Moved(units, below.grid, zeros), tuple(moved.shape[1:])


def _reading(layer: nn.Module, grid: Grid, pending: _Moved) -> EdgeLayer:
    """Return the edges of a layer on the units that its padded inputs are; a zero is no edge, unless it can win."""
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.padding_mode == "zeros" and pending.zeros is not None:
        return padded_convolution(layer, pending.grid, pending.zeros)
    edges = edges_of(layer, grid)
    ties = edges.ties
    rows, raw, constants = ties.rows, ties.params, ties.constants
    cols = np.append(pending.units, np.asarray(ONE, pending.units.dtype))[ties.cols]  # column -1 stays the constant one
    zero = cols == _ZERO
    kept = ~zero
    if edges.maximum:
        raw = np.where(zero, -1 - len(constants), raw)
        cols, constants = np.where(zero, ONE, cols), (*constants, 0.0)
        _, kept = np.unique(np.stack([rows, cols, raw]), axis=1, return_index=True)
    shape = ties.shape[0], math.prod(pending.grid)
    moved = TieMap._listed(rows[kept], cols[kept], raw[kept], shape, constants)
    moved._labelled(ties.labels[moved.labels])
    return replace(edges, ties=moved, in_grid=pending.grid)
