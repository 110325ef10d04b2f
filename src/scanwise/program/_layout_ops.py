"""ATen operators that only move values: views, slices, joins. Each rule takes views and gives views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ._rules import Rules, rule
from ._views import BATCH, CHANNEL, Dim, Factor, Unviewable, View, size_of, tidy


def axis_of(dim: int, rank: int) -> int:
    """Return a dimension counted from the front."""
    return dim + rank if dim < 0 else dim


@rule("alias clone contiguous detach detach_ lift_fresh lift_fresh_copy")
def same(r: Rules, x: View, *_: Any, **__: Any) -> View:
    return x


@rule("_assert_tensor_metadata")
def asserted(r: Rules, x: View, *_: Any, **__: Any) -> None:
    """Checked once, at capture; there is no value."""


@rule("_to_copy to type_as")
def convert(r: Rules, x: View, *args: Any, dtype: torch.dtype | None = None, **_: Any) -> View:
    asked = [dtype, *(a for a in args if isinstance(a, torch.dtype))]
    asked += [a.dtype for a in args if isinstance(a, torch.Tensor)]
    if any(a not in (None, r.dtype) for a in asked):
        raise Unviewable("it changes the number type")
    return x


@rule("view reshape _unsafe_view")
def reshape(r: Rules, x: View, shape: Sequence[int]) -> View:
    total = size_of(x.factors)
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    return r.reshaped(x, [total // known if size == -1 else size for size in shape])


@rule("flatten")
def flatten(r: Rules, x: View, start: int = 0, end: int = -1) -> View:
    start, end = axis_of(start, len(x.dims)), axis_of(end, len(x.dims))
    merged: Dim = tuple(f for dim in x.dims[start : end + 1] for f in dim)
    return x.with_dims((*x.dims[:start], merged, *x.dims[end + 1 :]))


@rule("unflatten")
def unflatten(r: Rules, x: View, dim: int, sizes: Sequence[int]) -> View:
    dim = axis_of(dim, len(x.dims))
    return reshape(r, x, [*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


@rule("permute")
def permute(r: Rules, x: View, order: Sequence[int]) -> View:
    return x.permuted([axis_of(d, len(x.dims)) for d in order])


@rule("transpose swapaxes")
def transpose(r: Rules, x: View, first: int, second: int) -> View:
    order = list(range(len(x.dims)))
    first, second = axis_of(first, len(order)), axis_of(second, len(order))
    order[first], order[second] = order[second], order[first]
    return x.permuted(order)


@rule("t")
def turn(r: Rules, x: View) -> View:
    return x.permuted(range(len(x.dims))[::-1])


@rule("squeeze")
def squeeze(r: Rules, x: View, dims: int | Sequence[int] | None = None) -> View:
    chosen = range(len(x.dims)) if dims is None else [dims] if isinstance(dims, int) else dims
    drop = {axis_of(d, len(x.dims)) for d in chosen}
    return x.permuted([d for d in range(len(x.dims)) if d not in drop or x.dims[d]])


@rule("unsqueeze")
def unsqueeze(r: Rules, x: View, dim: int) -> View:
    dim = axis_of(dim, len(x.dims) + 1)
    return x.with_dims((*x.dims[:dim], (), *x.dims[dim:]))


@rule("expand")
def expand(r: Rules, x: View, sizes: Sequence[int], **_: Any) -> View:
    dims = ((),) * (len(sizes) - len(x.dims)) + x.dims
    grown = (
        (Factor(CHANNEL, size, 0),) if not dim and size > 1 else dim for dim, size in zip(dims, sizes, strict=True)
    )
    return x.with_dims(grown)


@rule("repeat")
def repeat(r: Rules, x: View, times: Sequence[int]) -> View:
    dims = ((),) * (len(times) - len(x.dims)) + x.dims
    return x.with_dims((Factor(CHANNEL, n, 0), *dim) for dim, n in zip(dims, times, strict=True))


@rule("slice narrow_copy")
def slice_(r: Rules, x: View, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> View:
    dim = axis_of(dim, len(x.dims))
    begin, stop, _ = slice(start, end).indices(size_of(x.dims[dim]))
    return r.sliced(x, dim, begin, stop, step)


@rule("select")
def select(r: Rules, x: View, dim: int, index: int) -> View:
    dim = axis_of(dim, len(x.dims))
    index = axis_of(index, size_of(x.dims[dim]))
    one = r.sliced(x, dim, index, index + 1, 1)
    return one.permuted([d for d in range(len(one.dims)) if d != dim])


@rule("split_with_sizes split")
def split(r: Rules, x: View, sizes: int | Sequence[int], dim: int = 0) -> tuple[View, ...]:
    dim = axis_of(dim, len(x.dims))
    size = size_of(x.dims[dim])
    cuts = [min(sizes, size - i) for i in range(0, size, sizes)] if isinstance(sizes, int) else sizes
    starts = [sum(cuts[:i]) for i in range(len(cuts))]
    return tuple(r.sliced(x, dim, a, a + n, 1) for a, n in zip(starts, cuts, strict=True))


@rule("unbind")
def unbind(r: Rules, x: View, dim: int = 0) -> tuple[View, ...]:
    dim = axis_of(dim, len(x.dims))
    return tuple(select(r, x, dim, i) for i in range(size_of(x.dims[dim])))


@rule("flip")
def flip(r: Rules, x: View, dims: Sequence[int]) -> View:
    for dim in dims:
        x = x.flipped(axis_of(dim, len(x.dims)))
    return x


@rule("index_select")
def index_select(r: Rules, x: View, dim: int, index: torch.Tensor) -> View:
    dim = axis_of(dim, len(x.dims))
    if not isinstance(index, torch.Tensor):
        raise Unviewable("it picks elements by computed indices")
    chosen = [axis_of(i, size_of(x.dims[dim])) for i in index.reshape(-1).tolist()]
    step = chosen[1] - chosen[0] if len(chosen) > 1 else 1
    if step > 0 and chosen == list(range(chosen[0], chosen[-1] + 1, step)):
        return r.sliced(x, dim, chosen[0], chosen[-1] + 1, step)
    return r.build.concat([r.sliced(x, dim, i, i + 1, 1) for i in chosen], dim)


@rule("index")
def index(r: Rules, x: View, indices: Sequence[torch.Tensor | None]) -> View:
    given = [d for d, i in enumerate(indices) if i is not None]
    chosen = [i for i in indices if i is not None]
    if (
        len(given) != 1
        or not isinstance(chosen[0], torch.Tensor)
        or chosen[0].dim() != 1
        or chosen[0].dtype == torch.bool
    ):
        raise Unviewable("it picks elements by several or computed indices")
    return index_select(r, x, given[0], chosen[0])


@rule("cat")
def cat(r: Rules, xs: Sequence[View], dim: int = 0) -> View:
    if any(not isinstance(x, View) for x in xs):
        raise Unviewable("it joins the window with constants")
    if any(f.axis == BATCH for x in xs for f in x.dims[axis_of(dim, len(x.dims))]):
        raise Unviewable("it joins along the batch")
    return r.build.concat(list(xs), axis_of(dim, len(xs[0].dims)))


@rule("stack")
def stack(r: Rules, xs: Sequence[View], dim: int = 0) -> View:
    return cat(r, [unsqueeze(r, x, axis_of(dim, len(x.dims) + 1)) for x in xs], axis_of(dim, len(xs[0].dims) + 1))


@rule("unfold")
def unfold(r: Rules, x: View, dim: int, size: int, step: int) -> View:
    dim = axis_of(dim, len(x.dims))
    view, outputs, taps = r.slide(x, [dim], [size], [step], [1], [(0, 0)])
    return view.with_dims((*view.dims[:dim], outputs[0], *view.dims[dim + 1 :], tidy(taps[0])))


@rule("constant_pad_nd pad")
def pad(r: Rules, x: View, widths: Sequence[int], *settings: Any, **named: Any) -> View:
    mode, value = named.get("mode", "constant"), named.get("value")
    for setting in settings:
        mode, value = (setting, value) if isinstance(setting, str) else (mode, setting)
    if mode != "constant":
        raise Unviewable("it pads inside the window by reflection or repetition")
    for place in range(len(widths) // 2):
        dim = len(x.dims) - 1 - place
        before, after = widths[2 * place : 2 * place + 2]
        cut = (max(0, -before), size_of(x.dims[dim]) - max(0, -after))
        x = r.sliced(x, dim, cut[0], cut[1], 1)
        x = r.extended(x, dim, max(0, before), max(0, after), zeros=not value)
    return x
