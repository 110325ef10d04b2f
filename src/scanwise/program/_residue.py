"""What cannot be shared: the rest of the window network, as plain data, run on a batch of windows."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from scanwise.errors import ModelError, NotScannable

from ._capture import BATCH_SIZE, OTHER_BATCH_SIZE, Captured
from ._refuse import path_of
from ._views import BATCH, View


@dataclass(frozen=True)
class Residue:
    """The operations after sharing has ended.

    Attributes
    ----------
    views
        What each input of the ``window`` node contributes: a view whose tensor is cut out for every window. Their
        ``node`` counts the inputs.
    calls
        ATen calls in order: ``{"op": name, "args": [...], "kwargs": {...}}``. An argument is a plain JSON value or
        ``{"view": i}``, ``{"call": i}``, ``{"param": name}``, ``{"batch": [a, b]}`` for the integer ``a * batch + b``,
        ``{"torch": name}`` for a dtype, layout or memory format, ``{"device": true}``, ``{"float": text}``.
    results
        The calls whose tensors, flattened per window, are the node's channels one after the other.
    shapes
        Shape of each result in one window, without the batch.
    values
        Largest number of values alive at a time, per window.
    params
        Tensors by name.
    """

    views: tuple[View, ...]
    calls: tuple[Mapping[str, Any], ...]
    results: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    values: int
    params: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def run(
        self, tensors: Sequence[torch.Tensor], params: Mapping[str, torch.Tensor], batch: int
    ) -> list[torch.Tensor]:
        """Run the calls on the views' tensors of ``batch`` windows; return ``(batch, *shape)`` per result."""
        last = last_uses(self.calls, self.results)
        done: dict[int, Any] = {}
        for place, call in enumerate(self.calls):
            args = [_value(arg, done, tensors, params, batch) for arg in call["args"]]
            kwargs = {name: _value(arg, done, tensors, params, batch) for name, arg in call["kwargs"].items()}
            done[place] = _function(call["op"])(*args, **kwargs)
            del args, kwargs
            for finished in [used for used in done if last[used] <= place]:
                del done[finished]
        return [done[result] for result in self.results]

    def macs(self, dtype: torch.dtype) -> int:
        """Return the multiply-accumulates of one window: matrix products, convolutions, attention, recurrence."""
        one = [[prod(f.count for f in dim if f.axis != BATCH) for dim in view.dims] for view in self.views]
        tensors = [torch.zeros(shape, dtype=dtype) for shape in one]
        # Without oneDNN, recurrent layers run as the matrix products that the counter knows.
        with warnings.catch_warnings(), torch.no_grad(), FlopCounterMode(display=False) as counter:
            warnings.simplefilter("ignore")  # the switch says that it concerns Intel's GPUs too
            with torch.backends.mkldnn.flags(enabled=False):
                self.run(tensors, self.params, 1)
        return int(counter.get_total_flops()) // 2


def last_uses(calls: Sequence[Mapping[str, Any]], results: Sequence[int]) -> dict[int, int]:
    """Return, per call, the last call that reads it; results are kept."""
    last = {place: place for place in range(len(calls))}

    def note(arg: Any, place: int) -> None:
        for item in arg if isinstance(arg, list) else [arg]:
            if isinstance(item, list):
                note(item, place)
            elif isinstance(item, dict) and "call" in item:
                last[item["call"]] = place

    for place, call in enumerate(calls):
        note([*call["args"], *call["kwargs"].values()], place)
    return last | dict.fromkeys(results, len(calls))


def _value(
    arg: Any, done: Mapping[int, Any], tensors: Sequence[torch.Tensor], params: Mapping[str, torch.Tensor], batch: int
) -> Any:
    """Return the value that an argument of a call stands for."""
    if isinstance(arg, list):
        return [_value(item, done, tensors, params, batch) for item in arg]
    if not isinstance(arg, dict):
        return arg
    ((kind, content),) = arg.items()
    if kind == "view":
        return tensors[content]
    if kind == "call":
        return done[content]
    if kind == "param":
        return params[content]
    if kind == "batch":
        return content[0] * batch + content[1]
    if kind == "float":
        return float(content)
    return tensors[0].device if kind == "device" else getattr(torch, content)


# Operators without a tensor to work on that a network may hold all the same, and texts an operator may be given.
_CREATION = {"arange", "empty", "empty_permuted", "eye", "full", "ones", "scalar_tensor", "zeros"}
_TEXTS = {"approximate", "equation", "indexing", "mode", "padding", "reduce", "rounding_mode"}


def _function(name: str) -> Any:
    """Return a pure ATen operator by name: one that computes tensors from tensors and touches nothing else."""
    if name == "getitem":
        return operator.getitem
    namespace, _, rest = name.partition(".")
    packet, _, overload = rest.partition(".")
    found = getattr(getattr(torch.ops.aten, packet, None), overload or "default", None) if namespace == "aten" else None
    if not isinstance(found, torch._ops.OpOverload) or not _is_pure(found, packet):
        raise ModelError(f"program must call pure ATen operators; got {name!r}. The file is damaged or not ours.")
    return found


