"""The table of rules, and what rules share: one rule rewrites one ATen operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch

from ._builder import Builder
from ._views import BATCH, CHANNEL, Dim, Factor, Unviewable, View, contiguous, size_of, unfold

RULES: dict[str, Callable[..., Any]] = {}
Function = TypeVar("Function", bound=Callable[..., Any])


def rule(names: str) -> Callable[[Function], Function]:
    """Register a function as the rule of the named ATen operators."""

    def register(function: Function) -> Function:
        for name in names.split():
            RULES[name] = function
        return function

    return register


@dataclass
class Rules:
    """What a rule may use: the builder, whether padding is extended, and the number type of the network.

    ``note`` collects the geometry of the operator at hand, for the table of layers.
    """

    build: Builder
    extend: bool
    dtype: torch.dtype
    note: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def reshaped(self, x: View, shape: Sequence[int]) -> View:
        """Reshape; where factors cannot be split, the positions after the batch become channels first."""
        try:
            return x.reshaped(shape)
        except Unviewable:
            if [f.axis for f in x.dims[0]] != [BATCH] or size_of(x.dims[0]) != shape[0]:
                raise
            flat = self.build.arrange(self.build.gather(x, range(1, len(x.dims))))
            body = contiguous([size_of(f for dim in flat.dims[1:] for f in dim)])
            return flat.with_dims((flat.dims[0], body)).reshaped(shape)

    def sliced(self, x: View, dim: int, start: int, stop: int, step: int) -> View:
        """Slice; a dimension of merged factors becomes channels first."""
        try:
            return x.sliced(dim, start, stop, step)
        except Unviewable:
            return self.build.channelise(x, dim).sliced(dim, start, stop, step)

    def extended(self, x: View, dim: int, before: int, after: int, *, zeros: bool) -> View:
        """Return the view grown along ``dim``, where the window network sees padding.

        A dimension of channels gets channels of zeros, if padding means ``zeros``. Along a scanned axis the neighbours
        take the place of the padding, and only when that is asked for.
        """
        if not before and not after:
            return x
        factors = x.dims[dim]
        if zeros and not any(f.is_position for f in factors):
            return self.build.padded(self.build.channelise(x, dim), dim, before, after)
        if not self.extend:
            raise Unviewable("it pads inside the window, so the border of a window is not that of its neighbour")
        if len(factors) != 1 or not factors[0].is_position:
            raise Unviewable("it pads an axis that is not scanned")
        factor = factors[0]
        grown = Factor(factor.axis, factor.count + before + after, factor.step)
        return x.moved(factor, -before).with_dims((*x.dims[:dim], (grown,), *x.dims[dim + 1 :]))

    def slide(
        self,
        x: View,
        dims: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        padding: Sequence[tuple[int, int]],
        *,
        zeros: bool = False,
    ) -> tuple[View, list[Dim], list[Dim]]:
        """Slide a kernel along ``dims``; return the view and, per dimension, the factors of outputs and of taps."""
        self.note.update(kernel=tuple(kernel), stride=tuple(stride), dilation=tuple(dilation))
        self.note.update(padding=tuple(before for before, _ in padding))
        settings = list(zip(dims, kernel, stride, dilation, padding, strict=True))
        for dim, k, s, d, (before, after) in settings:
            x = self.extended(x, dim, before, after, zeros=zeros)
            try:
                unfold(x.dims[dim], k, s, d)
            except Unviewable:
                x = self.build.channelise(x, dim)
        pairs = [unfold(x.dims[dim], k, s, d) for dim, k, s, d, _ in settings]
        jump = list(x.jump)
        for (outputs, taps), (_, k, s, d, _) in zip(pairs, settings, strict=True):
            for f in outputs:
                if f.is_position:
                    jump[f.axis] = abs(f.step)
            if not outputs and s > 1 and k > 1 and len(taps) == 1 and taps[0].is_position:
                jump[taps[0].axis] = abs(taps[0].step) // d * s
        return replace(x, jump=tuple(jump)), [o for o, _ in pairs], [t for _, t in pairs]

    def vector(self, x: View, value: torch.Tensor) -> tuple[View, torch.Tensor]:
        """Return the view with arranged channels, broadcast against ``value``, and ``value`` as one number a channel.

        Raises `Unviewable` when ``value`` differs between positions of the window.
        """
        value = value.to(torch.promote_types(value.dtype, self.dtype))
        if value.numel() == 1:
            return self.build.restrict(x), value.reshape(1)
        shape = torch.Size(torch.broadcast_shapes(x.shape, value.shape))  # type: ignore[no-untyped-call]
        if shape != x.shape:
            padded = ((),) * (len(shape) - len(x.dims)) + x.dims
            x = x.with_dims(
                dim if size_of(dim) == size else (Factor(CHANNEL, size, 0),)
                for dim, size in zip(padded, shape, strict=True)
            )
        x = self.build.arrange(x)
        factors = x.factors
        value = value.expand(shape).reshape([f.count for f in factors])
        for place, factor in reversed(list(enumerate(factors))):
            if factor.axis != CHANNEL:
                first = value.select(place, 0)
                if not torch.equal(value, first.unsqueeze(place).expand_as(value)):
                    raise Unviewable("it has a value of its own for each position of the window")
                value = first
        return x, value.reshape(-1)
