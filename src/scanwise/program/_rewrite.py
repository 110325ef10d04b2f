"""The rewriting: walk the window network's graph once and translate every operator by its rule.

Where a rule cannot keep the sharing, the operator and all that follows from it are collected as they are and run
window by window (`_residue`); everything before stays shared.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch

from scanwise.errors import ArgumentError

from . import _layer_ops, _layout_ops, _pointwise_ops  # noqa: F401  (importing them fills RULES)
from ._builder import Builder
from ._capture import BATCH_SIZE, OTHER_BATCH_SIZE, Captured, capture
from ._nodes import End, Output, Program, Source
from ._refuse import path_of
from ._residue import residue_of
from ._rules import RULES, Rules
from ._simplify import simplified
from ._trace import trace
from ._views import BATCH, Unviewable, View

LOCAL = object()  # the value of a graph node that is computed window by window
PLACES = object()  # where maxima lie: no map, and sharing ends where somebody asks for it


@dataclass
class Step:
    """One operator of the window network and what it became, for the table of layers."""

    path: str
    op: str
    value: Any
    shape: tuple[int, ...]
    note: dict[str, tuple[int, ...]]
    first_node: int
    last_node: int


@dataclass
class Walk:
    """The state of one rewriting."""

    captured: Captured
    build: Builder
    rules: Rules
    values: dict[str, Any] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def run(self) -> None:
        for node in self.captured.graph.nodes:
            if node.op == "placeholder":
                is_input = node.name == self.captured.input
                self.values[node.name] = self.build.start if is_input else self.captured.tensors.get(node.name)
            elif node.op == "call_function":
                first = len(self.build.nodes)
                self.rules.note = {}
                self.build.path = path_of(node)
                value = self.values[node.name] = self._call(node)
                if not isinstance(value, torch.Tensor):
                    made = (first, len(self.build.nodes))
                    self.steps.append(Step(path_of(node), name_of(node), value, _shape(node), self.rules.note, *made))

    def _call(self, node: torch.fx.Node) -> Any:
        inputs = [self.values[n.name] for n in node.all_input_nodes]
        if node.target is operator.getitem:
            value = inputs[0] if inputs[0] is LOCAL else inputs[0][node.args[1]]
            return PLACES if value is None else value
        if any(value is LOCAL for value in inputs):
            return LOCAL
        if any(value is PLACES for value in inputs):
            return self.end(node, "it uses where a maximum lies")
        args = torch.fx.map_arg(node.args, lambda n: self.values[n.name])
        kwargs: Any = torch.fx.map_arg(node.kwargs, lambda n: self.values[n.name])
        if not any(isinstance(value, (View, tuple)) for value in inputs):
            with torch.no_grad():
                return node.target(*args, **kwargs)  # type: ignore[operator]
        rule = RULES.get(name_of(node))
        if rule is None:
            return self.end(node, "there is no rule for this operation")
        try:
            value = rule(self.rules, *args, **kwargs)
        except Unviewable as reason:
            return self.end(node, str(reason))
        if isinstance(value, View):
            value = value.with_dims(value.dims)
            assert value.shape[1:] == _shape(node), f"{node.target} gave {value.shape}, not {node.meta['val'].shape}"
        return value

    def end(self, node: torch.fx.Node, reason: str) -> object:
        self.ends.append(End(path_of(node), name_of(node), reason))
        return LOCAL


def _shape(node: torch.fx.Node) -> tuple[int, ...]:
    """Return the recorded shape of a graph node's (first) tensor, without its first dimension."""
    value = node.meta.get("val")
    value = value[0] if isinstance(value, (tuple, list)) else value
    return tuple(getattr(value, "shape", ()))[1:]


def name_of(node: torch.fx.Node) -> str:
    """Return the operator's name without its overload, ``conv1d`` for ``aten.conv1d.padding``."""
    schema = getattr(node.target, "_schema", None)
    return str(getattr(node.target, "__name__", node.target)) if schema is None else schema.name.split("::")[1]


