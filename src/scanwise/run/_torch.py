"""The torch backend: evaluates a program on one tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod

import torch

from scanwise.errors import ModelError
from scanwise.plan import Plan
from scanwise.program import BATCH, BINARY, CHANNEL, UNARY, Node, Program, View

from ._reads import Positions, Read, pick

_CONVOLUTIONS = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
_DOUBLING = 4  # sums over more taps than this, at stride 1, double their width instead of adding taps


class TileEvaluator:
    """Evaluates a program on tiles of one size; which values are read where is worked out once.

    Parameters
    ----------
    program, plan
        What to compute, and where. Parameters are on the device; those of convolutions may be images of one row.
    counts
        Outputs per axis.
    max_values
        Numbers to hold at a time while windows are cut out for a residue.
    device
        Where tiles will be.
    """

    def __init__(
        self, program: Program, plan: Plan, counts: Sequence[int], max_values: int, device: torch.device
    ) -> None:
        self.axes = program.axes
        self.outputs = program.outputs
        dtype: torch.dtype = getattr(torch, program.dtype)
        places: list[list[Positions]] = [list(plan.positions(i, counts)) for i in range(len(program.nodes))]
        out = [range(0, count * hop, hop) for count, hop in zip(counts, plan.hop, strict=True)]
        with device:  # tables of indices are made where they are used, instead of being sent there for every tile
            self.steps = [_step(node, i, places, dtype, max_values) for i, node in enumerate(program.nodes)]
            self.picks = [
                [pick(places[o.node][axis], _moved(out[axis], o.shift[axis])) for axis in range(self.axes)]
                for o in program.outputs
            ]
        self.last = {source: i for i, node in enumerate(program.nodes) for source in (s.node for s in node.inputs)}
        self.last.update({o.node: len(program.nodes) for o in program.outputs})
        self.reads = [[s.node for s in node.inputs] for node in program.nodes]

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return ``(batch, channels, *counts)`` per output, for input ``(batch, channels, *tile with its halo)``."""
        maps: dict[int, torch.Tensor] = {0: x}
        for i, step in enumerate(self.steps):
            if i:
                maps[i] = step([maps[source] for source in self.reads[i]])
            for source in [source for source in maps if self.last.get(source, -1) <= i]:
                del maps[source]
        return [_picked(maps[output.node], picks) for output, picks in zip(self.outputs, self.picks, strict=True)]


Step = Callable[[list[torch.Tensor]], torch.Tensor]


def _picked(x: torch.Tensor, picks: Sequence[slice | torch.Tensor]) -> torch.Tensor:
    for axis, index in enumerate(picks):
        if isinstance(index, torch.Tensor):
            x = x.index_select(axis + 2, index)
        elif index != slice(0, x.shape[axis + 2], 1):
            x = x[(slice(None),) * (axis + 2) + (index,)]
    return x


def _step(node: Node, place: int, places: list[list[Positions]], dtype: torch.dtype, max_values: int) -> Step:
    """Bind a node to the positions it is computed at; ``dtype`` is the network's own number type."""
    mine = places[place]
    axes = len(mine)
    if node.kind in ("conv", "pool"):
        source = node.inputs[0]
        reads = [Read.of(places[source.node][a], mine[a], node.taps(0, a)) for a in range(axes)]
        return _conv(node, reads, axes) if node.kind == "conv" else _pool(node, reads, [len(m) for m in mine])
    if node.kind == "window":
        return _window(node, [places[s.node] for s in node.inputs], mine, dtype, max_values)
    if node.kind == "gather":
        (source,) = node.inputs
        taps = [
            [pick(places[source.node][a], _moved(mine[a], source.shift[a] + tap[a])) for a in range(axes)]
            for tap in node.attrs["taps"]
        ]
        return lambda maps: torch.cat([_picked(maps[0], picks) for picks in taps], 1)
    picks = [[pick(places[s.node][a], _moved(mine[a], s.shift[a])) for a in range(axes)] for s in node.inputs]
    compute = _POINT.get(node.kind)
    if compute is None:
        return lambda maps: maps[0]
    bound = compute(node, axes)
    return lambda maps: bound([_picked(x, p) for x, p in zip(maps, picks, strict=True)])


def _moved(positions: Positions, shift: int) -> Positions:
    if isinstance(positions, range):
        return range(positions.start + shift, positions.stop + shift, positions.step)
    return [position + shift for position in positions]


