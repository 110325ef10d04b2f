"""What users hand over, brought into the form that the scanner works with."""

from __future__ import annotations

import copy

import numpy as np
import torch

from scanwise.errors import ArgumentError


def usable_device(name: torch.device | str) -> torch.device:
    """Return a device by name; refuse one that torch cannot use here."""
    try:
        return torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(f"device must be one that torch can use here; got {name!r}. Use 'cpu'.") from error


def copied(module: torch.nn.Module) -> torch.nn.Module:
    """Copy a module to the processor, so that neither its training nor its use is disturbed."""
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        return module  # it has no values to copy, and is refused for that
    try:
        return copy.deepcopy(module).cpu()
    except Exception as error:  # whatever a module's attributes do when they are copied
        raise ArgumentError(
            f"module must be one that copy.deepcopy can copy; got {type(error).__name__}. Use "
            "torch.nn.utils.parametrizations instead of weight_norm, and keep open files and threads out of modules."
        ) from error


def numbers(x: object) -> np.ndarray | torch.Tensor:
    """Return a dense array or tensor of real numbers as it is; refuse anything else."""
    if isinstance(x, np.ndarray):
        if x.dtype.kind in "biuf":
            return x
        kind = f"an array of {x.dtype}"
    elif isinstance(x, torch.Tensor):
        if not x.is_complex() and x.layout == torch.strided:
            return x
        kind = f"an array of {x.dtype}"
    else:
        kind = type(x).__name__
    raise ArgumentError(f"x must be a dense numpy array or torch tensor of real numbers; got {kind}. Convert it.")


def as_tensor(x: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return numbers as a tensor; an array that torch cannot share is copied."""
    if isinstance(x, torch.Tensor):
        return x
    wide = x.dtype.kind == "f" and x.dtype.itemsize > 8
    dtype = np.dtype(np.float64) if wide else x.dtype.newbyteorder("=")
    return torch.from_numpy(np.require(x, dtype, ["C", "W"]))


def as_array(x: np.ndarray | torch.Tensor, dtype: np.dtype) -> np.ndarray:
    """Return numbers as an array that the native engine reads; only what it cannot read is converted to ``dtype``."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu().resolve_neg()
        small = x.is_floating_point() and x.dtype not in (torch.float32, torch.float64)
        x = (x.to(getattr(torch, dtype.name)) if small else x).numpy()
    readable = x.dtype.isnative and x.dtype.itemsize <= 8 and x.dtype != np.float16
    return x if readable else x.astype(dtype)
