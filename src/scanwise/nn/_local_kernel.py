"""Unshared convolution as an operation: a matrix of its own at every position, within a budget of bytes.

At position p, ``y_p = W_p x_p + b_p`` for the patch ``x_p`` that the kernel covers there: one product of matrices for
each position and group. The patches of all positions would take the input's memory times the taps of the kernel, so
they are copied for one piece of the positions at a time, which also keeps them in the cache. Backward does so again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.nn._local_bench import Bench, seen
from scanwise.nn._local_plan import Layout, each_axis, positions_of

DEFAULT_MAX_BYTES = 4 * 2**20
"""What one piece holds. Found by benchmark: more leaves the cache, less takes more calls."""


def locally_connected(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Tensor:
    """Return a convolution whose weights are not shared between positions.

    Parameters
    ----------
    x : torch.Tensor
        ``(batch, channels, *size)``, one or two axes of space.
    weight : torch.Tensor
        ``(*positions, outputs, channels / groups, *kernel)``. Weights that lie on padding are multiplied by zeros: they
        must be finite, change nothing, and their gradient is zero.
    bias : torch.Tensor, optional
        ``(*positions, outputs)``.
    stride, padding, dilation : int or sequence of int
        As of a convolution, one for all axes or one per axis; padding is of zeros, on both sides.
    groups : int
        Channels and outputs are divided into so many groups, and no output sees another group's channels.
    max_bytes : int
        Most bytes of patches and their outputs that are held at a time, in backward too; the least is one position of
        one window. By default 4 MiB. On top come copies, in another order, of the input and its gradient. Under
        `torch.compile` and `torch.export` the graph is a single product over all positions, whatever this says.

    Returns
    -------
    torch.Tensor
        ``(batch, outputs, *positions)``. It has first derivatives; torch refuses a second one.

    Raises
    ------
    ArgumentError
        If shapes or types do not fit each other.

    Examples
    --------
    >>> x, weight = torch.ones(1, 2, 5), torch.rand(3, 4, 2, 3)
    >>> y = locally_connected(x, weight)
    >>> y.shape, torch.allclose(y[0, :, 1], weight[1].sum((1, 2)))
    (torch.Size([1, 4, 3]), True)
    """
    kind = x.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(
        kind
    ):  # there is nothing to gain by less precision here
        x = x.to(weight.dtype)
    layout = _layout(x, weight, bias, stride, padding, dilation, groups)
    max_numbers = whole("max_bytes", max_bytes) // x.element_size()
    if flat := x.dim() == 3:
        x, weight = x.unsqueeze(2), weight.unsqueeze(0).unsqueeze(-2)
        bias = None if bias is None else bias.unsqueeze(0)
    if torch.compiler.is_compiling():
        y = _at_once(x, weight, bias, layout)
    else:
        y = _LocallyConnected.apply(x, weight, bias, layout, max_numbers)  # type: ignore[no-untyped-call]
    return y.squeeze(2) if flat else y


def _layout(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Layout:
    """Return the checked extents of a call; a single axis becomes the second of two."""
    axes = x.dim() - 2
    if axes not in (1, 2) or weight.dim() != 2 * axes + 2:
        raise ArgumentError(
            "weight must be (*positions, outputs, channels / groups, *kernel) for x of (batch, channels, *size), with "
            f"one or two axes; got {tuple(weight.shape)} for {tuple(x.shape)}. Change their shapes."
        )
    channels, *size = x.shape[1:]
    outputs, share, *kernel = weight.shape[axes:]
    groups = whole("groups", groups)
    if share * groups != channels or outputs % groups:
        raise ArgumentError(
            f"groups must divide x's {channels} channels and weight's {outputs} outputs, and leave weight's {share} "
            f"channels to each; got {groups}. Change it, or the shapes."
        )
    steps, pads = each_axis("stride", stride, axes), each_axis("padding", padding, axes, 0)
    sizes = (tuple(size), tuple(kernel), steps, pads, each_axis("dilation", dilation, axes))
    positions = positions_of(*sizes)
    if tuple(weight.shape[:axes]) != positions:
        raise ArgumentError(
            f"weight must have matrices for the positions {positions}; got {tuple(weight.shape[:axes])}. "
            "Check the input's size, stride, padding and dilation."
        )
    if bias is not None and tuple(bias.shape) != (*positions, outputs):
        raise ArgumentError(f"bias must be of the shape {(*positions, outputs)}; got {tuple(bias.shape)}. Reshape it.")
    if not x.is_floating_point() or any(t.dtype != x.dtype for t in (weight, bias) if t is not None):
        raise ArgumentError(f"x must be of real numbers of the type of weight and bias; got {x.dtype}. Convert it.")
    return Layout(channels, outputs, groups, *map(_pair, (sizes[0], positions, *sizes[1:]), (1, 1, 1, 1, 0, 1)))


def _pair(sizes: tuple[int, ...], fill: int) -> tuple[int, int]:
    """Return two sizes, the first one filled in where there is one only."""
    return (fill, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _at_once(x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout) -> Tensor:
    """Return the operation as a graph that does not depend on the number of windows."""
    top, left = layout.padding
    padded = functional.pad(x, (left, left, top, top)).permute(1, 2, 3, 0)
    patches = seen(padded, layout).flatten(3, 5).flatten(0, 2)
    y = weight.reshape(-1, layout.outputs // layout.groups, layout.inputs) @ patches
    y = y.reshape(*layout.positions, layout.outputs, x.shape[0]).permute(3, 2, 0, 1)
    return (y if bias is None else y + bias.permute(2, 0, 1)).contiguous()


class _LocallyConnected(torch.autograd.Function):
    """The operation on two axes. It keeps the input and the weight for backward, and no patches."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout, max_numbers: int) -> Tensor:
        y = x.new_empty(len(x), layout.outputs, *layout.positions)
        parts, pieces = layout.divide(len(x), max_numbers)
        for part in parts:
            bench = Bench(x[part], layout, pieces[0])
            for piece in pieces:
                shaped, products = bench.outputs(piece)
                torch.bmm(bench.matrices(weight, piece), bench.read(piece), out=products)
                target = y[part, :, piece.rows, piece.columns]
                if bias is None:
                    target.copy_(shaped)
                else:
                    torch.add(shaped, bias[piece.rows, piece.columns].permute(2, 0, 1), out=target)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, ctx.layout, ctx.max_numbers = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if needs_x else None
        grad_weight = torch.empty_like(weight, memory_format=torch.contiguous_format) if needs_weight else None
        parts, pieces = ctx.layout.divide(len(x), ctx.max_numbers)
        for part in parts:
            bench = Bench(x[part], ctx.layout, pieces[0])
            for piece in pieces:
                shaped, grads = bench.outputs(piece)
                shaped.copy_(grad[part, :, piece.rows, piece.columns])
                if grad_weight is not None:
                    target = bench.matrices(grad_weight, piece)
                    torch.baddbmm(target, grads, bench.read(piece).mT, beta=0 if part is parts[0] else 1, out=target)
                if needs_x:
                    bench.spread(piece, bench.matrices(weight, piece), grads)
            if grad_x is not None:
                grad_x[part] = bench.spread_so_far()
        if grad_weight is not None and not parts:
            grad_weight.zero_()
        return grad_x, grad_weight, grad.sum(0).permute(1, 2, 0) if needs_bias else None, None, None
