"""Checks of what only networks have, before a single tensor is allocated."""

from __future__ import annotations

from typing import Any

from scanwise._checks import wholes
from scanwise.errors import ArgumentError

MAX_PARAMETERS = 2**28
"""The largest network that is built, in parameters (1 GiB of float32).

A description comes from a file; a damaged one must be refused, not fill the memory.
"""


def window(window_shape: Any) -> tuple[int, ...]:
    """Return `window_shape` as ``(channels, *window)`` with one or two axes of space."""
    shape = wholes("window_shape", window_shape)
    if len(shape) not in (2, 3):
        raise ArgumentError(
            f"window_shape must be (channels, length) or (channels, height, width); got {list(shape)}. "
            "Put the number of channels first."
        )
    return shape


def fraction(name: str, value: Any) -> float:
    """Return `value` if it lies in ``[0, 1)``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ArgumentError(f"{name} must be at least 0 and below 1; got {value!r}. Use 0 to leave it out.")
    return float(value)


def budget(parameters: int) -> None:
    """Refuse a network of more than `MAX_PARAMETERS` parameters."""
    if parameters > MAX_PARAMETERS:
        raise ArgumentError(
            f"the network must have at most {MAX_PARAMETERS:,} parameters; got {parameters:,}. "
            "Use fewer channels, fewer hidden units or a smaller window."
        )
