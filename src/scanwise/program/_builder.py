"""Primitives that append nodes to a program: each takes views and gives views.

Everything a layer does to a window comes down to a few of these: `Builder.contract` is every convolution and linear
layer, `Builder.reduce` every pooling and mean, `Builder.pointwise` every activation, `Builder.combine` every sum of
branches. They decide nothing about torch's operators; `_rewrite` translates those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import torch

from ._nodes import Node, Source
from ._views import (
    BATCH,
    CHANNEL,
    Dim,
    Factor,
    Unviewable,
    View,
    channel_index,
    contiguous,
    refine,
    size_of,
    tidy,
)


class Builder:
    """A program under construction for windows of shape ``(channels, *window)``."""

    def __init__(self, window_shape: tuple[int, ...], batch: int) -> None:
        self.axes = len(window_shape) - 1
        self.nodes: list[Node] = [Node("input", (), window_shape[0])]
        self.path = ""
        self.zero = (0,) * self.axes
        channels, *window = window_shape
        spatial = [(Factor(axis, size, 1),) for axis, size in enumerate(window)]
        dims = [(Factor(BATCH, batch, 1),), (Factor(CHANNEL, channels, 1),), *spatial]
        self.start = View(0, tuple(tidy(dim) for dim in dims), 0, self.zero, (1,) * self.axes)

    def add(
        self,
        kind: str,
        inputs: Sequence[Source],
        channels: int,
        attrs: Mapping[str, Any] | None = None,
        params: Mapping[str, torch.Tensor] | None = None,
        units: int = 0,
    ) -> int:
        """Append a node and return its index."""
        self.nodes.append(Node(kind, tuple(inputs), channels, attrs or {}, params or {}, self.path, units))
        return len(self.nodes) - 1

    def _single(self, view: View, kind: str, channels: int, attrs: Mapping[str, Any], **params: torch.Tensor) -> int:
        return self.add(kind, [Source(view.node, self.zero)], channels, attrs, params)

    # Channel order ----------------------------------------------------------------------------------------------

    def take(self, node: int, index: list[int]) -> int:
        """Return a node whose channels are those of ``node`` picked by ``index``; ``node`` itself when that is all."""
        if index == list(range(self.nodes[node].channels)):
            return node
        return self.add("take", [Source(node, self.zero)], len(index), {"index": index})

    def arrange(self, view: View) -> View:
        """Return an equal view whose channel factors walk row-major over exactly the channels of its node."""
        node = self.take(view.node, view.channel_index())
        counts = [f.count for f in view.factors if f.axis == CHANNEL]
        fresh = iter(contiguous(counts))
        dims = tuple(tuple(next(fresh) if f.axis == CHANNEL else f for f in dim) for dim in view.dims)
        return replace(view, node=node, dims=dims, channel=0)

    def padded(self, view: View, dim: int, before: int, after: int) -> View:
        """Surround dimension ``dim``, one run of channels, by zeros."""
        rest = [d for d in range(len(view.dims)) if d != dim]
        arranged = self.arrange(view.permuted([dim, *rest]))
        size = size_of(view.dims[dim])
        width = self.nodes[arranged.node].channels // size
        index = [-1] * (before * width) + list(range(size * width)) + [-1] * (after * width)
        grown = contiguous([before + size + after], width)
        result = replace(arranged, node=self.take(arranged.node, index), dims=(grown, *arranged.dims[1:]))
        return result.permuted([0 if d == dim else 1 + rest.index(d) for d in range(len(view.dims))])

    def restrict(self, view: View) -> View:
        """Return an equal view of a node without channels that the view does not use."""
        if len(set(view.channel_index())) == self.nodes[view.node].channels:
            return view
        return self.arrange(view)

    def gather(self, view: View, dims: Sequence[int]) -> View:
        """Return an equal view in which dimensions ``dims`` hold no positions: their taps have become channels."""
        chosen = [(d, i) for d in dims for i, f in enumerate(view.dims[d]) if f.is_position]
        if not chosen:
            return view
        factors = [view.dims[d][i] for d, i in chosen]
        taps = []
        for steps in product(*(range(f.count) for f in factors)):
            tap = [0] * self.axes
            for factor, step in zip(factors, steps, strict=True):
                tap[factor.axis] += factor.step * step
            taps.append(tap)
        width = self.nodes[view.node].channels
        node = self._single(view, "gather", width * len(taps), {"taps": taps})
        fresh = dict(zip(chosen, contiguous([f.count for f in factors], width), strict=True))
        gathered = tuple(
            tidy(fresh.get((d, i), factor) for i, factor in enumerate(dim)) for d, dim in enumerate(view.dims)
        )
        return replace(view, node=node, dims=gathered)

    def channelise(self, view: View, dim: int) -> View:
        """Return an equal view in which dimension ``dim`` is one run of channels."""
        if any(f.axis == BATCH for f in view.dims[dim]):
            raise Unviewable("the batch merged with other dimensions")
        view = self.gather(view, [dim])
        if len(view.dims[dim]) <= 1:
            return view
        last = view.permuted([*(d for d in range(len(view.dims)) if d != dim), dim])
        last = self.arrange(last)
        last = last.with_dims(last.dims)
        order = list(range(len(view.dims) - 1))
        order.insert(dim, len(view.dims) - 1)
        return last.permuted(order)

    # Arithmetic -------------------------------------------------------------------------------------------------

    def contract(
        self,
        view: View,
        keep: Sequence[Dim],
        group: Dim,
        total: Dim,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> tuple[View, Dim]:
        """Sum products with ``weight`` over the factors ``total``, separately per group and per factor of ``keep``.

        Parameters
        ----------
        view
            The map read; its own ``dims`` are not used.
        keep
            Dimensions that remain.
        group
            Channel factors with a weight of their own each.
        total
            Factors summed over: channels and taps, in the order of ``weight``'s last axis.
        weight
            ``(groups, outputs per group, size of total)``.
        bias
            ``(groups * outputs per group,)`` or None.

        Returns
        -------
        tuple
            A view with dimensions ``keep``, and the new dimension of ``groups * outputs per group`` channels.
        """
        if any(f.axis == BATCH for f in (*group, *total)):
            raise Unviewable("a sum over the batch")
        if any(f.is_position for f in group):
            raise Unviewable("weights that differ by position")
        view = replace(view, dims=(*keep, group, total))
        view, weight, total = self._forward_taps(view, total, weight)
        axes = [f.axis for f in total if f.is_position]
        if len(set(axes)) < len(axes):
            view = self.gather(replace(view, dims=(*view.dims[:-1], total)), [len(view.dims) - 1])
            total = view.dims[-1]
        keep, group = view.dims[: len(keep)], view.dims[len(keep)]

        groups, outputs = weight.shape[:2]
        split = weight.reshape(groups, outputs, *(f.count for f in total))
        inner = [i for i, f in enumerate(total) if f.axis == CHANNEL]
        spatial = [next((i for i, f in enumerate(total) if f.axis == axis), None) for axis in range(self.axes)]
        order = [*inner, *(i for i in spatial if i is not None)]
        split = split.permute(0, 1, *(i + 2 for i in order))
        kernel = [1 if i is None else total[i].count for i in spatial]
        step = [1 if i is None else total[i].step for i in spatial]
        width = prod(total[i].count for i in inner)
        split = split.reshape(groups * outputs, width, *kernel)

        outer = [f for dim in keep for f in dim if f.axis == CHANNEL]
        index = channel_index((*outer, *group, *(total[i] for i in inner)), view.channel)
        repeats = prod(f.count for f in outer)
        node = self.add(
            "conv",
            [Source(self.take(view.node, index), self.zero)],
            repeats * groups * outputs,
            {"groups": repeats * groups, "kernel": kernel, "step": step},
            {
                "weight": split.repeat(repeats, *[1] * (split.dim() - 1)).contiguous(),
                **({} if bias is None else {"bias": bias.repeat(repeats)}),
            },
            units=prod(f.count for dim in keep for f in dim if f.is_position),
        )
        fresh = iter(contiguous([f.count for f in outer], groups * outputs))
        dims = tuple(tuple(next(fresh) if f.axis == CHANNEL else f for f in dim) for dim in keep)
        return replace(view, node=node, dims=dims, channel=0), contiguous([groups * outputs])

    def _forward_taps(self, view: View, total: Dim, weight: torch.Tensor) -> tuple[View, torch.Tensor, Dim]:
        """Turn backward steps around together with their weights, and add up the weights of repeated elements."""
        split = weight.reshape(*weight.shape[:2], *(f.count for f in total))
        kept = []
        for place, factor in enumerate(total):
            if factor.step == 0:
                split = split.sum(place + 2, keepdim=True)
                continue
            if factor.step < 0:
                split = split.flip(place + 2)
                view = view.moved(factor, factor.count - 1)
                factor = replace(factor, step=-factor.step)
            kept.append(factor)
        return view, split.flatten(2) if total else split.reshape(*weight.shape[:2], 1), tuple(kept)

    def reduce(self, view: View, dims: Sequence[int], op: str, attrs: Mapping[str, Any] | None = None) -> View:
        """Reduce over whole dimensions with ``op`` (a name of `POOLS`) and drop them."""
        total = [f for d in dims for f in view.dims[d]]
        if any(f.axis == BATCH for f in total):
            raise Unviewable("a reduction over the batch")
        mixed = any(f.axis == CHANNEL for f in total) and any(f.is_position for f in total)
        repeated = any(f.step == 0 for f in total)
        axes = [f.axis for f in total if f.is_position]
        if (mixed and op in ("var", "std")) or repeated or len(set(axes)) < len(axes):
            view = self.gather(view, dims)
        view = self._pool(view, dims, op, attrs or {})
        return self._reduce_channels(view, dims, op, attrs or {})

    def _pool(self, view: View, dims: Sequence[int], op: str, attrs: Mapping[str, Any]) -> View:
        alone = op in ("var", "std") and not any(view.dims[d] for d in dims)  # one value, whose spread is not the value
        if not alone and not any(f.is_position for d in dims for f in view.dims[d]):
            return view
        view = self.restrict(view.forward_steps(dims))
        total = {f.axis: f for d in dims for f in view.dims[d] if f.is_position}
        kernel = [total[axis].count if axis in total else 1 for axis in range(self.axes)]
        step = [total[axis].step if axis in total else 1 for axis in range(self.axes)]
        width = self.nodes[view.node].channels
        node = self._single(view, "pool", width, {"op": op, "kernel": kernel, "step": step, **attrs})
        left = [tuple(f for f in dim if not f.is_position) if d in dims else dim for d, dim in enumerate(view.dims)]
        return replace(view, node=node, dims=tuple(left))

    def _reduce_channels(self, view: View, dims: Sequence[int], op: str, attrs: Mapping[str, Any]) -> View:
        rest = [d for d in range(len(view.dims)) if d not in dims]
        if any(view.dims[d] for d in dims):
            view, size, groups = self._runs(view, dims)
            node = self._single(view, "chan", groups, {"op": op, "size": size, **attrs})
            view = replace(view, node=node)
            dims_left = [
                tuple(replace(f, step=f.step // size) if f.axis == CHANNEL else f for f in dim) for dim in view.dims
            ]
            view = replace(view, dims=tuple(dims_left))
        return view.permuted(rest)

    def _runs(self, view: View, dims: Sequence[int]) -> tuple[View, int, int]:
        """Arrange channels so that dimensions ``dims`` are neighbouring runs; return the view, run size and count."""
        if any(f.axis == BATCH for d in dims for f in view.dims[d]):
            raise Unviewable("an operation over the batch")
        view = self.gather(view, dims)
        rest = [d for d in range(len(view.dims)) if d not in dims]
        arranged = self.arrange(view.permuted([*rest, *dims]))
        back = [[*rest, *dims].index(d) for d in range(len(view.dims))]
        size = prod(size_of(view.dims[d]) for d in dims)
        return arranged.permuted(back), size, self.nodes[arranged.node].channels // size

    def over_channels(self, view: View, dims: Sequence[int], op: str, attrs: Mapping[str, Any]) -> View:
        """Apply softmax or a normalisation over dimensions ``dims``, which must not hold several positions."""
        if any(f.is_position for d in dims for f in view.dims[d]):
            raise Unviewable("it combines all positions of a window, and the result differs from window to window")
        view, size, groups = self._runs(view, dims)
        return replace(view, node=self._single(view, "chan", size * groups, {"op": op, "size": size, **attrs}))

    def pointwise(self, view: View, op: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> View:
        """Apply a function of one element."""
        view = self.restrict(view)
        attrs = {"op": op, "args": list(args), "kwargs": dict(kwargs)}
        return replace(view, node=self._single(view, "unary", self.nodes[view.node].channels, attrs))

    def affine(self, view: View, scale: torch.Tensor, shift: torch.Tensor) -> View:
        """Return ``scale * view + shift`` with vectors over the channels of an arranged view, or of one element."""
        width = self.nodes[view.node].channels
        node = self._single(
            view, "affine", width, {}, scale=scale.expand(width).clone(), shift=shift.expand(width).clone()
        )
        return replace(view, node=node)

    def with_vector(self, view: View, op: str, vector: torch.Tensor, swap: bool, kwargs: Mapping[str, Any]) -> View:
        """Apply a function of a map and a vector over the channels of an arranged view."""
        width = self.nodes[view.node].channels
        attrs = {"op": op, "swap": swap, "kwargs": dict(kwargs)}
        return replace(view, node=self._single(view, "binary", width, attrs, operand=vector.expand(width).clone()))

    def combine(self, first: View, second: View, op: str, kwargs: Mapping[str, Any]) -> View:
        """Apply a function of two maps, broadcast as torch does."""
        first, second = self.align(first, second)
        if first.channel_index() != second.channel_index() or not self._same_channels(first, second):
            first, second = self.arrange(first), self.arrange(second)
        shift = tuple(b - a for a, b in zip(first.offset, second.offset, strict=True))
        sources = [Source(first.node, self.zero), Source(second.node, shift)]
        attrs = {"op": op, "swap": False, "kwargs": dict(kwargs)}
        return replace(first, node=self.add("binary", sources, self.nodes[first.node].channels, attrs))

    def _same_channels(self, first: View, second: View) -> bool:
        width = self.nodes[first.node].channels
        return width == self.nodes[second.node].channels and len(set(first.channel_index())) == width

    def align(self, first: View, second: View) -> tuple[View, View]:
        """Broadcast two views to one shape with the same factors; raise `Unviewable` when their positions differ."""
        rank = max(len(first.dims), len(second.dims))
        padded = [((),) * (rank - len(v.dims)) + v.dims for v in (first, second)]
        pairs = []
        for a, b in zip(*padded, strict=True):
            if size_of(a) != size_of(b):
                a = a or tuple(Factor(CHANNEL, f.count, 0) for f in b)
                b = b or tuple(Factor(CHANNEL, f.count, 0) for f in a)
            left, right = refine(a, b)
            for f, g in zip(left, right, strict=True):
                if f.axis != g.axis or (f.is_position and f.step != g.step):
                    raise Unviewable("it joins values that lie at different steps within the window")
            pairs.append((tuple(left), tuple(right)))
        return (
            replace(first, dims=tuple(a for a, _ in pairs)),
            replace(second, dims=tuple(b for _, b in pairs)),
        )

    def concat(self, views: Sequence[View], dim: int) -> View:
        """Join views along one dimension, whose positions become channels."""
        views = [self.gather(view, [dim]) for view in views]
        rest = [d for d in range(len(views[0].dims)) if d != dim]
        arranged, sizes = [], []
        for view in views:
            other = view.permuted([dim, *rest])
            reference = views[0].permuted([dim, *rest])
            body, against = self.align(replace(other, dims=other.dims[1:]), replace(reference, dims=reference.dims[1:]))
            for f, g in zip(body.factors, against.factors, strict=True):
                if f.axis != g.axis:
                    raise Unviewable("it joins channels with positions")
            arranged.append(self.arrange(replace(other, dims=(other.dims[0], *body.dims))))
            sizes.append(size_of(other.dims[0]))
        base = arranged[0]
        sources = [
            Source(view.node, tuple(b - a for a, b in zip(base.offset, view.offset, strict=True))) for view in arranged
        ]
        widths = [self.nodes[view.node].channels for view in arranged]
        node = self.add("concat", sources, sum(widths))
        joined = contiguous([sum(sizes)], widths[0] // sizes[0])
        result = replace(base, node=node, dims=(joined, *base.dims[1:]))
        order = list(range(1, len(base.dims)))
        order.insert(dim, 0)
        return result.permuted(order)
