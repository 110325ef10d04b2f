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


def as_tensor(x: object) -> object:
    """Return a numpy array of numbers as a tensor, anything else as it is."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        wide = x.dtype.kind == "f" and x.dtype.itemsize > 8
        dtype = np.dtype(np.float64) if wide else x.dtype.newbyteorder("=")
        return torch.from_numpy(np.require(x, dtype, ["C", "W"]))
    return x
