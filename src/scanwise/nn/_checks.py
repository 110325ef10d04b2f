"""Checks that every family makes of its arguments, before a single tensor is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanwise.errors import ArgumentError

MAX_PARAMETERS = 2**28
"""The largest network that is built, in parameters (1 GiB of float32).

A description comes from a file; a damaged one must be refused, not fill the memory.
"""


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(f"{name} must be a whole number of at least {least}; got {value!r}. Change it.")
    return value


def wholes(name: str, value: Any) -> tuple[int, ...]:
    """Return a sequence of positive integers as a tuple; it may be empty."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ArgumentError(f"{name} must be a sequence of whole numbers; got {value!r}. Write [{value!r}].")
    return tuple(whole(f"{name}[{i}]", entry) for i, entry in enumerate(value))


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


def flag(name: str, value: Any) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be true or false; got {value!r}. Change it.")
    return value


def choice(name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` if it is one of the names in `known`."""
    if value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(known)}; got {value!r}. Choose one of these.")
    return str(value)


def budget(parameters: int) -> None:
    """Refuse a network of more than `MAX_PARAMETERS` parameters."""
    if parameters > MAX_PARAMETERS:
        raise ArgumentError(
            f"the network must have at most {MAX_PARAMETERS:,} parameters; got {parameters:,}. "
            "Use fewer channels, fewer hidden units or a smaller window."
        )
