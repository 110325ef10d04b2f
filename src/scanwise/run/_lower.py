"""From a program to the steps that the native engine knows: fewer kinds, larger pools taken apart, ReLU fused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import torch

from scanwise.kernels import operation_codes
from scanwise.program import Node, Program

from ._functions import binary_call, chan_call, unary_call

Taps = tuple[tuple[int, ...], ...]

# Pools of more taps than this are taken apart: by axis, and by doubling the width.
FEW_TAPS = 4
_IN_PLACE = frozenset({"affine", "unary", "vector", "binary", "chan"})


class NotNative(LookupError):
    """The native engine cannot run a program; the text says why."""


@dataclass(frozen=True)
class StepRead:
    """A map that a step reads: every combination of ``taps``, offsets in input samples per axis."""

    step: int
    taps: Taps


@dataclass(frozen=True)
class Step:
    """One map as the native engine computes it.

    Attributes
    ----------
    kind
        ``input conv fold spread affine unary binary vector copy chan``; see ``csrc/program.h``.
    channels
        Channels of the map.
    reads
        Earlier maps.
    op
        Name of the operation, of those that the engine lists for the kind.
    size
        Groups of a convolution; channels of a run of ``chan``.
    flag
        ``conv``: ReLU follows. ``vector``: the operand is the first argument. ``spread``: take the root. ``chan``: as
        many channels come out as went in.
    args
        Numbers of the operation.
    picks
        ``copy``: for each channel (read, channel, tap), or (-1, 0, 0) for zeros.
    params
        ``conv``: weight and bias; ``affine``: scale and shift; ``vector``: operand.
    in_place
        The values replace those of the first map read, which nothing else reads.
    """

    kind: str
    channels: int
    reads: tuple[StepRead, ...] = ()
    op: str = ""
    size: int = 1
    flag: bool = False
    args: tuple[float, ...] = ()
    picks: tuple[tuple[int, int, int], ...] = ()
    params: tuple[torch.Tensor, ...] = ()
    in_place: bool = False

    @property
    def macs(self) -> int:
        return self.params[0].numel() if self.kind == "conv" else 0


@dataclass(frozen=True)
class Lowered:
    """Steps in order of computation, and the step and shift of each output."""

    axes: int
    steps: tuple[Step, ...]
    outputs: tuple[tuple[int, tuple[int, ...]], ...]


def lower(program: Program) -> Lowered:
    """Return a program as steps of the native engine.

    Raises
    ------
    NotNative
        When it has more than two axes, another number type than float32 and float64, or an operation that the engine
        does not know.
    """
    if program.axes > 2:
        raise NotNative(f"it has {program.axes} axes, and the native engine has 1 or 2")
    if program.dtype not in ("float32", "float64") or any(o.dtype != program.dtype for o in program.outputs):
        raise NotNative(f"it computes in {program.dtype}, and the native engine in float32 or float64")
    lowering = _Lowering(program)
    steps, outputs = tuple(lowering.steps), tuple((lowering.place[o.node], o.shift) for o in program.outputs)
    known = operation_codes()
    for step in steps:
        if step.kind in known and step.op not in known[step.kind]:
            raise NotNative(f"the native engine has no {step.op}: it is of another version")
    return Lowered(program.axes, _in_place(steps, outputs), outputs)


class _Lowering:
    """Appends steps for one node after the other; ``place`` tells which step has a node's map."""

    def __init__(self, program: Program) -> None:
        self.axes = program.axes
        self.steps: list[Step] = []
        self.place: list[int] = []
        readers = Counter(source.node for node in program.nodes for source in node.inputs)
        readers.update(output.node for output in program.outputs)
        for node in program.nodes:
            before = node.inputs[0] if node.inputs else None
            if before and _is_relu(node) and readers[before.node] == 1 and not any(before.shift):
                step = self.place[before.node]
                if self.steps[step].kind == "conv":
                    self.steps[step] = replace(self.steps[step], flag=True)
                    self.place.append(step)
                    continue
            self.place.append(self._lowered(node))

    def _add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def _reads(self, node: Node) -> tuple[StepRead, ...]:
        return tuple(
            StepRead(self.place[source.node], tuple(tuple(node.taps(i, axis)) for axis in range(self.axes)))
            for i, source in enumerate(node.inputs)
        )

    def _lowered(self, node: Node) -> int:
        attrs, params, channels = node.attrs, node.params, node.channels
        if node.kind == "input":
            return self._add(Step("input", channels))
        if node.kind == "window":
            raise NotNative(f"sharing ends at {node.path or 'its top level'}, and torch runs the rest")
        reads = self._reads(node)
        if node.kind == "conv":
            bias = params.get("bias", params["weight"].new_zeros(channels))
            return self._add(Step("conv", channels, reads, size=attrs["groups"], params=(params["weight"], bias)))
        if node.kind == "pool":
            return self._pool(node, reads[0])
        if node.kind in ("concat", "take", "gather"):
            return self._add(Step("copy", channels, reads, picks=tuple(self._picks(node, reads))))
        if node.kind == "affine":
            return self._add(Step("affine", channels, reads, params=(params["scale"], params["shift"])))
        try:
            if node.kind == "chan":
                op, args, keeps = chan_call(attrs)
                return self._add(Step("chan", channels, reads, op, attrs["size"], keeps, args))
            if node.kind == "unary":
                op, args = unary_call(attrs["op"], attrs["args"], attrs["kwargs"])
                return self._add(Step("unary", channels, reads, op, args=args))
            op, args = binary_call(attrs["op"], attrs["kwargs"])
        except LookupError as error:
            raise NotNative(f"the native engine has no {error.args[0]}") from error
        if "operand" in params:
            return self._add(
                Step("vector", channels, reads, op, flag=attrs["swap"], args=args, params=(params["operand"],))
            )
        return self._add(Step("binary", channels, reads, op, args=args))

    def _picks(self, node: Node, reads: Sequence[StepRead]) -> list[tuple[int, int, int]]:
        """Where each channel of a concat, take or gather comes from."""
        widths = [self.steps[read.step].channels for read in reads]
        if node.kind == "concat":
            return [(i, channel, 0) for i, width in enumerate(widths) for channel in range(width)]
        if node.kind == "take":
            return [(0, c, 0) if c >= 0 else (-1, 0, 0) for c in node.attrs["index"]]
        order = {tap: place for place, tap in enumerate(product(*reads[0].taps))}
        shift = node.inputs[0].shift
        places = [order[tuple(s + t for s, t in zip(shift, tap, strict=True))] for tap in node.attrs["taps"]]
        return [(0, channel, place) for place in places for channel in range(widths[0])]

    # Pools ------------------------------------------------------------------------------------------------------

    def _pool(self, node: Node, read: StepRead) -> int:
        op, total = node.attrs["op"], prod(node.attrs["kernel"])
        fold = {"max": "max", "min": "min", "logsumexp": "logaddexp"}.get(op, "sum")
        result = self._fold(fold, node.channels, read)
        if op in ("mean", "var", "std"):
            here = StepRead(result, ((0,),) * self.axes)
            result = self._add(Step("unary", node.channels, (here,), "divide", args=(float(total),)))
        if op in ("var", "std"):
            reads = (read, StepRead(result, ((0,),) * self.axes))
            left = max(0, total - node.attrs.get("correction", 1))
            result = self._add(Step("spread", node.channels, reads, flag=op == "std", args=(float(left),)))
        return result

    def _fold(self, op: str, channels: int, read: StepRead) -> int:
        """Fold all taps; of large pools axis by axis, and along an axis in runs of doubled width."""
        if prod(map(len, read.taps)) <= FEW_TAPS:
            return self._add(Step("fold", channels, (read,), op))
        step = read.step
        for axis, taps in enumerate(read.taps):
            if len(taps) > 1 or taps != (0,):
                step = self._fold_axis(op, channels, step, axis, taps)
        return step

    def _fold_axis(self, op: str, channels: int, step: int, axis: int, taps: tuple[int, ...]) -> int:
        def at(step: int, *offsets: int) -> StepRead:
            return StepRead(step, tuple(offsets if a == axis else (0,) for a in range(self.axes)))

        if len(taps) <= FEW_TAPS:
            return self._add(Step("fold", channels, (at(step, *taps),), op))
        stride, width, done, parts = taps[1] - taps[0], 1, 0, []
        while True:
            if len(taps) & width:  # this power of two is part of the number of taps
                parts.append(at(step, taps[0] + done * stride))
                done += width
            if done == len(taps):
                break
            step = self._add(Step("fold", channels, (at(step, 0, width * stride),), op))
            width *= 2
        return self._add(Step("fold", channels, tuple(parts), op))


def _is_relu(node: Node) -> bool:
    return node.kind == "unary" and node.attrs["op"] == "relu"


def _in_place(steps: Sequence[Step], outputs: Sequence[tuple[int, tuple[int, ...]]]) -> tuple[Step, ...]:
    """Mark steps that may overwrite the map they read, because nothing else reads it."""
    readers = Counter(read.step for step in steps for read in step.reads)
    readers.update(step for step, _ in outputs)

    def may(step: Step) -> bool:
        if step.kind not in _IN_PLACE:
            return False
        first = step.reads[0]
        same = steps[first.step].channels == step.channels
        return same and readers[first.step] == 1 and all(taps == (0,) for taps in first.taps)

    return tuple(replace(step, in_place=may(step)) for step in steps)
