"""Modules that save which ties their parameters are for, and load no others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scanwise.errors import ArgumentError
from scanwise.tying._tables import Tables

__all__ = ["Fingerprinted"]


class Fingerprinted(Tables):
    """A module whose state holds, beside theta, the fingerprint of its ties.

    Shared parameters mean nothing without the map that says where they go. State with another fingerprint is refused
    when it is loaded.
    """

    theta: nn.Parameter
    ties_fingerprint: Tensor

    def set_fingerprint(self, hexadecimal: str) -> None:
        """Store a SHA-256, given in hexadecimal, where theta is."""
        self._own = hexadecimal
        numbers = list(bytes.fromhex(hexadecimal))
        device = "cpu" if self.theta.is_meta else self.theta.device  # meta keeps no values
        self.register_buffer("ties_fingerprint", torch.tensor(numbers, dtype=torch.uint8, device=device))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the ties, in hexadecimal; saved with the state, and compared when state is loaded."""
        return self._own

    def check_type(self, x: Tensor) -> None:
        """Refuse inputs of another type than theta's, with one message for all kernels; autocast converts them."""
        if x.dtype != self.theta.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ArgumentError(
                f"x must be of theta's type, {self.theta.dtype}; got {x.dtype}. Convert one with .to(dtype)."
            )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        *_, errors = args
        saved = state_dict.get(f"{prefix}ties_fingerprint")
        if saved is not None and (other := bytes(saved.to(torch.uint8).tolist()).hex()) != self._own:
            errors.append(
                f"{prefix}theta must belong to the same ties; got fingerprint {other[:12]} for {self._own[:12]}. "
                "Make the layer with the map that was saved."
            )
        else:
            super()._load_from_state_dict(state_dict, prefix, *args)
