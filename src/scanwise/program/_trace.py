"""Tracing a torch module to a graph of pure ATen operators."""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch

from scanwise.errors import NotScannable

from ._nodes import BINARY, UNARY
from ._rules import RULES

# Composite operators that have no rule but are clearer by name, in messages, than torch's decomposition of them.
_KEPT = {"lstm", "gru", "rnn_tanh", "rnn_relu", "scaled_dot_product_attention", "instance_norm"}
_DROPOUT = {"dropout", "feature_dropout", "alpha_dropout"}
# Operators whose result nobody else holds.
_FRESH = UNARY | BINARY | {"conv1d", "conv2d", "conv3d", "linear", "batch_norm"}


def example(module: torch.nn.Module, window_shape: tuple[int, ...], batch: int, seed: int) -> torch.Tensor:
    """Return random windows of the module's type and device, from a generator of its own."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, *window_shape, generator=generator, dtype=torch.float64)
    return values.to(device=like.device, dtype=like.dtype)


def trace(module: torch.nn.Module, window_shape: tuple[int, ...], batch: int) -> torch.export.ExportedProgram:
    """Trace a module on ``batch`` windows; the result has pure operators only.

    A graph of pure operators that all have a rule is taken as it is. Others are decomposed, which takes as long again.
    """
    x = example(module, window_shape, batch, seed=0)
    with _quiet(), torch.no_grad():
        try:
            exported = torch.export.export(module, (x,))
            _remove_idle_dropout(exported.graph)
            _replace_harmless_in_place(exported.graph)
            if not all(_known(node) for node in exported.graph.nodes):
                exported = exported.run_decompositions(_table())
        except Exception as error:  # the tracer raises many kinds, all of them about the user's module
            raise NotScannable(
                f"module must be traceable by torch.export; got {first_line(error)}. "
                "Write its forward without control flow that depends on the values of the data."
            ) from error
    return exported


def schema_of(node: torch.fx.Node) -> Any:
    """Return the schema of the operator that a graph node calls, None for anything else."""
    return getattr(node.target, "_schema", None) if node.op == "call_function" else None


def first_line(error: Exception) -> str:
    """Return an exception's kind and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300].rstrip(".")


def _remove_idle_dropout(graph: torch.fx.Graph) -> None:
    """Remove dropout that is switched off: it returns its input itself, where torch's decomposition makes a copy."""
    for node in list(graph.nodes):
        schema = schema_of(node)
        if schema is not None and schema.name.removeprefix("aten::") in _DROPOUT and node.args[2] is False:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _replace_harmless_in_place(graph: torch.fx.Graph) -> None:
    """Replace in-place operators by pure ones where nobody can see the difference, as in ``relu(x, inplace=True)``.

    That is where the changed tensor is fresh, has no views, and is not used afterwards.
    """
    for place, node in enumerate(nodes := list(graph.nodes)):
        schema = schema_of(node)
        if schema is None or not schema.name.endswith("_"):
            continue
        changed, packet = node.args[0], schema.name.removeprefix("aten::").rstrip("_")
        later = set(nodes[place + 1 :])
        users = [user for user in changed.users if user is not node] if isinstance(changed, torch.fx.Node) else []
        if _is_fresh(changed) and all(user not in later and _is_fresh(user) for user in users):
            node.target = getattr(getattr(torch.ops.aten, packet), schema.overload_name or "default")


def _is_fresh(node: Any) -> bool:
    """Whether a node's result is known to share memory with nothing."""
    schema = schema_of(node) if isinstance(node, torch.fx.Node) else None
    return schema is not None and schema.name.removeprefix("aten::") in _FRESH


def _known(node: torch.fx.Node) -> bool:
    """Whether a graph node needs no decomposition: it changes nothing in place, and there is a rule for it."""
    if node.op != "call_function" or node.target is operator.getitem:
        return node.op != "get_attr"
    schema = schema_of(node)
    return schema is not None and not schema.is_mutable and schema.name.removeprefix("aten::") in RULES


def _table() -> dict[Any, Any]:
    table = torch.export.default_decompositions()
    for op in list(table):
        name = op._schema.name.removeprefix("aten::")  # type: ignore[attr-defined]
        if name in _KEPT or name in RULES:
            table.pop(op)  # type: ignore[no-untyped-call]
    return table


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tracer's warnings, logs and graphs from the user, who gets one clear line if anything is wrong."""
    names = ("torch.export", "torch._dynamo", "torch.fx", "torch._subclasses.fake_tensor")
    loggers = [logging.getLogger(name) for name in names]
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
