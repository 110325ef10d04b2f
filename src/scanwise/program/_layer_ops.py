"""ATen operators that combine positions or channels by weights or by pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from scanwise.geometry import output_size, same_padding

from ._layout_ops import axis_of
from ._pointwise_ops import arithmetic
from ._rules import RULES, Rules, rule
from ._views import CHANNEL, Unviewable, View, regroup, size_of


def each(value: int | Sequence[int], rank: int) -> list[int]:
    """Return one value per spatial dimension, as torch reads a single integer."""
    values = [value] if isinstance(value, int) else list(value)
    return values * rank if len(values) == 1 else values


# Convolutions and linear layers -----------------------------------------------------------------------------------


@rule("conv1d conv2d conv3d")
def convolve(
    r: Rules,
    x: View,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> View:
    _constant(weight, bias)
    rank = weight.dim() - 2
    kernel, steps = list(weight.shape[2:]), each(dilation, rank)
    if padding == "same":
        pads = [same_padding(k, d) for k, d in zip(kernel, steps, strict=True)]
    else:
        pads = [(p, p) for p in each(0 if padding == "valid" else padding, rank)]  # type: ignore[arg-type]
    x, outputs, taps = r.slide(x, range(2, 2 + rank), kernel, each(stride, rank), steps, pads, zeros=True)
    inputs = x.dims[1]
    if groups > 1:
        try:
            group, inputs = regroup(inputs, [groups, size_of(inputs) // groups])
        except Unviewable:
            raise Unviewable("its groups cut across merged dimensions") from None
    else:
        group = ()
    total = tuple(f for dim in (inputs, *taps) for f in dim)
    table = weight.reshape(groups, weight.shape[0] // groups, -1)
    result, features = r.build.contract(x, [x.dims[0], *outputs], group, total, table, bias)
    return result.with_dims((result.dims[0], features, *result.dims[1:]))


@rule("convolution")
def convolution(
    r: Rules, x: View, weight: torch.Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> View:  # fmt: skip
    if transposed:
        raise Unviewable("a transposed convolution")
    return convolve(r, x, weight, bias, stride, padding, dilation, groups)


@rule("linear")
def linear(r: Rules, x: View, weight: torch.Tensor, bias: torch.Tensor | None = None) -> View:
    _constant(weight, bias)
    result, features = r.build.contract(x, x.dims[:-1], (), x.dims[-1], weight[None], bias)
    return result.with_dims((*result.dims, features))


@rule("matmul mm bmm")
def matmul(r: Rules, a: View | torch.Tensor, b: View | torch.Tensor) -> View:
    if isinstance(a, View) and isinstance(b, torch.Tensor):
        return _times(r, a, b)
    if isinstance(b, View) and isinstance(a, torch.Tensor) and len(b.dims) > 1 and a.dim() > 1:
        swapped = b.permuted([*range(len(b.dims) - 2), len(b.dims) - 1, len(b.dims) - 2])
        result = _times(r, swapped, a.mT)
        rank = len(result.dims)
        return result.permuted([*range(rank - 2), rank - 1, rank - 2])
    raise Unviewable("it multiplies values of the window with each other")


def _times(r: Rules, x: View, weight: torch.Tensor) -> View:
    """Return ``x @ weight`` for a constant ``(.., in, out)``."""
    if weight.dim() == 1:
        column = linear(r, x, weight[None])
        return column.permuted(range(len(column.dims) - 1))
    while weight.dim() > 2 and torch.equal(weight, weight[:1].expand_as(weight)):
        weight = weight[0]
    if weight.dim() == 2:
        return linear(r, x, weight.mT)
    if weight.dim() != 3 or len(x.dims) != 3 or any(f.axis != CHANNEL for f in x.dims[0]):
        raise Unviewable("a product with a stack of matrices")
    rows, group = x.dims[1], x.dims[0]
    result, features = r.build.contract(x, [rows], group, x.dims[2], weight.mT, None)
    heads, outputs = regroup(features, [weight.shape[0], weight.shape[2]])
    return result.with_dims((heads, result.dims[0], outputs))


@rule("addmm")
def addmm(r: Rules, bias: torch.Tensor, x: View, weight: torch.Tensor, *, beta: float = 1, alpha: float = 1) -> View:
    _constant(weight, bias)
    return arithmetic("add")(r, linear(r, x, weight.mT * alpha), bias * beta)


def _constant(*tensors: Any) -> None:
    if any(isinstance(tensor, View) for tensor in tensors):
        raise Unviewable("its weights are computed from the window")


# Pooling and reductions -------------------------------------------------------------------------------------------


def _pool(
    r: Rules,
    x: View,
    op: str,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    rank: int,
) -> View:
    dims = range(len(x.dims) - rank, len(x.dims))
    kernel, pads, steps = each(kernel, rank), each(padding, rank), each(dilation, rank)
    stride = each(stride, rank) if stride not in ([], None) else kernel
    both = []
    for dim, k, s, d, p in zip(dims, kernel, stride, steps, pads, strict=True):
        size = size_of(x.dims[dim])
        count = output_size(size, k, s, d, p, ceil_mode)
        both.append((p, max(p, (count - 1) * s + (k - 1) * d + 1 - size - p)))
    x, outputs, taps = r.slide(x, dims, kernel, stride, steps, both)
    lead = x.dims[: len(x.dims) - rank]
    slid = x.with_dims((*lead, *outputs, *taps))
    return r.build.reduce(slid, range(len(lead) + rank, len(lead) + 2 * rank), op)


def _max_pool(rank: int, *, indices: bool) -> Callable[..., Any]:
    def pool(
        r: Rules,
        x: View,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        pooled = _pool(r, x, "max", kernel, stride, padding, dilation, ceil_mode, rank)
        return (pooled, None) if indices else pooled

    return pool


def _avg_pool(rank: int) -> Callable[..., View]:
    def pool(
        r: Rules,
        x: View,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> View:
        if divisor_override is None:
            return _pool(r, x, "mean", kernel, stride, padding, 1, ceil_mode, rank)
        summed = _pool(r, x, "sum", kernel, stride, padding, 1, ceil_mode, rank)
        return arithmetic("div")(r, summed, divisor_override)

    return pool


def _adaptive_pool(rank: int, op: str, *, indices: bool) -> Callable[..., Any]:
    def pool(r: Rules, x: View, sizes: int | Sequence[int]) -> Any:
        first = len(x.dims) - rank
        for dim, bins in zip(range(first, first + rank), each(sizes, rank), strict=True):
            x = _bins(r, x, op, dim, bins)
        return (x, None) if indices else x

    return pool


def _bins(r: Rules, x: View, op: str, dim: int, bins: int) -> View:
    """Pool one dimension into ``bins`` bins ``[floor(i n / bins), ceil((i + 1) n / bins))``."""
    size = size_of(x.dims[dim])
    if bins == size:
        return x
    if bins > 1 and size % bins == 0:
        x, outputs, taps = r.slide(x, [dim], [size // bins], [size // bins], [1], [(0, 0)])
        slid = x.with_dims((*x.dims[:dim], outputs[0], taps[0], *x.dims[dim + 1 :]))
        return r.build.reduce(slid, [dim + 1], op)
    parts = []
    for i in range(bins):
        part = r.sliced(x, dim, i * size // bins, -(-(i + 1) * size // bins), 1)
        pooled = r.build.reduce(part, [dim], op)
        parts.append(pooled.with_dims((*pooled.dims[:dim], (), *pooled.dims[dim:])))
    return parts[0] if bins == 1 else r.build.concat(parts, dim)


for _rank in (1, 2, 3):
    RULES[f"max_pool{_rank}d"] = _max_pool(_rank, indices=False)
    RULES[f"max_pool{_rank}d_with_indices"] = _max_pool(_rank, indices=True)
    RULES[f"avg_pool{_rank}d"] = _avg_pool(_rank)
    RULES[f"adaptive_avg_pool{_rank}d"] = _adaptive_pool(_rank, "mean", indices=False)
    RULES[f"_adaptive_avg_pool{_rank}d"] = _adaptive_pool(_rank, "mean", indices=False)
    RULES[f"adaptive_max_pool{_rank}d"] = _adaptive_pool(_rank, "max", indices=True)


def _reduction(op: str) -> Callable[..., View]:
    def reduce(r: Rules, x: View, dims: Any = None, keepdim: bool = False, **kwargs: Any) -> View:
        if kwargs.pop("dtype", None) not in (None, r.dtype):
            raise Unviewable("it changes the number type")
        return _reduced(r, x, op, dims, keepdim, kwargs)

    return reduce


def _reduced(r: Rules, x: View, op: str, dims: Any, keepdim: bool, attrs: dict[str, Any]) -> View:
    rank = len(x.dims)
    chosen = sorted({axis_of(d, rank) for d in ([dims] if isinstance(dims, int) else dims or range(rank))})
    result = r.build.reduce(x, chosen, op, attrs)
    if keepdim:
        left = iter(result.dims)
        result = result.with_dims(() if d in chosen else next(left) for d in range(rank))
    return result


for _name, _op in (
    ("mean", "mean"),
    ("sum", "sum"),
    ("amax", "max"),
    ("amin", "min"),
    ("logsumexp", "logsumexp"),
):
    RULES[_name] = _reduction(_op)


def _extreme(op: str) -> Callable[..., Any]:
    def reduce(r: Rules, x: View, dim: Any = None, keepdim: bool = False) -> Any:
        if isinstance(dim, int):
            return _reduced(r, x, op, dim, keepdim, {}), None
        if dim is None:
            raise Unviewable("an extreme over the batch")
        return arithmetic(f"{op}imum")(r, x, dim)

    return reduce


RULES["max"], RULES["min"] = _extreme("max"), _extreme("min")


def _spread(op: str) -> Callable[..., View]:
    def reduce(r: Rules, x: View, dims: Any = None, *args: Any, correction: Any = 1, keepdim: bool = False) -> View:
        if isinstance(dims, bool):
            raise Unviewable("a spread over the batch")
        unbiased, keepdim = (args[0] if args else bool(correction)), (args[1] if len(args) > 1 else keepdim)
        delta = int(unbiased) if args else (1 if correction is None else correction)
        return _reduced(r, x, op, dims, keepdim, {"correction": delta})

    return reduce


RULES["var"], RULES["std"] = _spread("var"), _spread("std")


@rule("linalg_vector_norm")
def vector_norm(r: Rules, x: View, order: float = 2.0, dims: Any = None, keepdim: bool = False, **_: Any) -> View:
    if order not in (1, 2):
        raise Unviewable("a norm of another order than 1 or 2")
    powered = r.build.pointwise(x, "abs" if order == 1 else "square", [], {})
    total = _reduced(r, powered, "sum", dims, keepdim, {})
    return total if order == 1 else r.build.pointwise(total, "sqrt", [], {})
