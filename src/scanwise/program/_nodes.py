"""The program: a window network as a graph of dense maps, plain data that any backend can run.

A node's value is a *dense map*: its channels at every position of the input. Shifts and tap steps are counted in input
samples, so strides and jumps of the window network have vanished. With ``in`` the map of an input, read at ``p +
shift``, a node's map at position ``p`` is:

============ ====================================================================================================
``input``    the signal or image itself
``conv``     ``bias[o] + sum(weight[o, c, k] * in[c, p + k * step])`` in ``groups``
``pool``     ``max``, ``min``, ``sum``, ``mean``, ``var``, ``std`` or ``logsumexp`` over ``in[c, p + k * step]``
``affine``   ``scale[c] * in[c, p] + shift[c]``
``unary``    a pointwise function of ``in[c, p]``
``binary``   a pointwise function of two maps, or of one map and a vector over its channels
``concat``   the channels of all inputs, one after the other
``take``     chosen channels, in any order, repeats allowed; -1 is a channel of zeros
``gather``   the values at several taps as channels: channel ``t * C + c`` is ``in[c, p + taps[t]]``
``chan``     softmax, normalisation or reduction over runs of ``size`` neighbouring channels
``window``   what cannot be shared: ATen operations run on the gathered taps of each window (see `Residue`)
============ ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from scanwise.geometry import Field

KINDS = frozenset({"input", "conv", "pool", "affine", "unary", "binary", "concat", "take", "gather", "chan", "window"})
UNARY = frozenset(
    {
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "sigmoid",
        "tanh",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "relu6",
        "softplus",
        "log_sigmoid",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "rsqrt",
        "abs",
        "neg",
        "sign",
        "floor",
        "ceil",
        "round",
        "trunc",
        "frac",
        "reciprocal",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "erf",
        "erfc",
        "square",
        "clamp",
        "clamp_min",
        "clamp_max",
        "threshold",
        "hardshrink",
        "softshrink",
        "logit",
        "nan_to_num",
        "pow",
    }
)
BINARY = frozenset({"add", "sub", "mul", "div", "maximum", "minimum", "fmax", "fmin", "pow", "atan2", "prelu", "hypot"})
POOLS = frozenset({"max", "min", "sum", "mean", "var", "std", "logsumexp"})


@dataclass(frozen=True)
class Source:
    """An input of a node: the map of node ``node``, read ``shift`` input samples further along each axis."""

    node: int
    shift: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One dense map and how it is computed from others; see the module's table.

    Attributes
    ----------
    kind
        One of `KINDS`.
    inputs
        Maps read, all with a smaller index than this node.
    channels
        Channels of the map.
    attrs
        Settings of the kind, JSON values: ``step`` and ``kernel`` per axis, ``groups``, ``op`` and so on.
    params
        Tensors by name: ``weight``, ``bias``, ``scale``, ``shift``, ``operand``.
    path
        Module path of the layer it stems from, for messages.
    units
        Positions of this map that one window on its own computes; 0 when not counted.
    """

    kind: str
    inputs: tuple[Source, ...]
    channels: int
    attrs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, torch.Tensor] = field(default_factory=dict)
    path: str = ""
    units: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates at one position; convolutions, linear layers and what they became. Biases are free."""
        if self.kind == "conv":
            return self.params["weight"].numel()
        return int(self.attrs.get("macs", 0))

    def taps(self, which: int, axis: int) -> range | tuple[int, ...]:
        """Return the positions read from input ``which`` along ``axis``, relative to the node's own position."""
        shift = self.inputs[which].shift[axis]
        if self.kind in ("conv", "pool"):
            kernel, step = self.attrs["kernel"][axis], self.attrs["step"][axis]
            return range(shift, shift + kernel * step, step)
        if self.kind == "gather":
            return tuple(sorted({shift + tap[axis] for tap in self.attrs["taps"]}))
        if self.kind == "window":
            return tuple(shift + p for p in self.attrs["residue"].views[which].reach(axis))
        return range(shift, shift + 1)


@dataclass(frozen=True)
class Output:
    """One tensor that the network returns: ``prod(shape)`` channels of a node, row-major, at the window's start.

    ``dtype`` is the name of its number type, such as ``"float32"``.
    """

    node: int
    shift: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class End:
    """Where sharing ends: the layer, the operation and why."""

    path: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path or '(top level)'} ({self.op}): {self.reason}"


@dataclass(frozen=True)
class Program:
    """A window network rewritten for scanning.

    Attributes
    ----------
    window_shape
        ``(channels, *window)`` of one window.
    dtype
        Name of the number type it computes in, that of the network's parameters, such as ``"float32"``.
    nodes
        In an order in which every node follows its inputs; node 0 is the input.
    outputs
        What the network returns, flattened.
    structure
        How the outputs are packed: ``None`` for one tensor, ``"tuple"``, or a list of dictionary keys.
    ends
        Where sharing ends; empty for a network that is shared throughout.
    jump
        Distance of neighbouring units of the last layer, per axis, in input samples.
    padding
        ``"exact"`` or ``"extend"``.
    """

    window_shape: tuple[int, ...]
    dtype: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    structure: str | list[str] | None
    ends: tuple[End, ...]
    jump: tuple[int, ...]
    padding: str = "exact"

    @property
    def window(self) -> tuple[int, ...]:
        return self.window_shape[1:]

    @property
    def axes(self) -> int:
        return len(self.window)

    def tensors(self) -> Iterator[torch.Tensor]:
        for node in self.nodes:
            yield from node.params.values()

    def reach(self) -> tuple[tuple[int, int], ...]:
        """Return, per axis, the half-open interval of input positions that output 0 depends on.

        It lies inside ``[0, window)`` unless padding is extended.
        """
        fields = self.fields()
        spans = []
        for axis in range(self.axes):
            per_output = [fields[o.node][axis].interval(o.shift[axis]) for o in self.outputs]
            spans.append((min(a for a, _ in per_output), max(b for _, b in per_output)))
        return tuple(spans)

    def extent(self) -> tuple[int, ...]:
        """Return the input samples per axis that one output may read: the window, more when padding is extended."""
        return tuple(max(b, w) - min(a, 0) for (a, b), w in zip(self.reach(), self.window, strict=True))

    def fields(self) -> list[tuple[Field, ...]]:
        """Return each node's receptive field per axis: its extent, with jump 1, relative to its own position."""
        fields: list[tuple[Field, ...]] = []
        for node in self.nodes:
            if not node.inputs:
                fields.append((Field.identity(),) * self.axes)
                continue
            per_axis = []
            for axis in range(self.axes):
                reads = [
                    (min(t := node.taps(i, axis)), max(t), fields[s.node][axis]) for i, s in enumerate(node.inputs)
                ]
                start = min(first + f.start for first, _, f in reads)
                stop = max(last + f.start + f.size for _, last, f in reads)
                per_axis.append(Field(stop - start, 1, start))
            fields.append(tuple(per_axis))
        return fields

    def window_macs(self) -> int:
        """Return the multiply-accumulates of the window network on one window, computed on its own."""
        return sum(node.macs * node.units for node in self.nodes)
