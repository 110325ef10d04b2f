"""The two classic conversions of a window MLP, from plain weight matrices to a scanning network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scanwise._checks import choice, per_axis, whole, wholes
from scanwise.errors import ArgumentError
from scanwise.nn import activations, make_activation
from scanwise.tying._arrays import shown
from scanwise.tying._blocks import LAYOUTS, Blocks, Grid, Sizes, plan_blocks

Array = Tensor | NDArray[np.floating[Any]]

_T = TypeVar("_T")

_CONVOLUTIONS: dict[int, Callable[..., nn.Conv1d | nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}


def scan_mlp(
    weights: Sequence[Array],
    window: int | Sequence[int],
    channels: int,
    hop: int | Sequence[int] = 1,
    *,
    biases: Sequence[Array | None] | None = None,
    activation: str | None = "relu",
    layout: str = "channels_first",
) -> nn.Sequential:
    """Return the network that scans with an MLP: one set of weights looks at every window.

    The first layer becomes a convolution with a kernel as wide as the window, which steps by `hop`; the others become
    convolutions of kernel 1. Any MLP can scan so. Neighbouring windows share its weights, but no results: see
    `distribute` for an MLP whose matrices allow that.

    Parameters
    ----------
    weights : sequence of Tensor or numpy.ndarray
        The matrices ``(outputs, inputs)``, as in `torch.nn.Linear`, in float32 or float64. They are copied.
    window : int or sequence of int
        Positions that the MLP sees: a length, or ``(height, width)``.
    channels : int
        Channels at each position; the first matrix has ``window * channels`` columns.
    hop : int or sequence of int
        Steps between windows, for all axes or one per axis.
    biases : sequence of Tensor, numpy.ndarray or None, optional
        One vector per layer, None for a layer without. By default no layer has any.
    activation : str or None
        One of `scanwise.nn.activations`, between the layers and not after the last; None for a linear net.
    layout : {"channels_first", "channels_last"}
        How a window was flattened, rows before columns: ``channels_first`` has all positions of the first channel, then
        all of the next, as `torch.flatten` of ``(channels, *window)``; ``channels_last`` has all channels of the first
        position, then all of the next.

    Returns
    -------
    torch.nn.Sequential
        From ``(batch, channels, *space)`` to ``(batch, outputs, *positions)``. Output ``i`` is what the MLP says of the
        window ``[i * hop, i * hop + window)``, up to the order of sums.

    Raises
    ------
    ArgumentError
        If an array is not a float32 or float64 matrix (or vector) of the shape that its neighbours and the window ask
        for, if it has NaN or infinity, or if another argument breaks its rule.

    Examples
    --------
    >>> weights = [torch.randn(8, 8 * 24), torch.randn(16, 8), torch.randn(4, 16)]
    >>> net = scan_mlp(weights, window=8, channels=24, hop=4)
    >>> net(torch.randn(1, 24, 128)).shape
    torch.Size([1, 4, 31])
    >>> sum(p.numel() for p in net.parameters())
    1728
    """
    space = _window(window)
    matrices = _tensors("weights", weights, axes=2)
    rest = (1,) * (len(matrices) - 1)
    return distribute(
        matrices,
        space,
        channels,
        kernels=(space, *rest),
        strides=(per_axis("hop", hop, len(space)), *rest),
        widths=[len(matrix) for matrix in matrices],
        biases=biases,
        activation=activation,
        layout=layout,
    )


def distribute(
    weights: Sequence[Array],
    window: int | Sequence[int],
    channels: int,
    kernels: Sequence[int | Sequence[int]],
    strides: Sequence[int | Sequence[int]],
    widths: Sequence[int],
    *,
    biases: Sequence[Array | None] | None = None,
    activation: str | None = "relu",
    layout: str = "channels_first",
) -> nn.Sequential:
    """Return the distributed scan of an MLP whose matrices carry blocks of tied weights.

    The hidden units stand on positions too, ``widths[l]`` of them at each; a unit reads ``kernels[l]`` positions of the
    layer below, and units at neighbouring positions read ``strides[l]`` positions apart, with the same weights. So the
    matrix of a layer is one block repeated, one for each position, and nothing else. The block is the kernel of a
    convolution, and overlapping windows share its results.

    The blocks must be equal entry by entry, and what is outside them unused: zero, or NaN to prove it. Weights that are
    merely close are not tied.

    Parameters
    ----------
    weights, biases, activation, layout
        As in `scan_mlp`. Hidden vectors are flattened like the window. A bias is repeated at every position.
    window : int or sequence of int
        Positions that the MLP sees: a length, or ``(height, width)``.
    channels : int
        Channels at each position of the window.
    kernels, strides : sequence
        Per layer, in positions of the layer below: a number for all axes, or one per axis. From ``P`` positions below
        there are ``(P - kernel) / stride + 1`` above, a whole number.
    widths : sequence of int
        Per layer, channels at each position. Layer ``l``'s matrix is ``(positions above * widths[l], positions below *
        widths[l - 1])``.

    Returns
    -------
    torch.nn.Sequential
        From ``(batch, channels, *space)`` to ``(batch, widths[-1], *positions)``. It steps by the product of the
        strides, and says of every window what the MLP says of it, up to the order of sums. If the last layer has ``P``
        positions, the window at output ``i`` has the outputs ``[i, i + P)``.

    Raises
    ------
    ArgumentError
        If a block differs from the first (the message names matrix, block, row and column), a weight outside the blocks
        is used, the kernels and strides do not end with the window, or an argument breaks its rule as in `scan_mlp`.

    See Also
    --------
    scanwise.geometry.ledger : what distributing saves, and when.

    Examples
    --------
    Where the stride equals the kernel, blocks stand side by side:

    >>> blocks = torch.randn(2, 2 * 24), torch.randn(8, 2 * 2), torch.randn(4, 2 * 8)
    >>> weights = [torch.kron(torch.eye(n), block) for n, block in zip((4, 2, 1), blocks)]
    >>> [tuple(matrix.shape) for matrix in weights]
    [(8, 192), (16, 8), (4, 16)]
    >>> net = distribute(weights, 8, 24, (2, 2, 2), (2, 2, 1), widths=(2, 8, 4), layout="channels_last")
    >>> sum(p.numel() for p in net.parameters())
    192
    >>> net(torch.randn(1, 24, 128)).shape
    torch.Size([1, 4, 31])
    """
    matrices = _tensors("weights", weights, axes=2)
    depth = len(matrices)
    given = [None] * depth if biases is None else _per_layer("biases", biases, depth)
    vectors = [None if value is None else _tensor(f"biases[{i}]", value, axes=1) for i, value in enumerate(given)]
    if len(dtypes := {str(t.dtype) for t in (*matrices, *vectors) if t is not None}) > 1:
        raise ArgumentError(
            f"weights and biases must be of one dtype; got {' and '.join(sorted(dtypes))}. Convert some."
        )
    if activation is not None:
        choice("activation", activation, activations())
    plan = plan_blocks(
        Grid(_window(window), whole("channels", channels), choice("layout", layout, LAYOUTS)),
        _per_layer("kernels", kernels, depth),
        _per_layer("strides", strides, depth),
        wholes("widths", _per_layer("widths", widths, depth)),
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (blocks, matrix, vector) in enumerate(zip(plan, matrices, vectors, strict=True)):
        if i and activation is not None:
            layers[f"conv{i}_{activation}"] = make_activation(activation)
        layers[f"conv{i + 1}"] = _convolution(i, blocks, matrix, vector)
    return nn.Sequential(layers)


def _convolution(i: int, blocks: Blocks, matrix: Tensor, vector: Tensor | None) -> nn.Module:
    """Return layer `i` as a convolution with copies of the weights that its units share."""
    _check_shape(i, blocks, matrix, vector)
    layer = _CONVOLUTIONS[len(blocks.kernel)](
        blocks.below.channels,
        blocks.above.channels,
        blocks.kernel,
        stride=blocks.stride,
        bias=vector is not None,
        device="meta",  # nothing is drawn from the global generator for weights that are replaced
    )
    layer.weight = nn.Parameter(blocks.read(f"weights[{i}]", matrix).clone(memory_format=torch.contiguous_format))
    if vector is not None:
        layer.bias = nn.Parameter(blocks.of_biases.read(f"biases[{i}]", vector[:, None]).flatten().clone())
    return layer


def _check_shape(i: int, blocks: Blocks, matrix: Tensor, vector: Tensor | None) -> None:
    """Refuse arrays that do not join the units that layer `i` has below and above."""
    rows, columns = matrix.shape
    if columns != blocks.below.size:
        turned = " This one looks transposed." if rows == blocks.below.size else ""
        raise ArgumentError(
            f"weights[{i}] must have {blocks.below.size} columns, {blocks.below}; got shape {(rows, columns)}. "
            f"Torch's orientation is (outputs, inputs).{turned}"
        )
    if rows != blocks.above.size:
        raise ArgumentError(
            f"weights[{i}] must have {blocks.above.size} rows, {blocks.above}; got shape {(rows, columns)}. "
            f"Change widths[{i}], or the kernels and strides up to here."
        )
    if vector is not None and len(vector) != rows:
        raise ArgumentError(
            f"biases[{i}] must have {rows} entries, one per row of weights[{i}]; got {len(vector)}. "
            "Repeat each channel's bias at every position."
        )


def _window(window: int | Sequence[int]) -> Sizes:
    """Return the window's size per axis."""
    space = wholes("window", window) if isinstance(window, Sequence) else (whole("window", window),)
    if len(space) not in _CONVOLUTIONS:
        raise ArgumentError(f"window must be a length or (height, width); got {shown(window)}. Count channels apart.")
    return space