def _is_pure(function: torch._ops.OpOverload, packet: str) -> bool:
    arguments = function._schema.arguments
    texts = {argument.name for argument in arguments if "str" in str(argument.type)}
    tensors = any("Tensor" in str(argument.type) for argument in arguments)
    return not function._schema.is_mutable and texts <= _TEXTS and (tensors or packet in _CREATION)


def residue_of(captured: Captured, other: torch.fx.Graph, values: Mapping[str, Any], results: Sequence[str]) -> Residue:
    """Collect the operations that lead from views to ``results``.

    Parameters
    ----------
    captured, other
        The same network traced with `BATCH_SIZE` and with `OTHER_BATCH_SIZE` windows: an integer that differs between
        them counts windows.
    values
        What every graph node became; views are inputs here.
    results
        Names of the graph nodes wanted.
    """
    nodes = list(captured.graph.nodes)
    twins = dict(zip((n.name for n in nodes), other.nodes, strict=False))
    if len(nodes) != len(list(other.nodes)) or any(
        n.target != twins[n.name].target for n in nodes if n.op == "call_function"
    ):
        raise NotScannable(
            "module must do the same for every number of windows; its operations change with the batch size. "
            "Do not branch on x.shape[0]."
        )
    wanted = set(results)
    for node in reversed(nodes):
        if node.name in wanted and not isinstance(values.get(node.name), View):
            wanted.update(n.name for n in node.all_input_nodes)
    emit = _Emitter(values, twins)
    for node in nodes:
        if node.name in wanted and node.op == "call_function" and not isinstance(values[node.name], View):
            emit.call(node)
    shapes = {n.name: tuple(n.meta["val"].shape[1:]) for n in nodes if n.name in results}
    places = tuple(emit.places[name] for name in results)
    return Residue(
        tuple(emit.views.values()),
        tuple(emit.calls),
        places,
        tuple(shapes[name] for name in results),
        _peak(emit, places),
        {name: captured.tensors[name] for name in emit.params},
    )


def _peak(emit: _Emitter, results: Sequence[int]) -> int:
    """Return the largest number of values alive at a time while one window is run."""
    last = last_uses(emit.calls, results)
    alive = sum(prod(f.count for f in view.factors if f.axis != BATCH) for view in emit.views.values())
    peak = alive
    for place, size in enumerate(emit.sizes):
        alive += size
        peak = max(peak, alive)
        alive -= sum(emit.sizes[used] for used, end in last.items() if end == place)
    return max(1, peak)


# A tensor cut out of a map is not laid out in memory as the network's own was.
_VIEWS = {"aten.view.default": "aten.reshape.default", "aten._unsafe_view.default": "aten.reshape.default"}


class _Emitter:
    """Writes graph nodes as plain data."""

    def __init__(self, values: Mapping[str, Any], twins: Mapping[str, torch.fx.Node]) -> None:
        self.values, self.twins = values, twins
        self.views: dict[str, View] = {}
        self.calls: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.places: dict[str, int] = {}
        self.params: list[str] = []

    def call(self, node: torch.fx.Node) -> None:
        twin = self.twins[node.name]
        op = _VIEWS.get(str(node.target), "getitem" if node.target is operator.getitem else str(node.target))
        try:
            _function(op)
        except ModelError:
            where = path_of(node) or "top level"
            raise NotScannable(
                f"module must call pure operators where sharing has ended; {where} calls {op}. Write it otherwise."
            ) from None
        args = [self.encode(a, b) for a, b in zip(node.args, twin.args, strict=True)]
        kwargs = {
            name: self.encode(arg, twin.kwargs[name]) for name, arg in node.kwargs.items() if name != "pin_memory"
        }
        value = node.meta.get("val")
        parts = value if isinstance(value, (tuple, list)) else [value]
        self.places[node.name] = len(self.calls)
        self.sizes.append(sum(part.numel() // BATCH_SIZE for part in parts if isinstance(part, torch.Tensor)))
        self.calls.append({"op": op, "args": args, "kwargs": kwargs})

    def encode(self, arg: Any, twin: Any) -> Any:
        if isinstance(arg, torch.fx.Node):
            return self._reference(arg)
        if isinstance(arg, (list, tuple)):
            return [self.encode(a, b) for a, b in zip(arg, twin, strict=True)]
        if isinstance(arg, int) and not isinstance(arg, bool) and arg != twin:
            slope = (twin - arg) // (OTHER_BATCH_SIZE - BATCH_SIZE)
            return {"batch": [slope, arg - slope * BATCH_SIZE]}
        if isinstance(arg, float) and not isfinite(arg):
            return {"float": repr(arg)}
        if isinstance(arg, torch.device):
            return {"device": True}
        if isinstance(arg, (torch.dtype, torch.layout, torch.memory_format)):
            return {"torch": str(arg).removeprefix("torch.")}
        return arg

    def _reference(self, node: torch.fx.Node) -> dict[str, Any]:
        if isinstance(self.values[node.name], View):
            self.views.setdefault(node.name, self.values[node.name])
            return {"view": list(self.views).index(node.name)}
        if node.op == "placeholder":
            if node.name not in self.params:
                self.params.append(node.name)
            return {"param": node.name}
        return {"call": self.places[node.name]}
