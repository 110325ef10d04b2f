"""From a torch module to its graph on one window, with everything refused that cannot be scanned at all."""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from scanwise.errors import ArgumentError, NotScannable

from ._rules import RULES

BATCH_SIZE = 3
OTHER_BATCH_SIZE = 5

# Composite operators that have no rule but are clearer by name, in messages, than torch's decomposition of them.
_KEPT = {"lstm", "gru", "rnn_tanh", "rnn_relu", "scaled_dot_product_attention", "instance_norm"}


@dataclass(frozen=True)
class Captured:
    """A window network as a functional ATen graph.

    Attributes
    ----------
    graph
        The graph on a batch of windows.
    tensors
        Snapshot of parameters, buffers and constants by the name of their placeholder.
    input
        Name of the input's placeholder.
    outputs
        Names of the graph nodes that the network returns, flattened.
    structure
        How the outputs are packed; see `Program.structure`.
    """

    graph: torch.fx.Graph
    tensors: dict[str, torch.Tensor]
    input: str
    outputs: tuple[str, ...]
    structure: str | list[str] | None


def path_of(node: torch.fx.Node) -> str:
    """Return the path of the module that a graph node stems from, ``""`` at the top level."""
    stack = node.meta.get("nn_module_stack")
    return str(list(stack.values())[-1][0]) if stack else ""


def example(module: torch.nn.Module, window_shape: tuple[int, ...], batch: int, seed: int) -> torch.Tensor:
    """Return random windows of the module's type and device, from a generator of its own."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, *window_shape, generator=generator, dtype=torch.float64)
    return values.to(device=like.device, dtype=like.dtype)


def capture(module: torch.nn.Module, window_shape: tuple[int, ...]) -> Captured:
    """Trace ``module`` on windows with `torch.export`, down to the operators the rewriting knows.

    Raises
    ------
    NotScannable
        When the module is in training mode, draws random numbers, changes its buffers, mixes the windows of a batch,
        or cannot be traced.
    """
    _refuse_training(module)
    pair = example(module, window_shape, 2, seed=0)
    given = _call(module, pair)
    structure = _structure(given)
    exported = trace(module, window_shape, BATCH_SIZE)
    signature = exported.graph_signature
    if changed := sorted(signature.buffers_to_mutate.values()):
        raise NotScannable(
            f"module must not change its state in forward; it changes {', '.join(changed)}. "
            "Make forward free of side effects: a window's result must not depend on the windows before it."
        )
    for node in exported.graph.nodes:
        _refuse_operation(node)
    _refuse_batch_mixing(module, pair, given)
    tensors = {**exported.state_dict, **exported.constants}
    named = {
        spec.arg.name: tensors[spec.target].detach().clone()
        for spec in signature.input_specs
        if spec.target is not None and isinstance(tensors.get(spec.target), torch.Tensor)
    }
    outputs = tuple(spec.arg.name for spec in signature.output_specs if spec.kind.name == "USER_OUTPUT")
    return Captured(exported.graph, named, str(signature.user_inputs[0]), outputs, structure)


def trace(module: torch.nn.Module, window_shape: tuple[int, ...], batch: int) -> torch.export.ExportedProgram:
    """Trace a module on ``batch`` windows; the result has pure operators only."""
    x = example(module, window_shape, batch, seed=0)
    with _quiet(), torch.no_grad():
        try:
            exported = torch.export.export(module, (x,))
            _replace_harmless_in_place(exported.graph)
            if not all(_known(node) for node in exported.graph.nodes):
                exported = exported.run_decompositions(_table())
        except Exception as error:  # the tracer raises many kinds, all of them about the user's module
            raise NotScannable(
                f"module must be traceable by torch.export; got {_first_line(error)}. "
                "Write its forward without control flow that depends on the values of the data."
            ) from error
    return exported


def _replace_harmless_in_place(graph: torch.fx.Graph) -> None:
    """Replace in-place operators by pure ones where nobody can see the difference, as in ``relu(x, inplace=True)``.

    That is where the changed tensor is fresh, no view, has no views, and is not used afterwards. Decomposition would do
    the same for every case, and takes as long as tracing.
    """
    for place, node in enumerate(nodes := list(graph.nodes)):
        schema = _schema(node)
        if schema is None or not schema.name.endswith("_"):
            continue
        changed, packet = node.args[0], schema.name.removeprefix("aten::").rstrip("_")
        later = set(nodes[place + 1 :])
        if _fresh(changed) and not any(user in later or _is_view(user) for user in changed.users):
            node.target = getattr(getattr(torch.ops.aten, packet), schema.overload_name or "default")


def _schema(node: torch.fx.Node) -> Any:
    return getattr(node.target, "_schema", None) if node.op == "call_function" else None


def _is_view(node: torch.fx.Node) -> bool:
    """Whether a node's result shares memory with its input; unknown operators may, and those that may do nothing."""
    schema = _schema(node)
    if schema is None or "dropout" in schema.name or schema.name == "aten::type_as":
        return True
    return any(out.alias_info is not None and not out.alias_info.is_write for out in schema.returns)