def _per_layer(name: str, values: Sequence[_T], layers: int) -> Sequence[_T]:
    """Return `values` if there is one for each layer."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != layers:
        found = f"a list of {len(values)}" if isinstance(values, list | tuple) else shown(values)
        raise ArgumentError(f"{name} must be a list with an entry for each of {layers} layers; got {found}. Change it.")
    return values


def _tensors(name: str, values: Sequence[Array], axes: int) -> list[Tensor]:
    if not isinstance(values, Sequence) or not values:
        raise ArgumentError(f"{name} must be a list with an array per layer; got {shown(values)}. Write [matrix], say.")
    return [_tensor(f"{name}[{i}]", value, axes) for i, value in enumerate(values)]


def _tensor(name: str, value: Array, axes: int) -> Tensor:
    """Return `value` as a tensor without history, if it is a matrix or vector of floats."""
    if isinstance(value, np.ndarray) and value.dtype.name in ("float32", "float64"):
        value = torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C"))  # torch takes no other bytes
    if (
        not isinstance(value, Tensor)
        or value.dtype not in (torch.float32, torch.float64)
        or value.ndim != axes
        or not value.numel()
    ):
        kind = "matrix" if axes == 2 else "vector"
        raise ArgumentError(
            f"{name} must be a {kind} of float32 or float64 with an entry at least; got {shown(value)}. Convert it."
        )
    return value.detach()