def checked_shape(window_shape: Sequence[int]) -> tuple[int, ...]:
    """Return ``(channels, *window)`` as integers; raise `ArgumentError` when it is none."""
    try:
        shape = tuple(operator.index(size) for size in window_shape)
    except TypeError:
        shape = ()
    if len(shape) < 2 or min(shape) < 1:
        raise ArgumentError(
            f"window_shape must be (channels, *window) with positive sizes; got {window_shape}. "
            "Give (1, 28, 28) for a grey image, (1, 400) for a signal."
        )
    if len(shape) > 4:
        raise ArgumentError(f"window_shape must have 1 to 3 window axes; got {len(shape) - 1}. Scan fewer axes.")
    return shape


def walk(module: torch.nn.Module, window_shape: Sequence[int], padding: str) -> Walk:
    """Capture ``module`` and rewrite it, without assembling the program."""
    shape = checked_shape(window_shape)
    if padding not in ("exact", "extend"):
        raise ArgumentError(
            f"padding must be 'exact' or 'extend'; got {padding!r}. Use 'exact' unless you know why not."
        )
    captured = capture(module, shape)
    builder = Builder(shape, BATCH_SIZE)
    state = Walk(captured, builder, Rules(builder, padding == "extend", captured.dtype))
    state.run()
    return state


def rewrite(module: torch.nn.Module, window_shape: Sequence[int], padding: str = "exact") -> Program:
    """Rewrite a window network as a program that computes it at every position.

    Parameters
    ----------
    module
        Any torch module in eval mode that maps windows ``(batch, channels, *window)`` to a tensor ``(batch, *out)``
        or to a tuple or dict of such. Its weights are copied.
    window_shape
        ``(channels, *window)``, one to three window axes.
    padding
        ``"exact"`` keeps the window network's function, zeros inside the window included. ``"extend"`` reads the
        neighbouring samples where the window network pads with zeros: another function, and a fully shared one.

    Returns
    -------
    Program
        Every rewriting is checked for shapes here; its values are checked by the one who runs it.

    Raises
    ------
    NotScannable
        When no scan can equal the window network; see `capture`.
    ArgumentError
        When the module does not accept windows of this shape.
    """
    shape = checked_shape(window_shape)
    state = walk(module, shape, padding)
    outputs = _outputs(module, shape, state)
    views = [v for v in state.values.values() if isinstance(v, View)]
    jump = tuple(max(view.jump[axis] for view in views) for axis in range(state.build.axes))
    nodes, structure = tuple(state.build.nodes), state.captured.structure
    dtype = str(state.captured.dtype).removeprefix("torch.")
    return simplified(Program(shape, dtype, nodes, outputs, structure, tuple(state.ends), jump, padding))


def _outputs(module: torch.nn.Module, shape: tuple[int, ...], state: Walk) -> tuple[Output, ...]:
    """Append what is left to do for the outputs: arrange their channels, and run what cannot be shared."""
    build, captured = state.build, state.captured
    build.path = ""
    for node in captured.graph.nodes:
        if node.name in captured.outputs and state.values[node.name] is PLACES:
            state.values[node.name] = state.end(node, "it returns where a maximum lies")
    local = [name for name in captured.outputs if state.values[name] is LOCAL]
    places: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {}
    if local:
        again = trace(module, shape, OTHER_BATCH_SIZE)
        residue = residue_of(captured, again.graph, state.values, local)
        sources = [Source(view.node, build.zero) for view in residue.views]
        residue = replace(residue, views=tuple(replace(v, node=i) for i, v in enumerate(residue.views)))
        attrs = {"residue": residue, "macs": residue.macs(captured.dtype)}
        node = build.add("window", sources, sum(map(prod, residue.shapes)), attrs, residue.params, units=1)
        start = 0
        for name, result in zip(local, residue.shapes, strict=True):
            places[name] = build.take(node, list(range(start, start + prod(result)))), build.zero, result
            start += prod(result)
    for name in captured.outputs:
        if name not in places:
            places[name] = _arranged(build, state.values[name])
    types = {n.name: str(n.meta["val"].dtype).removeprefix("torch.") for n in captured.graph.nodes if n.name in places}
    return tuple(Output(*places[name], types[name]) for name in captured.outputs)


def _arranged(build: Builder, value: Any) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    if not isinstance(value, View) or [f.axis for f in value.dims[0]] != [BATCH]:
        raise ArgumentError("module must return one row per window; got a constant. Return something computed from x.")
    view = build.arrange(build.gather(value, range(1, len(value.dims))))
    return view.node, view.offset, view.shape[1:]