def _conv(node: Node, reads: Sequence[Read], axes: int) -> Step:
    weight, bias, groups = node.params["weight"], node.params.get("bias"), node.attrs["groups"]
    row = [1] * (weight.dim() - 2 - axes)  # where a signal is convolved as an image of one row
    convolve = _CONVOLUTIONS[axes + len(row)]
    stride, dilation = [*row, *(r.stride for r in reads)], [*row, *(r.dilation for r in reads)]

    def run(maps: list[torch.Tensor]) -> torch.Tensor:
        x = maps[0]
        for axis, read in enumerate(reads):
            x = read.apply(x, axis + 2)
        if row:
            x = x.unsqueeze(2)
        y = convolve(x, weight.to(x), None if bias is None else bias.to(x), stride, 0, dilation, groups)
        return y.squeeze(2) if row else y

    return run


def _pool(node: Node, reads: Sequence[Read], counts: Sequence[int]) -> Step:
    op, kernel = node.attrs["op"], node.attrs["kernel"]
    correction = node.attrs.get("correction", 1)

    def taps(x: torch.Tensor, axis: int) -> list[torch.Tensor]:
        read = reads[axis]
        span = (counts[axis] - 1) * read.stride + 1
        cut = (slice(None),) * (axis + 2)
        return [x[(*cut, slice(t * read.dilation, t * read.dilation + span, read.stride))] for t in range(kernel[axis])]

    def fold(x: torch.Tensor, combine: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        for axis, read in enumerate(reads):
            if kernel[axis] > _DOUBLING and read.stride == 1:
                x = _doubled(x, combine, kernel[axis], read.dilation, axis + 2)
            else:
                x = reduce(combine, taps(x, axis))
        return x

    def spread(x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        pieces = [x]
        for axis in range(len(reads)):
            pieces = [tap for piece in pieces for tap in taps(piece, axis)]
        squares = torch.zeros_like(mean)
        for piece in pieces:
            squares += (piece - mean).square()
        return squares

    def run(maps: list[torch.Tensor]) -> torch.Tensor:
        x = maps[0]
        for axis, read in enumerate(reads):
            x = read.apply(x, axis + 2)
        total = prod(kernel)
        if op in _FOLDS:
            return fold(x, _FOLDS[op])
        mean: torch.Tensor = fold(x, _FOLDS["sum"]) / total
        if op == "mean":
            return mean
        variance: torch.Tensor = spread(x, mean) / max(0, total - correction)
        return variance.sqrt() if op == "std" else variance

    return run


_FOLDS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "max": torch.maximum,
    "min": torch.minimum,
    "sum": torch.Tensor.add,
    "logsumexp": torch.logaddexp,
}


def _doubled(
    x: torch.Tensor,
    combine: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    kernel: int,
    step: int,
    axis: int,
) -> torch.Tensor:
    """Fold ``kernel`` taps at every position with about ``2 log2(kernel)`` operations, the same tree everywhere."""
    size = x.shape[axis] - (kernel - 1) * step
    result, done, width = None, 0, 1
    while True:
        if kernel & width:
            part = x.narrow(axis, done * step, size)
            result = part if result is None else combine(result, part)
            done += width
        if done == kernel:
            assert result is not None
            return result
        length = x.shape[axis] - width * step
        x = combine(x.narrow(axis, 0, length), x.narrow(axis, width * step, length))
        width *= 2


def _per_channel(vector: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return vector.to(x).reshape(1, -1, *[1] * (x.dim() - 2))


def _affine(node: Node, axes: int) -> Step:
    scale, shift = node.params["scale"], node.params["shift"]
    return lambda maps: torch.addcmul(_per_channel(shift, maps[0]), maps[0], _per_channel(scale, maps[0]))


def _unary(node: Node, axes: int) -> Step:
    function, args, kwargs = _named(node.attrs["op"]), node.attrs["args"], node.attrs["kwargs"]
    return lambda maps: function(maps[0], *args, **kwargs)


def _binary(node: Node, axes: int) -> Step:
    function, kwargs, operand = _named(node.attrs["op"]), node.attrs["kwargs"], node.params.get("operand")
    if operand is None:
        return lambda maps: function(maps[0], maps[1], **kwargs)
    if node.attrs["op"] == "prelu":
        return lambda maps: function(maps[0], operand.to(maps[0]))
    if node.attrs["swap"]:
        return lambda maps: function(_per_channel(operand, maps[0]), maps[0], **kwargs)
    return lambda maps: function(maps[0], _per_channel(operand, maps[0]), **kwargs)


def _named(op: str) -> Callable[..., torch.Tensor]:
    """Return a pointwise ATen function; only the names that programs may hold are found."""
    if op not in UNARY and op not in BINARY:
        raise ModelError(f"program must use known pointwise functions; got {op!r}. The file is damaged or not ours.")
    return getattr(torch.ops.aten, op)  # type: ignore[no-any-return]


def _take(node: Node, axes: int) -> Step:
    index = node.attrs["index"]
    if index[0] >= 0 and index == list(range(index[0], index[0] + len(index))):
        return lambda maps: maps[0].narrow(1, index[0], len(index))
    chosen = torch.tensor([max(0, i) for i in index])
    blank = torch.tensor([place for place, i in enumerate(index) if i < 0], dtype=torch.int64)
    if not len(blank):
        return lambda maps: maps[0].index_select(1, chosen)
    return lambda maps: maps[0].index_select(1, chosen).index_fill(1, blank, 0)


def _chan(node: Node, axes: int) -> Step:
    op, size = node.attrs["op"], node.attrs["size"]
    eps, correction = node.attrs.get("eps", 0.0), node.attrs.get("correction", 1)

    def run(maps: list[torch.Tensor]) -> torch.Tensor:
        x = maps[0].reshape(len(maps[0]), -1, size, *maps[0].shape[2:])
        if op == "norm":
            variance, mean = torch.var_mean(x, 2, correction=0, keepdim=True)
            return ((x - mean) * torch.rsqrt(variance + eps)).flatten(1, 2)
        if op in ("softmax", "log_softmax"):
            return (torch.softmax(x, 2) if op == "softmax" else torch.log_softmax(x, 2)).flatten(1, 2)
        if op in ("var", "std"):
            variance = torch.var(x, 2, correction=correction)
            return variance.sqrt() if op == "std" else variance
        return _REDUCTIONS[op](x, 2)

    return run


_REDUCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "max": torch.amax,
    "min": torch.amin,
    "sum": torch.sum,
    "mean": torch.mean,
    "logsumexp": torch.logsumexp,
}
_POINT: dict[str, Callable[[Node, int], Step]] = {
    "affine": _affine,
    "unary": _unary,
    "binary": _binary,
    "take": _take,
    "chan": _chan,
    "concat": lambda node, axes: lambda maps: torch.cat(maps, 1),
}


def _window(
    node: Node, held: list[list[Positions]], mine: list[Positions], dtype: torch.dtype, max_values: int
) -> Step:
    """Cut each view of each window out of its map and run the residue on batches of windows, in the network's type."""
    residue = node.attrs["residue"]
    group = max(1, min(1024, max_values // residue.values))
    tables = [torch.tensor(list(positions)) for positions in mine]
    counts = tuple(map(len, mine))
    total = prod(counts)
    cuts = [
        _cut(view, source.shift, places) for view, source, places in zip(residue.views, node.inputs, held, strict=True)
    ]

    def run(maps: list[torch.Tensor]) -> torch.Tensor:
        device = maps[0].device
        params = {name: tensor.to(device) for name, tensor in node.params.items()}
        rows = []
        for item in range(len(maps[0])):
            for first in range(0, total, group):
                count = min(group, total - first)
                number = torch.arange(first, first + count, device=device)
                places = [number // prod(counts[axis + 1 :]) % n for axis, n in enumerate(counts)]
                starts = [table[place] for table, place in zip(tables, places, strict=True)]
                tensors = [cut(x[item], starts).to(dtype) for cut, x in zip(cuts, maps, strict=True)]
                rows.append(torch.cat([out.reshape(count, -1) for out in residue.run(tensors, params, count)], 1))
        flat = torch.cat(rows).reshape(len(maps[0]), *counts, -1)
        return flat.movedim(-1, 1)

    return run


def _cut(view: View, shift: Sequence[int], held: Sequence[Positions]) -> Callable[..., torch.Tensor]:
    """Return the function that cuts ``view`` out of a map ``(channels, *held)`` for windows at given starts."""
    factors = [f for f in view.factors if f.axis != BATCH]
    rank = len(factors)

    def along(axis: int, start: int) -> torch.Tensor:
        index = torch.tensor(start)
        for place, factor in enumerate(factors):
            if factor.axis == axis:
                steps = torch.arange(factor.count) * factor.step
                index = index + steps.reshape([-1 if i == place else 1 for i in range(rank)])
        return index

    channel = along(CHANNEL, view.channel)
    inside = [along(axis, view.offset[axis] + shift[axis]) for axis in range(len(held))]
    tables = [torch.tensor(list(places)) for places in held]
    # The batch goes where the view has it: count the factors before it.
    before = [f.axis for f in view.factors].index(BATCH)

    def cut(x: torch.Tensor, starts: Sequence[torch.Tensor]) -> torch.Tensor:
        index = [channel.unsqueeze(0)]
        for start, offsets, table in zip(starts, inside, tables, strict=True):
            positions = start.reshape(-1, *[1] * rank) + offsets
            index.append(torch.searchsorted(table, positions.contiguous()))
        values = x[tuple(index)]
        count = len(starts[0])
        values = values.expand(count, *(f.count for f in factors)).movedim(0, before)
        return values.reshape([prod(count if f.axis == BATCH else f.count for f in dim) for dim in view.dims])

    return cut
