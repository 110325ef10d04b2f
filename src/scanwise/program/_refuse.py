"""Refusals: what no scan can equal, named with the layer, the reason and the remedy."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import torch
from torch.utils import _pytree as pytree

from scanwise.errors import ArgumentError, NotScannable

from ._trace import example, first_line, schema_of

_LAZY = (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)


def path_of(node: torch.fx.Node) -> str:
    """Return the path of the module that a graph node stems from, ``""`` at the top level."""
    stack = node.meta.get("nn_module_stack")
    return str(list(stack.values())[-1][0]) if stack else ""


def refuse_unready(module: torch.nn.Module) -> None:
    """Refuse training mode, and weights that do not exist yet."""
    for path, part in module.named_modules():
        name = f"{path or 'the module'} ({type(part).__name__})"
        if part.training:
            raise NotScannable(f"module must be in eval mode; {name} is in training mode. Call module.eval() first.")
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        if any(isinstance(p, _LAZY) or p.is_meta for p in own):
            raise NotScannable(f"module must have its weights; {name} has none yet. Run it once, or load them, first.")


def refuse_operation(node: torch.fx.Node) -> None:
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
    schema = schema_of(node)
    if schema is None:
        return {}
    defaults = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    names = (argument.name for argument in schema.arguments)
    return defaults | dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def call(module: torch.nn.Module, x: torch.Tensor) -> Any:
    """Run a module on windows; refuse windows that it does not take."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return module(x.clone())
        except Exception as error:  # whatever the user's forward raises
            raise ArgumentError(
                f"module must accept windows of shape (batch, {', '.join(map(str, x.shape[1:]))}); "
                f"got {first_line(error)}. Check window_shape: (channels, *window)."
            ) from error


def refuse_batch_mixing(module: torch.nn.Module, x: torch.Tensor, given: Any) -> None:
    """Check on random windows that an output belongs to its own window alone; ``given`` is the output for ``x``.

    The first window is run again by itself, and once more in the company of others.
    """
    others = 3 * example(module, tuple(x.shape[1:]), len(x) + 1, seed=1) + 1
    calls = [call(module, x[:1]), call(module, torch.cat([x[:1], others]))]
    for one, *again in zip(*map(pytree.tree_leaves, (given, *calls)), strict=True):
        if not one.dim() or one.shape[0] != len(x):
            raise NotScannable(
                f"module must return one row per window; got shape {tuple(one.shape)} for {len(x)} windows. "
                "Do not reduce over the batch."
            )
        if not all(_same_first_row(one, other, x.dtype) for other in again):
            raise NotScannable(
                "module must treat every window by itself, and always in the same way; its output for one window "
                "changes with the number of windows, with the others in the batch, or from call to call. Do not use "
                "or reduce the batch; remove randomness."
            )


def _same_first_row(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> bool:
    if one.dim() != other.dim() or one.shape[1:] != other.shape[1:]:
        return False
    first, again = comparable(one[0]), comparable(other[0])
    largest = float(first.abs().nan_to_num().max()) if first.numel() else 1.0
    tolerance = 1e3 * torch.finfo(dtype).eps * max(1.0, largest)
    return torch.allclose(first, again, rtol=0, atol=tolerance, equal_nan=True)


def comparable(x: torch.Tensor) -> torch.Tensor:
    """Return any tensor's values as float64, a complex number as two."""
    return torch.view_as_real(x.to(torch.complex128)) if x.is_complex() else x.double()


def structure_of(outputs: Any) -> str | list[str] | None:
    """Return how outputs are packed, see `Program.structure`; refuse what is not a tensor, tuple or dict of such."""
    if isinstance(outputs, torch.Tensor):
        return None
    if isinstance(outputs, (tuple, list)) and outputs and all(isinstance(o, torch.Tensor) for o in outputs):
        return "tuple"
    if isinstance(outputs, dict) and outputs and all(isinstance(o, torch.Tensor) for o in outputs.values()):
        if all(isinstance(key, str) for key in outputs):
            return list(outputs)
        raise NotScannable(f"module must return a dict with names as keys; got {list(outputs)}. Rename them.")
    raise NotScannable(
        f"module must return a tensor, or a tuple or dict of tensors; got {type(outputs).__name__}. Wrap the module."
    )
