"""The device a model runs on."""

from __future__ import annotations

import torch

from scanwise.errors import ArgumentError

__all__ = ["checked_device"]


def checked_device(name: torch.device | str) -> torch.device:
    """The device of that name, once a tensor could be made there and read back."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # an assertion: torch was built without the device
        raise ArgumentError(f"device must be one that torch can use here; got {str(name)!r}. Use cpu.") from error
    return device
