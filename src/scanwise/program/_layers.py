"""Receptive field, size and cost of every layer of any torch module, from its graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from scanwise.geometry import Field

from . import _layout_ops
from ._nodes import Program
from ._rewrite import Step, Walk, walk
from ._rules import RULES
from ._views import View


@dataclass(frozen=True)
class Layer:
    """One layer of a window network.

    Attributes
    ----------
    path, op
        Module path (``""`` for an operation at the top level) and ATen operation.
    shape
        Shape of its output in one window, without the batch.
    fields
        Receptive field of its units per axis; None where sharing has ended, so that a unit may see the whole window.
    kernel, stride, dilation, padding
        Per axis of the operation; empty where it has none.
    parameters
        Numbers in its own parameters.
    macs
        Multiply-accumulates in one window; additions of biases are not counted.
    """

    path: str
    op: str
    shape: tuple[int, ...]
    fields: tuple[Field, ...] | None
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    parameters: int
    macs: int

    @property
    def name(self) -> str:
        return self.path or f"({self.op})"


@dataclass(frozen=True)
class LayerTable(Sequence[Layer]):
    """The layers of a window network, in the order they run; prints as a table."""

    layers: tuple[Layer, ...]

    def __getitem__(self, index: int | slice) -> Layer | tuple[Layer, ...]:  # type: ignore[override]
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __str__(self) -> str:
        head = ("layer", "operation", "output", "receptive field", "jump", "start", "parameters", "MACs")
        rows = [head, *(_cells(layer) for layer in self.layers)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def _cells(layer: Layer) -> tuple[str, ...]:
    if layer.fields is None:
        geometry = ("whole window at most", "-", "-")
    else:
        geometry = (
            _by("x", [f.size for f in layer.fields]),
            _by("x", [f.jump for f in layer.fields]),
            _by(",", [f.start for f in layer.fields]),
        )
    return (
        layer.path or "-",
        layer.op,
        _by("x", layer.shape),
        *geometry,
        f"{layer.parameters:,}",
        f"{layer.macs:,}",
    )


def _by(sign: str, values: Sequence[int]) -> str:
    return sign.join(map(str, values))


def receptive_field(module: torch.nn.Module, window_shape: Sequence[int]) -> LayerTable:
    """Compute the receptive field of every layer of a torch module.

    Padding is allowed: a field that begins before 0 or ends behind the window reaches into the padding.

    Parameters
    ----------
    module
        Any torch module in eval mode that `torch.export` can trace, on input ``(batch, channels, *window)``.
    window_shape
        ``(channels, *window)``.

    Returns
    -------
    LayerTable
        One row per layer, with the field's size, jump and start in input samples per axis [1]_.

    Raises
    ------
    NotScannable
        When the module cannot be traced; see `rewrite`.

    References
    ----------
    .. [1] A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 5, stride=2), torch.nn.ReLU(), torch.nn.MaxPool1d(2)).eval()
    >>> [layer.fields[0] for layer in receptive_field(net, (1, 32))]
    [Field(size=5, jump=2, start=0), Field(size=5, jump=2, start=0), Field(size=7, jump=4, start=0)]
    """
    return layer_table(module, walk(module, window_shape, "extend"))


def layer_table(module: torch.nn.Module, state: Walk) -> LayerTable:
    """Return the table of a rewriting."""
    program = Program((1,) * (state.build.axes + 1), "", tuple(state.build.nodes), (), None, (), ())
    fields = program.fields()
    leaves = {path: part for path, part in module.named_modules() if not list(part.children())}
    layers = []
    for steps in _calls(state.steps, set(leaves)):
        last = steps[-1]
        if last.path not in leaves and _moves_only(last.op):
            continue
        note = {key: value for step in steps for key, value in step.note.items()}
        nodes = program.nodes[steps[0].first_node : last.last_node]
        part = leaves.get(last.path)
        layers.append(
            Layer(
                path=last.path if part is not None else "",
                op=last.op if part is None else type(part).__name__,
                shape=last.shape,
                fields=_fields(last.value, fields),
                kernel=note.get("kernel", ()),
                stride=note.get("stride", ()),
                dilation=note.get("dilation", ()),
                padding=note.get("padding", ()),
                parameters=sum(p.numel() for p in part.parameters()) if part is not None else 0,
                macs=sum(node.macs * node.units for node in nodes),
            )
        )
    return LayerTable(tuple(layers))


def _calls(steps: Sequence[Step], leaves: set[str]) -> Iterator[list[Step]]:
    """Group neighbouring operations of one leaf module."""
    group: list[Step] = []
    for step in steps:
        if group and (step.path != group[-1].path or step.path not in leaves):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def _moves_only(op: str) -> bool:
    rule = RULES.get(op)
    return op == "getitem" or (rule is not None and rule.__module__ == _layout_ops.__name__)


def _fields(value: object, fields: Sequence[tuple[Field, ...]]) -> tuple[Field, ...] | None:
    if isinstance(value, tuple):
        value = value[0]
    if not isinstance(value, View):
        return None
    own = fields[value.node]
    return tuple(
        Field(own[axis].size, value.jump[axis], value.offset[axis] + own[axis].start) for axis in range(len(own))
    )
