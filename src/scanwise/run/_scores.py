"""The memory that scores are written to: new, or the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.program import Program


def new_scores(program: Program, items: int, counts: Sequence[int], home: torch.device) -> list[torch.Tensor]:
    """Return empty tensors ``(items, channels, *counts)``, one for each output of the program."""
    return [_empty((items, prod(output.shape), *counts), output.dtype, home) for output in program.outputs]


def _empty(shape: tuple[int, ...], dtype: str, home: torch.device) -> torch.Tensor:
    if home.type == "cpu" and dtype in ("float32", "float64"):
        return torch.from_numpy(np.empty(shape, dtype))  # numpy asks for huge pages, which fault less often
    return torch.empty(shape, dtype=getattr(torch, dtype), device=home)


def given_scores(
    out: Any, program: Program, lead: tuple[int, ...], counts: Sequence[int], like: np.ndarray | torch.Tensor
) -> list[torch.Tensor]:
    """Return what the caller wants scores written to, in the form of `new_scores` and in the same memory.

    Parameters
    ----------
    out
        Arrays or tensors ``(*lead, *output.shape, *counts)``, in the structure that the network returns.
    lead
        ``(batch,)``, or nothing.
    counts
        Positions per axis.
    like
        The input; scores are of its kind and on its device.

    Raises
    ------
    ArgumentError
        If anything about ``out`` is otherwise, it has gaps, is not aligned, cannot be written to, or shares memory with
        the input.
    """
    names = program.structure
    if names is None:
        given = [out]
    elif names == "tuple" and isinstance(out, tuple | list):
        given = list(out)
    elif names != "tuple" and isinstance(out, dict) and set(out) == set(names):
        given = [out[name] for name in names]
    else:
        given = []
    if len(given) != len(program.outputs):
        rule = f"a tuple of {len(program.outputs)}" if names == "tuple" else f"a dict of {', '.join(names or ())}"
        raise ArgumentError(f"out must be {rule}, as the network returns; got {type(out).__name__}. Give one of each.")
    tensors = [
        _shared(one, (*lead, *o.shape, *counts), o.dtype, like).view(*(lead or (1,)), prod(o.shape), *counts)
        for one, o in zip(given, program.outputs, strict=True)
    ]
    if any(_overlap(a, b) for a, b in combinations(tensors, 2)):
        raise ArgumentError(
            "out must be arrays apart from each other; got some that overlap. Make one for each output."
        )
    return tensors


def _shared(one: Any, shape: tuple[int, ...], dtype: str, like: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return one of the caller's arrays as a tensor in the same memory."""
    tensor, overlap = None, False
    if isinstance(like, np.ndarray):
        kind = "numpy array"
        if isinstance(one, np.ndarray) and one.dtype == dtype and one.flags.c_contiguous and one.flags.writeable:
            tensor, overlap = torch.from_numpy(one), np.may_share_memory(one, like)
    else:
        kind = f"tensor on {like.device}"
        if isinstance(one, torch.Tensor) and one.dtype == getattr(torch, dtype) and one.is_contiguous():
            tensor = one if one.device == like.device and not one.requires_grad else None
            overlap = _overlap(one, like)
    if tensor is None or tuple(tensor.shape) != shape:
        got = f"{one.dtype} {tuple(one.shape)}" if isinstance(one, np.ndarray | torch.Tensor) else type(one).__name__
        rule = f"{kind}, {dtype} {shape}, contiguous and writable"
        raise ArgumentError(f"out must be a {rule}; got {got}. Make it like an earlier scan's scores.")
    if tensor.data_ptr() % tensor.element_size():
        raise ArgumentError("out must begin at a multiple of its numbers' size; got memory between. Make a new array.")
    if overlap:
        raise ArgumentError("out must not share memory with x; got a part of it. Make a new array.")
    return tensor


def _overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.data_ptr() < _end(b) and b.data_ptr() < _end(a)


def _end(x: torch.Tensor) -> int:
    """The address after a tensor's last number."""
    last = sum((size - 1) * step for size, step in zip(x.shape, x.stride(), strict=True))
    return x.data_ptr() + (last + 1) * x.element_size() if x.numel() else x.data_ptr()