def _fresh(node: Any) -> bool:
    return isinstance(node, torch.fx.Node) and node.op == "call_function" and not _is_view(node)


def _known(node: torch.fx.Node) -> bool:
    """Whether a graph node needs no decomposition: it changes nothing in place, and there is a rule for it."""
    if node.op != "call_function" or node.target is operator.getitem:
        return node.op != "get_attr"
    schema = _schema(node)
    return schema is not None and not schema.is_mutable and schema.name.removeprefix("aten::") in RULES


def _table() -> dict[Any, Any]:
    table = torch.export.default_decompositions()
    for op in list(table):
        name = op._schema.name.removeprefix("aten::")  # type: ignore[attr-defined]
        if name in _KEPT or name in RULES:
            table.pop(op)  # type: ignore[no-untyped-call]
    return table


def _refuse_training(module: torch.nn.Module) -> None:
    for path, part in module.named_modules():
        if part.training and (path == "" or next(part.children(), None) is None):
            name = f"{path or 'the module'} ({type(part).__name__})"
            raise NotScannable(f"module must be in eval mode; {name} is in training mode. Call module.eval() first.")


def _refuse_operation(node: torch.fx.Node) -> None:
    """Refuse randomness and statistics over the batch by name."""
    if node.op != "call_function" or node.target is operator.getitem:
        return
    where = path_of(node) or "top level"
    given = _arguments(node)
    training = given.get("train", given.get("training"))
    if "batch_norm" in str(node.target) and training:
        raise NotScannable(
            f"module must treat every window by itself; {where} normalises over the batch. "
            "Use running statistics (track_running_stats=True) and eval mode."
        )
    draws = training if training is not None else given.get("dropout_p", 1.0) > 0
    if draws and torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
        raise NotScannable(
            f"module must be deterministic; {where} draws random numbers ({node.target}). "
            "Remove the randomness, or tie it to self.training and call module.eval()."
        )


def _arguments(node: torch.fx.Node) -> dict[str, Any]:
    """Return an operator's arguments by name, defaults included."""
    schema = _schema(node)
    if schema is None:
        return {}
    defaults = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    names = (argument.name for argument in schema.arguments)
    return defaults | dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def _call(module: torch.nn.Module, x: torch.Tensor) -> Any:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return module(x.clone())
        except Exception as error:  # whatever the user's forward raises
            raise ArgumentError(
                f"module must accept windows of shape (batch, {', '.join(map(str, x.shape[1:]))}); "
                f"got {_first_line(error)}. Check window_shape: (channels, *window)."
            ) from error


def _refuse_batch_mixing(module: torch.nn.Module, x: torch.Tensor, given: Any) -> None:
    """Check on random windows that an output belongs to its own window alone; ``given`` is the output for ``x``."""
    other = torch.cat([x[:1], 3 * example(module, tuple(x.shape[1:]), len(x) - 1, seed=1) + 1])
    for one, moved in zip(pytree.tree_leaves(given), pytree.tree_leaves(_call(module, other)), strict=True):
        if not one.dim() or one.shape[0] != len(x):
            raise NotScannable(
                f"module must return one row per window; got shape {tuple(one.shape)} for {len(x)} windows. "
                "Do not reduce over the batch."
            )
        first, again = one[0].double(), moved[0].double()
        largest = float(first.abs().nan_to_num().max()) if first.numel() else 1.0
        tolerance = 1e3 * torch.finfo(x.dtype).eps * max(1.0, largest)
        if not torch.allclose(first, again, rtol=0, atol=tolerance, equal_nan=True):
            raise NotScannable(
                "module must treat every window by itself, and always in the same way; its output for one window "
                "changes with the others in the batch or from call to call. Do not reduce over the batch; remove "
                "randomness."
            )


def _structure(outputs: Any) -> str | list[str] | None:
    if isinstance(outputs, torch.Tensor):
        return None
    if isinstance(outputs, (tuple, list)) and outputs and all(isinstance(o, torch.Tensor) for o in outputs):
        return "tuple"
    if isinstance(outputs, dict) and outputs and all(isinstance(o, torch.Tensor) for o in outputs.values()):
        return [str(key) for key in outputs]
    raise NotScannable(
        f"module must return a tensor, or a tuple or dict of tensors; got {type(outputs).__name__}. Wrap the module."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300].rstrip(".")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tracer's warnings, logs and graphs from the user, who gets one clear line if anything is wrong."""
    loggers = [
        logging.getLogger(name)
        for name in ("torch.export", "torch._dynamo", "torch.fx", "torch._subclasses.fake_tensor")
    ]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
